"""The workers of `--workers auto`, with tiny processes in their place and a backlog that the test tells."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.child import ChildSpec, Stage
from cli.crew import Crew
from cli.stop_requests import StopRequests
from cli.supervisor import Supervisor
from tasks.backlog import Load
from tasks.errors import Unavailable
from tasks.settings import Settings
from tests.unit.cli.conditions import until
from tests.unit.cli.stand_ins import READY, spec

WORKS = f"""
import signal, os, time
finish = []
signal.signal(signal.SIGUSR1, lambda *_: finish.append(1))
{READY}
while not (finish and os.path.exists(os.environ['WORK_DONE'])): time.sleep(0.01)
"""


class Weather:
    """The clock and what the tasks are like; both as the test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.load: Load | None = Load(0.0, 0)

    def clock(self) -> float:
        return self.now

    def look(self) -> Load:
        if self.load is None:
            raise Unavailable("away")
        return self.load


@pytest.fixture
def stop() -> Iterator[StopRequests]:
    requests = StopRequests()
    yield requests
    requests.close()


def test_workers_come_with_the_flood_and_retire_when_they_have_finished(
    stop: StopRequests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cli.supervisor.IDLE_S", 0.002)
    caplog.set_level(logging.INFO, "despacho.supervisor")
    done = tmp_path / "work is done"
    monkeypatch.setenv("WORK_DONE", str(done))
    weather = Weather()
    noted: list[list[str]] = []
    supervisor = Supervisor(
        stop, on_change=lambda children: noted.append([c.spec.name for c in children]), clock=weather.clock
    )
    settings = Settings(max_processes=3, scale_out_after_s=2, scale_in_after_s=60, threads=4)
    crew = Crew(settings, supervisor, worker_in(tmp_path), weather.look, weather.clock)
    supervisor.start(worker_in(tmp_path)(1))
    supervisor.wait_until_ready()

    def settles(condition: Callable[[], object], description: str) -> None:
        def step() -> object:
            supervisor.step()
            crew.tend()
            weather.now += 5
            return condition()

        until(step, description)

    try:
        weather.load = Load(9.0, 4)
        monkeypatch.setattr("cli.crew.available_bytes", lambda: 1 << 20)
        for _ in range(10):
            settles(lambda: True, "another look")
        assert len(supervisor.children) == 1

        monkeypatch.setattr("cli.crew.available_bytes", lambda: None)
        settles(lambda: len(supervisor.muster(Stage.WORK).ready) == 3, "three workers")
        for _ in range(20):
            settles(lambda: True, "another look")
        assert len(supervisor.children) == 3

        weather.load = None
        settles(lambda: weather.now > 500, "a long outage")
        assert len(supervisor.muster(Stage.WORK).ready) == 3

        weather.load = Load(0.0, 0)
        settles(lambda: supervisor.muster(Stage.WORK).retiring == ("worker-3",), "the newest retires")
        for _ in range(20):
            settles(lambda: True, "it is waited for")
        assert supervisor.muster(Stage.WORK).retiring == ("worker-3",)

        done.touch()
        settles(lambda: len(supervisor.children) == 1, "one is left")
        assert noted[-1] == ["worker-1"]
        warned = [r.message for r in caplog.records if r.levelno >= logging.WARNING]
        assert warned == ["there is no memory for another worker: 1 MiB are left"]
        assert "worker-3 has retired with exit code 0" in caplog.messages

        weather.load = Load(9.0, 4)
        settles(lambda: "worker-2" in supervisor.muster(Stage.WORK).ready, "the next flood")

        # One that is killed while it retires is not started again, and nothing is concluded from it.
        supervisor.retire("worker-2")
        next(child for child in supervisor.children if child.spec.name == "worker-2").kill()
        weather.load = Load(0.0, 0)
        settles(lambda: supervisor.muster(Stage.WORK).names == ("worker-1",), "it is dismissed")
        assert supervisor.muster(Stage.WORK).died_at is None
    finally:
        supervisor.stop()


def worker_in(logs: Path) -> Callable[[int], ChildSpec]:
    # Its start takes real time, which the clock of the test outruns.
    return lambda number: spec(logs, WORKS, name=f"worker-{number}", start_timeout_s=math.inf)
