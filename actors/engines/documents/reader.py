"""The process that reads files, started as `python -m actors.engines.documents.reader`.

It loads the libraries once, then forks one child per document: a clean copy each time, whose memory, time and
crash are its own. It has one thread only, so forking is safe here, as it would not be in a worker. It ends when
its standard input closes, which is how it hears that the engine's process is gone, however that came about.

It is not for direct use: `process.ReadingProcess` speaks to it, in the words of `protocol`.
"""

from __future__ import annotations

import gc
import os
import select
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from actors.engines.documents.limits import bind_process
from actors.engines.documents.protocol import End, Order, Reply, decode_order, encode

IDLE_SECONDS = 300.0
_ORDERS = 0


def main() -> None:
    """Serve orders from standard input until it closes or nothing comes for `IDLE_SECONDS`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = _reserve_standard_output()
    workspace = Path(tempfile.gettempdir())
    _load_libraries()
    try:
        while (order := _next_order()) is not None:
            end = _read_in_child(order, replies)
            _empty(workspace)
            _write(replies, end)
    except BrokenPipeError:
        pass
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def _reserve_standard_output() -> int:
    """Keep the pipe to the engine for replies alone: what a C library prints must not tear a line."""
    replies = os.dup(1)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.close(silence)
    return replies


def _load_libraries() -> None:
    """Everything that costs time once, imports and compiled patterns, so that a forked child has it already."""
    import kreuzberg  # noqa: F401
    import pypdfium2  # noqa: F401

    from actors.engines.documents.analysis import rehearse

    rehearse()
    gc.collect()
    gc.freeze()  # keeps the collector of each child from copying these pages


def _next_order() -> Order | None:
    line = bytearray()
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([_ORDERS], [], [], IDLE_SECONDS)
        part = os.read(_ORDERS, 1 << 16) if ready else b""
        if not part:
            return None
        line += part
    return decode_order(bytes(line))


def _read_in_child(order: Order, replies: int) -> End:
    alive, held_by_child = os.pipe()
    reader = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(alive)
        _become_child(order, replies, reader)
    os.close(held_by_child)
    timed_out = _await_end(child, alive, order.limits.seconds)
    os.close(alive)
    _, status = os.waitpid(child, 0)
    killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    if timed_out is None:
        raise BrokenPipeError
    return End(
        timed_out=timed_out or killed_by == signal.SIGXCPU, signal=killed_by, status=os.waitstatus_to_exitcode(status)
    )


def _become_child(order: Order, replies: int, reader: int) -> NoReturn:
    """Never returns into the reader's loop, whatever happens: two processes would then serve one pipe."""
    status = 1
    try:
        bind_process(order.limits, reader)
        _silence_input()
        _analyze(order, replies)
        status = 0
    finally:
        os._exit(status)


def _silence_input() -> None:
    silence = os.open(os.devnull, os.O_RDONLY)
    os.dup2(silence, _ORDERS)
    os.close(silence)


def _analyze(order: Order, replies: int) -> None:
    from actors.engines.documents.analysis import analyze

    _write(replies, analyze(order, lambda reply: _write(replies, reply)))


def _await_end(child: int, alive: int, seconds: float) -> bool | None:
    """Wait until the child lets go of its end of `alive`; kill it when time is up (True) or the engine is gone
    (None)."""
    until = time.monotonic() + seconds
    ready, _, _ = select.select([alive, _ORDERS], [], [], max(0.0, until - time.monotonic()))
    if alive in ready:
        return False
    os.kill(child, signal.SIGKILL)
    return None if ready else True


def _write(replies: int, reply: Reply) -> None:
    data = memoryview(encode(reply))
    while data:
        data = data[os.write(replies, data) :]


def _empty(workspace: Path) -> None:
    for entry in workspace.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
