"""The body of a worker process: loads the engines, runs tasks, and drains when it is told to stop or to retire."""

from __future__ import annotations

import logging
import os
import signal
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

from actors.engines.extras import check_extras
from actors.probes import answer_probes
from tasks import tracing
from tasks.installation import check_installation
from tasks.readiness import RETIRE_SIGNAL, announce_ready_and_stay
from tasks.settings import Settings

if TYPE_CHECKING:
    from middleware.worker import LaneWorker

PROBES = {"/livez": "stuck", "/readyz": "unready"}
"""What of the worker's proof answers which question."""

log = logging.getLogger(__name__)


def main(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; then finish or hand back what is running. After `RETIRE_SIGNAL` finish all of it.
    Exit code 0.

    Raises `SettingsError` where something is set that is not installed, and as `check_installation` does.
    """
    check_extras(settings)
    # Before numpy is loaded: BLAS threads of eight tasks at a time only get into each other's way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from actors.alerts import WORKERS_WAIT, StandBy
    from actors.main import declare_all
    from middleware.broker import build_broker
    from middleware.run_lines import keep_lines_of_runs
    from middleware.shielded_logs import shield_log_handlers
    from middleware.worker import LaneWorker

    _keep_clients_words_out_of_logs()
    orders = _Orders()
    broker = build_broker(settings)
    check_installation(broker.client, settings)
    if settings.task_log_level != "off":
        keep_lines_of_runs(settings.task_log_level)
    shield_log_handlers(broker.interrupts)
    tracing.switch_on("worker", settings.traces, broker.interrupts.held_back)
    tools = declare_all(broker)
    tools.warm()
    worker = LaneWorker(broker, settings.threads)
    worker.start()
    _prove(worker, settings)
    StandBy(tools.watch, WORKERS_WAIT).start()
    log.info("worker %s is ready with %d threads", broker.worker, settings.threads)
    orders.wait()
    if not orders.stop:
        log.info("worker %s retires", broker.worker)
        worker.retire(lambda: orders.stop)
    log.info("worker %s drains", broker.worker)
    worker.drain(settings.drain_timeout_s)
    tracing.switch_off()
    return 0


def _prove(worker: LaneWorker, settings: Settings) -> None:
    """Let others see that it takes tasks: a supervisor, a probe, and with the heartbeat the gateways."""
    from middleware.proof import Prover

    def changed(stuck: str) -> None:
        log.log(logging.ERROR if stuck else logging.INFO, "stuck: %s", stuck or "no longer")
        worker.pulse.describe_soon()

    if settings.probe_port is not None:
        questions = {path: getattr(worker.proof, question) for path, question in PROBES.items()}
        answer_probes(settings.host, settings.probe_port, questions)
    Prover(worker.proof, announce_ready_and_stay(), changed).start()


def _keep_clients_words_out_of_logs() -> None:
    """Dramatiq logs a failed task with its traceback, whose last line may quote what a client said. What became of
    the run is logged by `middleware/retries.py`, with its type and place."""

    def without_traceback(record: logging.LogRecord) -> bool:
        record.exc_info = record.exc_text = None
        return True

    logging.getLogger("dramatiq.worker.WorkerThread").addFilter(without_traceback)


class _Orders:
    """What signals have asked for: to stop soon, or else to retire. A handler may come between any two steps of what
    it interrupts, so it takes no lock: a flag, and a queue that allows it."""

    def __init__(self) -> None:
        self.stop = False
        self._heard: SimpleQueue[int] = SimpleQueue()
        for number in (signal.SIGTERM, signal.SIGINT, RETIRE_SIGNAL):
            signal.signal(number, self._hear)

    def wait(self) -> None:
        """Until the first of either."""
        self._heard.get()

    def _hear(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.stop = self.stop or number != RETIRE_SIGNAL
        self._heard.put(number)
