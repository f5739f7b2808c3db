"""Small processes that stand in for the real ones under `despacho up`: each serves, says so, and notes its end.

Run as `python -m tests.system.up_stand_ins ROLE`. What they note goes to the file that `STAND_IN_NOTES` names.
"""

from __future__ import annotations

import http.server
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cli.child import ChildSpec, Stage
from cli.main import told_in_one_line
from cli.program import environment
from cli.up import up
from tasks.readiness import announce_ready
from tasks.settings import Settings

STUBBORN = "STAND_IN_STUBBORN"
"""With this in the environment, a worker ignores SIGTERM."""


def note(line: str) -> None:
    with Path(os.environ["STAND_IN_NOTES"]).open("a") as notes:
        notes.write(f"{line}\n")


def redis(*words: str) -> bytes:
    """One command to the server of DESPACHO_REDIS_URL, which is a unix socket; the raw answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        client.connect(unquote(urlsplit(os.environ["DESPACHO_REDIS_URL"]).path))
        parts = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        client.sendall(f"*{len(words)}\r\n{parts}".encode())
        return client.recv(4096)


def gateway() -> None:
    port = int(os.environ["DESPACHO_PORT"])
    # Before the thread starts, which inherits it: the signal must wait for sigwait.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    serve_until_told("gateway", lambda: note("gateway ended"))


def scheduler() -> None:
    serve_until_told("scheduler", lambda: note("scheduler ended"))


def worker() -> None:
    redis("INCR", "workers-started")
    if STUBBORN in os.environ:
        signal.signal(signal.SIGTERM, lambda *_: note("worker told to end"))
        serve_for_ever("worker")
    serve_until_told("worker", finish_work)


def finish_work() -> None:
    """What a draining worker needs the server for."""
    note(f"worker ended, server said {redis('INCR', 'workers-ended')[:1].decode()}")


def serve_until_told(role: str, at_end: Callable[[], None]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    note(f"{role} serves")
    announce_ready()
    signal.sigwait({signal.SIGTERM})
    at_end()


def serve_for_ever(role: str) -> None:
    note(f"{role} serves")
    announce_ready()
    while True:
        signal.pause()


def program(settings: Settings, logs: Path) -> tuple[ChildSpec, ...]:
    return (
        _spec("worker", Stage.WORK, settings, logs, settings.drain_timeout_s),
        _spec("scheduler", Stage.FRONT, settings, logs, 2.0),
        _spec("gateway", Stage.FRONT, settings, logs, 2.0),
    )


def _spec(role: str, stage: Stage, settings: Settings, logs: Path, grace_s: float) -> ChildSpec:
    command = (sys.executable, "-m", "tests.system.up_stand_ins", role)
    return ChildSpec(role, stage, command, environment(settings), logs / f"{role}.log", grace_s)


def main(role: str) -> int:
    if role == "up":
        return told_in_one_line(lambda: up(Settings.load(), program))
    {"gateway": gateway, "scheduler": scheduler, "worker": worker}[role]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
