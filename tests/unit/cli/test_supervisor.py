from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.child import Child, Stage
from cli.stop_requests import StopRequests
from cli.supervisor import Backoff, StartFailed, Supervisor
from tests.unit.cli.conditions import until
from tests.unit.cli.stand_ins import READY, STAY, spec


@pytest.fixture
def stop() -> Iterator[StopRequests]:
    requests = StopRequests()
    yield requests
    requests.close()


class Clock:
    """Time that passes when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """No SIGCHLD is listened to here, so a death is seen at the end of a pause."""
    monkeypatch.setattr("cli.supervisor.IDLE_S", 0.02)


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "despacho.supervisor")


@pytest.fixture
def supervisor(stop: StopRequests, clock: Clock) -> Iterator[Supervisor]:
    one = Supervisor(stop, clock=clock)
    yield one
    one.stop()
    assert [child.spec.name for child in one.children if child.pid is not None] == []


def stepping(supervisor: Supervisor, condition: Callable[[], object]) -> Callable[[], object]:
    def step_and_look() -> object:
        supervisor.step()
        return condition()

    return step_and_look


def kill(child: Child) -> int:
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    return child.pid


# -------------------------------------------------------------------------------------------------- back-off


def test_the_wait_doubles_up_to_half_a_minute() -> None:
    backoff = Backoff()

    assert [backoff.after_life_of(0.1) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_minute_of_life_forgets_earlier_deaths() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after_life_of(1)

    assert backoff.after_life_of(60) == 0.5
    assert backoff.after_life_of(1) == 1


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1))
def test_no_wait_is_shorter_or_longer_than_promised(lives: list[float]) -> None:
    backoff = Backoff()

    assert all(0.5 <= backoff.after_life_of(life) <= 30 for life in lives)


# --------------------------------------------------------------------------------------------------- starting


def test_all_are_ready_when_the_wait_is_over(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(spec(tmp_path, READY, STAY, name="one"), spec(tmp_path, READY, STAY, name="two"))

    supervisor.wait_until_ready()

    assert [child.ready for child in supervisor.children] == [True, True]


def test_a_death_at_the_start_is_told_with_the_end_of_its_log(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(spec(tmp_path, "import sys; sys.exit('no model in the cache')", name="worker-1"))

    with pytest.raises(StartFailed, match=r"worker-1 ended with exit code 1 .*worker-1\.log.*no model in the cache"):
        supervisor.wait_until_ready()


def test_a_start_that_takes_too_long_is_a_failed_one(supervisor: Supervisor, clock: Clock, tmp_path: Path) -> None:
    supervisor.start(spec(tmp_path, STAY, name="worker-1", start_timeout_s=60))
    clock.now += 61

    with pytest.raises(StartFailed, match=r"worker-1 was not ready after 60 s"):
        supervisor.wait_until_ready()


def test_a_stop_ends_the_wait_for_a_start(supervisor: Supervisor, stop: StopRequests, tmp_path: Path) -> None:
    supervisor.start(spec(tmp_path, STAY))
    stop.ask()

    supervisor.wait_until_ready()

    assert not supervisor.children[0].ready


# --------------------------------------------------------------------------------------------------- watching


def test_what_dies_is_started_again_with_growing_waits_and_it_is_said(
    supervisor: Supervisor, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor.start(spec(tmp_path, READY, STAY, name="worker-1"))
    supervisor.wait_until_ready()
    child = supervisor.children[0]

    for wait_s in (0.5, 1):
        kill(child)
        until(stepping(supervisor, lambda: child.pid is None), "the death to be seen")
        clock.now += wait_s
        until(stepping(supervisor, lambda: child.ready), "a new one")

    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "worker-1 ended with signal 9 (SIGKILL); it is started again in 0.5 s",
        "worker-1 ended with signal 9 (SIGKILL); it is started again in 1 s",
    ]


def test_nothing_is_started_again_before_its_time(supervisor: Supervisor, clock: Clock, tmp_path: Path) -> None:
    supervisor.start(spec(tmp_path, READY, STAY))
    supervisor.wait_until_ready()
    child = supervisor.children[0]
    kill(child)
    until(stepping(supervisor, lambda: child.pid is None), "the death to be seen")

    clock.now += 0.49
    supervisor.step()

    assert child.pid is None


def test_an_end_with_code_0_is_a_death_too(supervisor: Supervisor, clock: Clock, tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    supervisor.start(spec(tmp_path, READY, f"open({str(lives)!r}, 'a').write('x')"))
    until(stepping(supervisor, lambda: supervisor.children[0].pid is None), "its end")

    clock.now += 1
    until(stepping(supervisor, lambda: lives.exists() and len(lives.read_text()) == 2), "a second life")


def test_nobody_is_started_before_the_server_is_back(supervisor: Supervisor, clock: Clock, tmp_path: Path) -> None:
    allowed = tmp_path / "server may serve"
    allowed.touch()
    server = spec(tmp_path, STAY, name="server", stage=Stage.SERVER, probe=allowed.exists)
    supervisor.start(server, spec(tmp_path, READY, STAY, name="worker"))
    supervisor.wait_until_ready()
    first, second = supervisor.children
    allowed.unlink()

    kill(first)
    kill(second)
    until(stepping(supervisor, lambda: first.pid is None and second.pid is None), "both deaths")
    clock.now += 1
    until(stepping(supervisor, lambda: first.pid is not None), "a new server")
    supervisor.step()
    assert second.pid is None

    allowed.touch()
    until(stepping(supervisor, lambda: first.ready and second.ready), "both")


def test_a_child_that_hangs_at_a_later_start_is_killed_and_tried_again(
    supervisor: Supervisor, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    once = tmp_path / "served once"
    lines = (
        "import os",
        f"if not os.path.exists({str(once)!r}):",
        f"    open({str(once)!r}, 'w')",
        f"    {READY}",
        STAY,
    )
    supervisor.start(spec(tmp_path, *lines, name="worker-1"))
    supervisor.wait_until_ready()
    child = supervisor.children[0]
    kill(child)
    until(stepping(supervisor, lambda: child.pid is None), "the death")
    clock.now += 1
    until(stepping(supervisor, lambda: child.pid is not None), "another one")

    clock.now += child.spec.start_timeout_s + 1
    until(stepping(supervisor, lambda: child.pid is None), "the end of one that hangs")

    assert "worker-1 does not become ready and is killed" in caplog.messages


def test_a_machine_that_refuses_a_start_is_asked_again(
    supervisor: Supervisor, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    supervisor.start(spec(logs, READY, STAY, name="worker-1"))
    supervisor.wait_until_ready()
    child = supervisor.children[0]

    logs.rename(tmp_path / "away")
    kill(child)
    until(stepping(supervisor, lambda: child.pid is None), "the death")
    clock.now += 1
    until(stepping(supervisor, lambda: "worker-1 can't be started" in caplog.text), "the refusal")

    (tmp_path / "away").rename(logs)
    clock.now += 2
    until(stepping(supervisor, lambda: child.ready), "a start")


# ----------------------------------------------------------------------------------------------------- ending


def notes_its_end(notes: Path, name: str) -> tuple[str, ...]:
    return (
        "import signal, sys",
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})",
        READY,
        "signal.sigwait({signal.SIGTERM})",
        f"open({str(notes)!r}, 'a').write({name!r} + ' ')",
    )


def test_the_front_ends_first_and_the_server_last(supervisor: Supervisor, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    for stage in Stage:
        supervisor.start(spec(tmp_path, *notes_its_end(notes, stage.name), name=stage.name, stage=stage))
    supervisor.wait_until_ready()

    supervisor.stop()

    assert notes.read_text().split() == ["FRONT", "WORK", "SERVER"]


IGNORES_SIGTERM = ("import signal", "signal.signal(signal.SIGTERM, signal.SIG_IGN)", READY, STAY)


def test_who_outlasts_its_grace_is_killed(
    stop: StopRequests, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor(stop)
    supervisor.start(spec(tmp_path, *IGNORES_SIGTERM, name="worker-1", grace_s=0.1))
    supervisor.wait_until_ready()

    supervisor.stop()

    assert "worker-1 did not end in its 0.1 s and was killed" in caplog.messages


def test_a_hurried_stop_gives_no_grace(stop: StopRequests, supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(spec(tmp_path, *IGNORES_SIGTERM, name="worker-1", grace_s=3_600))
    supervisor.wait_until_ready()
    stop.hurried = True

    supervisor.stop()

    assert supervisor.children[0].pid is None


def test_what_waits_for_its_next_start_needs_no_ending(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(spec(tmp_path, READY))
    child = supervisor.children[0]
    until(stepping(supervisor, lambda: child.pid is None), "its end")

    supervisor.stop()

    assert child.pid is None


def test_one_that_has_to_prove_that_it_serves_and_falls_silent_is_replaced(
    supervisor: Supervisor, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quiet = tmp_path / "quiet"
    lines = (
        "import os, time, signal",
        "signal.signal(signal.SIGTERM, lambda *_: None)",
        READY,
        f"while not os.path.exists({str(quiet)!r}):",
        "    os.write(int(os.environ['DESPACHO_READY_FD']), b'.')",
        "    time.sleep(0.005)",
        "time.sleep(60)",
    )
    supervisor.start(replace(spec(tmp_path, *lines, name="worker-1", grace_s=5), silence_s=30))
    supervisor.wait_until_ready()
    child = supervisor.children[0]
    first = child.pid

    try:
        for _ in range(10):
            clock.now += 20
            until(stepping(supervisor, lambda: supervisor._watched[0].heard_at == clock.now), "it is heard")
        assert child.pid == first

        quiet.touch()
        until(lambda: not child.was_heard(), "its silence")
        clock.now += 31
        until(
            stepping(supervisor, lambda: "worker-1 takes no tasks any more and is replaced" in caplog.messages), "it"
        )
        assert child.pid == first

        # It was given its time to end in order, and doesn't.
        clock.now += 6
        until(stepping(supervisor, lambda: child.pid is None), "its end")
        quiet.unlink()
        clock.now += 1
        until(stepping(supervisor, lambda: child.ready and child.pid != first), "another one")
    finally:
        child.kill()
