"""What a task does here, and how it tells of it: one line per beginning and end, appended to a file.

Outside of Redis, so that no fault of the store or of a broker can hide an execution. A line is one `write` to a file
opened for appending: it is whole, and it outlives the process that wrote it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident

from tests.faults.clocks import true_time

FOLDER = "FAULTS_FOLDER"
SLOTS = "FAULTS_SLOTS"
STEP_S = 0.005
SCHEDULED = -1
"""The number of a task that a scheduler sent: it is counted under its slot."""


class FailedOnPurpose(Exception):
    """What a task raises that is to fail the first time."""


@dataclass(frozen=True, slots=True)
class Line:
    """`group` names the worker process, with all its forks; `at` is in s since 1970."""

    number: int
    event: str
    group: int
    thread: int
    at: float


def folder() -> Path:
    return Path(os.environ[FOLDER])


def perform(number: int, work_s: float = 0.0, fails: bool = False) -> None:
    """Begin, work in steps that an interrupt can hit, and end; with `fails`, the first execution raises instead."""
    if number == SCHEDULED:
        number = slot_now()
    note(number, "begin")
    until = time.monotonic() + work_s
    while time.monotonic() < until:
        time.sleep(STEP_S)
    if fails and _is_first(number):
        note(number, "fail")
        raise FailedOnPurpose
    note(number, "end")


def note(number: int, event: str) -> None:
    line = f"{number} {event} {os.getpgrp()} {get_ident()} {true_time():.4f}\n"
    file = os.open(folder() / "executions", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def tell_ready() -> None:
    """Called once by a worker process that serves; the harness waits for it."""
    (folder() / f"ready.{os.getpgrp()}").touch()


def slot_now() -> int:
    begin, length_s = map(float, os.environ[SLOTS].split(","))
    return int((true_time() - begin) / length_s)


def read(folder: Path) -> Iterator[Line]:
    with suppress(FileNotFoundError), (folder / "executions").open() as lines:
        for line in lines:
            number, event, group, thread, at = line.split()
            yield Line(int(number), event, int(group), int(thread), float(at))


def _is_first(number: int) -> bool:
    try:
        (folder() / f"failed.{number}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
