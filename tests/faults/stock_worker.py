"""Dramatiq as it comes: its own Redis broker, its own command, its defaults; the same work that tells of itself.

Run with `worker`, it is Dramatiq's command with one process; with `scheduler`, it is periodiq; with `send N`, it is a
process that sends one task.
"""

from __future__ import annotations

from tests.faults.clocks import let_jump, speed_up_periodiq

let_jump()

import os  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

import dramatiq  # noqa: E402
from dramatiq.brokers.redis import RedisBroker  # noqa: E402
from periodiq import PeriodiqMiddleware, Scheduler, cron  # noqa: E402

from tests.faults.recording import SCHEDULED, SLOTS, perform, tell_ready  # noqa: E402

URL = "FAULTS_STOCK_URL"
THREADS = "FAULTS_STOCK_THREADS"


class TellsReady(dramatiq.Middleware):
    def after_worker_boot(self, broker: Any, worker: Any) -> None:
        tell_ready()


def build(url: str, schedule: str | None = None) -> tuple[Any, Any]:
    """A broker with one actor, and that actor."""
    broker = RedisBroker(url=url)
    broker.add_middleware(PeriodiqMiddleware())
    options = {"periodic": cron(schedule)} if schedule else {}

    @dramatiq.actor(broker=broker, actor_name="work", **options)
    def work(number: int = SCHEDULED, work_s: float = 0.0, fails: bool = False) -> None:
        perform(number, work_s, fails)

    return broker, work


def run_workers() -> int:
    from dramatiq import cli

    arguments = ["tests.faults.stock_worker:broker", "-p", "1", "-t", os.environ[THREADS]]
    return int(cli.main(cli.make_argument_parser().parse_args(arguments)) or 0)


def run_scheduler() -> None:
    speed_up_periodiq(*map(float, os.environ[SLOTS].split(",")))
    _, actor = build(os.environ[URL], "* * * * *")
    scheduler = Scheduler(actors=[actor])
    tell_ready()
    scheduler.schedule()
    scheduler.loop()


def main() -> None:
    what, *numbers = sys.argv[1:]
    if what == "worker":
        sys.exit(run_workers())
    if what == "scheduler":
        run_scheduler()
    if what == "send":
        build(os.environ[URL])[1].send(number=int(numbers[0]))


if __name__ == "__main__":
    main()
elif URL in os.environ:
    broker, _ = build(os.environ[URL])
    broker.add_middleware(TellsReady())
