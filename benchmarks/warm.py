"""Waits until workers are at work: each of their processes has run something."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep

from benchmarks.marks import Marks
from benchmarks.peers import PROCESSES

READY_WITHIN_S = 30.0


def until_all_work(submit: Callable[[], object], marks: Marks) -> int:
    """Submit no-ops until each process has run one; returns how many. Raises `TimeoutError`."""
    deadline = monotonic() + READY_WITHIN_S
    sent = 0
    while marks.look_for_processes() < PROCESSES:
        if monotonic() > deadline:
            raise TimeoutError("the workers did not start")
        submit()
        sent += 1
        sleep(0.05)
    marks.wait_for(sent, READY_WITHIN_S)
    return sent
