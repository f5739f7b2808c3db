"""The processes of a case: the server, and whatever can be killed. Each leads a group of its own, which is killed as
a whole, and by its number only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import redis

from tests.conftest import valkey_binary, wait_until

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 60.0
ENDED_WITHIN_S = 60.0


class Process:
    """One process of ours and its forks."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, env=environment, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
            )

    @property
    def group(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.group, number)

    def kill(self) -> None:
        """kill -9, of the whole group."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> None:
        """SIGTERM to the first of the group, which is how a service manager ends it."""
        if self.alive:
            self._process.terminate()

    def wait(self) -> int:
        return self._process.wait(ENDED_WITHIN_S)


def python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


class Server:
    """A Valkey with the append-only file of `despacho up`, on a socket in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.socket = folder / "s"
        self.url = f"unix://{self.socket}"
        self.client = redis.Redis.from_url(self.url)
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        assert self._process is not None
        return self._process

    def start(self) -> None:
        # The socket's file outlives a killed server.
        self.socket.unlink(missing_ok=True)
        options = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self._folder), "--save", ""]
        durable = ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]
        self._process = Process([valkey_binary(), *options, *durable], dict(os.environ), self._folder / "server.log")
        wait_until(self._answers, "the server answers")

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def close(self) -> None:
        self.client.close()
        if self._process is not None:
            self._process.kill()
