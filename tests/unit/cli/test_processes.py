from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cli.processes import ProcessId, end_all
from tests.unit.cli.conditions import pause, until
from tests.unit.cli.stand_ins import STAY, python

Running = subprocess.Popen[bytes]


@pytest.fixture
def running() -> Iterator[Running]:
    with subprocess.Popen(python(STAY), start_new_session=True) as process:
        # `Popen` returns in the middle of the exec, when the new process often has no command line yet.
        until(ProcessId.of(process.pid, STAY)._runs_program, "it runs its program")
        yield process
        process.kill()


def test_this_process_is_alive() -> None:
    assert ProcessId.of(os.getpid(), "").alive


def test_a_number_given_away_again_is_another_process(running: Running) -> None:
    known = ProcessId.of(running.pid, "")

    assert known.alive
    assert not dataclasses.replace(known, started=known.started + 1).alive
    assert not dataclasses.replace(known, boot="another boot").alive


def test_a_process_that_runs_something_else_is_not_ours(running: Running) -> None:
    program = os.path.basename(sys.executable)

    # What it was started with can be read a moment after it was started.
    until(lambda: ProcessId.of(running.pid, program).alive, "it can be read what it runs")
    assert not ProcessId.of(running.pid, "valkey-server").alive


def test_a_zombie_is_not_alive(running: Running) -> None:
    known = ProcessId.of(running.pid, "")

    running.kill()

    until(lambda: not known.alive, "its end, although nobody reaped it")


def test_what_is_told_to_end_has_ended_afterwards(running: Running) -> None:
    known = ProcessId.of(running.pid, "")

    assert end_all([known], pause)
    assert not known.alive


def test_another_process_of_the_same_number_is_left_alone(running: Running) -> None:
    stranger = ProcessId.of(running.pid, "valkey-server")

    assert end_all([stranger], pause)
    assert running.poll() is None


def test_nothing_to_end_takes_no_pause() -> None:
    def refuse(_seconds: float) -> None:
        raise AssertionError("a pause for nothing")

    assert end_all([], refuse)
