"""What a case asks of a system under test, in words that fit both."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.conftest import wait_until
from tests.faults.processes import READY_WITHIN_S, Process, Server
from tests.faults.proxy import Breaks, Proxy
from tests.faults.recording import FOLDER, SLOTS, Line
from tests.faults.staging import Moment


@dataclass(frozen=True, slots=True)
class Scale:
    """How much a case does: the short form keeps a build quick, the long one keeps every default."""

    long: bool
    patience_s: float

    def tasks(self, count: int) -> int:
        return count * 3 if self.long else count


class System(ABC):
    """A task system over one server, with its files in one folder."""

    name: ClassVar[str]
    moments: ClassVar[Mapping[Moment, re.Pattern[bytes]]]

    def __init__(self, folder: Path, server: Server, scale: Scale) -> None:
        self.folder = folder
        self.server = server
        self.scale = scale
        self.processes: list[Process] = []
        self.killed: set[int] = set()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DESPACHO_")},
            FOLDER: str(folder),
        }

    # ------------------------------------------------------------------------------------------ processes

    @abstractmethod
    def start_worker(self, threads: int = 4, url: str = "", **environment: str) -> Process:
        """A worker process; ready when this returns. `url` leads it over a proxy."""

    @abstractmethod
    def start_scheduler(self, begin: float, minute_s: float, url: str = "") -> Process:
        """A scheduler whose one task is due every `minute_s`, counted from `begin`."""

    def due_slots(self, lines: Sequence[Line]) -> Iterable[int]:
        """The slots that must have been executed: all from the first to the last."""
        numbers = {line.number for line in lines}
        return range(min(numbers), max(numbers) + 1) if numbers else ()

    def untold_slots(self) -> list[str]:
        """What is wrong with the count of slots that were missed; nothing, where there is no such count."""
        return []

    def spawn(self, command: Sequence[str], **environment: str) -> Process:
        process = Process(command, {**self.environment, **environment}, self.folder / "log")
        self.processes.append(process)
        return process

    def until_ready(self, process: Process) -> Process:
        ready = self.folder / f"ready.{process.group}"
        wait_until(lambda: ready.exists() or not process.alive, "a process is ready", READY_WITHIN_S)
        assert ready.exists(), f"it ended at its start: {(self.folder / 'log').read_text()[-2_000:]}"
        return process

    def kill(self, process: Process) -> None:
        process.kill()
        self.killed.add(process.group)

    @staticmethod
    def slots(begin: float, minute_s: float) -> dict[str, str]:
        return {SLOTS: f"{begin},{minute_s}"}

    def close(self) -> None:
        for process in self.processes:
            process.kill()

    # ---------------------------------------------------------------------------------------------- tasks

    @abstractmethod
    def submit(
        self, numbers: Iterable[int], *, work_s: float = 0.0, fails: bool = False, delay_s: float = 0.0
    ) -> None:
        """Queue a task of each number. With `fails` its first execution raises, and it is repeated after 2 to 4 s."""

    @abstractmethod
    def submit_over(self, proxy: Proxy, numbers: Iterable[int]) -> None:
        """Queue over the proxy, one by one, as a client that repeats what got no answer."""

    @abstractmethod
    def submit_and_be_killed(self, proxy: Proxy, breaks: Breaks, number: int) -> None:
        """What takes a client's submit in is killed before it answers; the client repeats it."""

    @abstractmethod
    def submit_dead(self, numbers: Iterable[int]) -> None:
        """Queue tasks that become dead letters at their first failure."""

    # ------------------------------------------------------------------------------------ the store's side

    @abstractmethod
    def left(self) -> set[int]:
        """Those that the store still has waiting or running."""

    def untrue(self, lines: Sequence[Line]) -> set[int]:
        """Those whose record tells it otherwise than their executions; nobody's, where there are no records."""
        return set()

    @abstractmethod
    def sweep(self) -> None:
        """What the system does every few minutes to mend itself, now; nothing, where it has no such thing."""

    @abstractmethod
    def deliver_again(self, numbers: Collection[int]) -> None: ...

    @abstractmethod
    def garble(self, ticket: int, payload: int) -> None:
        """Make one task's message and another's payload unreadable. Where the message is the payload, both alike."""

    @abstractmethod
    def dashboard(self) -> Any:
        """dramatiq-dashboard as an ASGI application."""

    @abstractmethod
    def queue_of(self, number: int) -> tuple[str, str]:
        """How the dashboard calls a task's queue, and its message."""

    @property
    @abstractmethod
    def quiet_s(self) -> float:
        """How long nothing may begin after all has ended: as long as it takes to be taken for dead by mistake."""
