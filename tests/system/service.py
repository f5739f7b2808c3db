"""A whole Despacho as its users start it: `despacho up` as a process, with its real workers and engines."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
READY = "Despacho is ready: "
READY_WITHIN_S = 60.0
ENDED_WITHIN_S = 30.0


class RunningService:
    """One `despacho up` in `data_dir`, from ready to ended: `with RunningService(tmp_path / "data") as service`.

    `url` is where it answers, `key` its admin key. Raises `AssertionError`, with all that it said, when it does not
    become ready.
    """

    def __init__(self, data_dir: Path, processes: int = 1, threads: int = 4, **environment: str) -> None:
        self.data_dir = data_dir
        self.url = ""
        self._sizes = ("--processes", str(processes), "--threads", str(threads))
        self._environment = environment
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._said: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def key(self) -> str:
        return (self.data_dir / "admin.key").read_text().strip()

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the service was not started"
        return self._process

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "up", "--data-dir", str(self.data_dir), "--port", "0", *self._sizes],
            cwd=ROOT,
            env={**inherited(), **self._environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader.start()
        try:
            self.url = self._until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the service to end and wait for it; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(ENDED_WITHIN_S)
        finally:
            self.process.kill()
            self._reader.join(ENDED_WITHIN_S)

    def _until_ready(self) -> str:
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            line = self._next_line(deadline)
            if line.startswith(READY):
                return line.removeprefix(READY).strip().rstrip("/")

    def _next_line(self, deadline: float) -> str:
        try:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"not ready within {READY_WITHIN_S:g} s; it said: {self._said}") from None
        assert line is not None, f"it ended before it was ready; it said: {self._said}"
        self._said.append(line)
        return line

    def _read(self) -> None:
        """Keep the pipe empty, so that the service is never held up by what it prints."""
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)


def inherited() -> dict[str, str]:
    """The environment without settings of Despacho, which would reach into the service under test."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DESPACHO_")}
