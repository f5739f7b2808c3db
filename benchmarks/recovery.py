"""Kills all workers of one peer in the middle of their tasks, starts them again at once, and waits until everything
is done, all by the peer's default settings: `python -m benchmarks.recovery`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from time import monotonic, sleep

from benchmarks.child import answer, told
from benchmarks.endings import SLOW_S, endings
from benchmarks.figures import RecoveryFigures
from benchmarks.marks import Marks
from benchmarks.peers import NAME, Peer, load
from benchmarks.plan import Plan
from benchmarks.processes import Workers
from benchmarks.warm import READY_WITHIN_S, until_all_work

TASKS = 20
NOOPS = 20
REPEATS_SHOW_WITHIN_S = SLOW_S + 1
"""A task that is run once more after everything is done has ended by then."""


def recover(peer: Peer, plan: Plan, folder: Path) -> RecoveryFigures:
    """What became of the tasks. The time counts from the kill."""
    workers = _with_work_at_hand(peer, folder)
    killed_at = monotonic()
    workers.kill()
    workers = _start(peer, folder)
    try:
        seconds = _until_all_ended(folder, killed_at, plan.patience_s)
        if seconds is None:
            _check_that_they_work(peer, folder)
        else:
            sleep(REPEATS_SHOW_WITHIN_S)
    finally:
        workers.stop()
    times = endings(folder)
    return RecoveryFigures(seconds, TASKS - len(times), sum(count > 1 for count in times.values()))


def _check_that_they_work(peer: Peer, folder: Path) -> None:
    """Tasks that are left behind tell something only where the new workers run others. Raises `TimeoutError`."""
    marks = Marks(folder / "marks")
    marks.look_for_processes()
    seen = marks.count()
    for _ in range(NOOPS):
        peer.submit()
    deadline = monotonic() + READY_WITHIN_S
    while marks.count() == seen:
        if monotonic() > deadline:
            raise TimeoutError("the workers did not come back")
        sleep(0.05)
        marks.look_for_processes()


def _start(peer: Peer, folder: Path) -> Workers:
    return Workers(peer.worker_commands(), folder / "workers.log")


def _with_work_at_hand(peer: Peer, folder: Path) -> Workers:
    """Workers in the middle of their first tasks, with the rest of them waiting."""
    workers = _start(peer, folder)
    try:
        until_all_work(peer.submit, Marks(folder / "marks"))
        sleep(0.5)
        for number in range(TASKS):
            peer.submit_slow(number)
        sleep(SLOW_S / 2)
    except BaseException:  # Ctrl-C too: no worker outlives the benchmark
        workers.stop()
        raise
    return workers


def _until_all_ended(folder: Path, since: float, patience_s: float) -> float | None:
    while len(endings(folder)) < TASKS:
        if monotonic() > since + patience_s:
            return None
        sleep(0.05)
    return monotonic() - since


def main() -> None:
    plan, folder = told()
    answer(asdict(recover(load(os.environ[NAME]), plan, folder)))


if __name__ == "__main__":
    main()
