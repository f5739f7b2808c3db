"""The body of a worker process: loads the engines, runs tasks, and drains when it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
from threading import Event
from types import FrameType

from actors.engines.extras import check_extras
from tasks.master_key import check_master_key
from tasks.readiness import announce_ready
from tasks.settings import Settings

log = logging.getLogger(__name__)


def main(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; then finish or hand back what is running. Exit code 0.

    Raises `SettingsError` where an engine is set that is not installed, or a master key that is not this Redis's.
    """
    check_extras(settings)
    # Before numpy is loaded: BLAS threads of eight tasks at a time only get into each other's way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from actors.main import declare_all
    from middleware.broker import build_broker
    from middleware.shielded_logs import shield_log_handlers
    from middleware.worker import LaneWorker

    _keep_clients_words_out_of_logs()
    stop = _stop_on_signals()
    broker = build_broker(settings)
    check_master_key(broker.client, settings)
    shield_log_handlers(broker.interrupts)
    declare_all(broker).warm()
    worker = LaneWorker(broker, settings.threads)
    worker.start()
    announce_ready()
    log.info("worker %s is ready with %d threads", broker.worker, settings.threads)
    stop.wait()
    log.info("worker %s drains", broker.worker)
    worker.drain(settings.drain_timeout_s)
    return 0


def _keep_clients_words_out_of_logs() -> None:
    """Dramatiq logs a failed task with its traceback, whose last line may quote what a client said. What became of
    the run is logged by `middleware/retries.py`, with its type and place."""

    def without_traceback(record: logging.LogRecord) -> bool:
        record.exc_info = record.exc_text = None
        return True

    logging.getLogger("dramatiq.worker.WorkerThread").addFilter(without_traceback)


def _stop_on_signals() -> Event:
    stop = Event()

    def heard(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, heard)
    return stop
