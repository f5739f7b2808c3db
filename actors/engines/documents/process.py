"""The engine's side of the reading process: start it, give it an order, hear its replies, kill it.

Waiting is done in short steps of Python code, because an interrupt (time limit, cancellation) is raised between
two bytecodes and would never be heard inside a blocking call.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections import deque
from pathlib import Path

from pydantic import ValidationError

from actors.engines.documents.protocol import Order, Reply, decode_reply, encode

_STEP_MS = 20
_CHUNK = 1 << 18
_ROOT = Path(__file__).resolve().parents[3]
_INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TESSDATA_PREFIX", "SYSTEMROOT")


class ProcessGoneError(Exception):
    """The reading process ended on its own: it was idle for long, could not start, or was killed from outside."""


class ReadingProcess:
    """One running `reader`, its two pipes and its private folder. It serves one order at a time."""

    def __init__(self) -> None:
        self._workspace = tempfile.mkdtemp(prefix="despacho-reader-")
        self._buffer = bytearray()
        self._lines: deque[bytes] = deque()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "actors.engines.documents.reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=self._workspace,
            env=_environment(self._workspace),
            start_new_session=True,
        )

    def send(self, order: Order) -> None:
        """Raises `ProcessGoneError` when nobody listens any more."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(encode(order))
        except OSError as error:
            raise ProcessGoneError from error

    def receive(self) -> Reply:
        """The next reply. Raises `ProcessGoneError` at the end of the pipe."""
        while True:
            while self._lines:
                with contextlib.suppress(ValidationError):  # a child killed in mid-line leaves a torn one
                    return decode_reply(self._lines.popleft())
            self._read_some()

    def _read_some(self) -> None:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        while not poll.poll(_STEP_MS):
            pass
        part = os.read(pipe, _CHUNK)
        if not part:
            raise ProcessGoneError
        self._take(part)

    def _take(self, part: bytes) -> None:
        head, newline, rest = part.rpartition(b"\n")
        if not newline:
            self._buffer += part
            return
        self._lines.extend((bytes(self._buffer) + head).split(b"\n"))
        self._buffer = bytearray(rest)

    def kill(self) -> None:
        """End it and the child that reads, at once, and remove what they wrote."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()
        shutil.rmtree(self._workspace, ignore_errors=True)


def _environment(workspace: str) -> dict[str, str]:
    """What the reader may know: nothing of the service's secrets, and no home folder to leave a cache in."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    private = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), workspace)
    single_threaded = {"OMP_THREAD_LIMIT": "1", "OPENBLAS_NUM_THREADS": "1"}
    return inherited | private | single_threaded | {"PYTHONPATH": path, "PYTHONUTF8": "1"}


class ReadingProcesses:
    """Idle reading processes kept warm, as starting one costs half a second of CPU.

    Taking and giving back are single operations on a deque, so threads share it without a lock.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._idle: deque[ReadingProcess] = deque()
        self._finalizer = weakref.finalize(self, _kill_all, self._idle)

    def take(self) -> ReadingProcess:
        """Raises `ProcessGoneError` when none is idle and none can be started."""
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        try:
            return ReadingProcess()
        except OSError as error:
            raise ProcessGoneError from error

    def give_back(self, process: ReadingProcess) -> None:
        if self._finalizer.alive and len(self._idle) < self._keep:
            self._idle.append(process)
        else:
            process.kill()

    def close(self) -> None:
        """Kill the idle ones; those at work are killed when they are given back."""
        self._finalizer()


def _kill_all(idle: deque[ReadingProcess]) -> None:
    while idle:
        idle.pop().kill()
