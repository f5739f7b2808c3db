"""The data directory as a place that belongs to one `despacho up` at a time.

The lock is a flock(2) that the embedded server inherits: as long as any process of ours can write the append-only
file, nobody else can start there. Two servers on one such folder lose data.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cli.embedded import remove_private_socket
from cli.processes import POLL_S, Pause, ProcessId, end_all
from cli.state import State, read_state, remove_state, write_state
from tasks.errors import SettingsError

LOCK_FILE = ".lock"
LOG_DIR = "logs"

ORPHAN_PATIENCE_S = 15.0
"""How long a lock may still be held by what a killed supervisor left."""

UNKNOWN_PATIENCE_S = 2.0
"""How long a lock may be held by someone who has not yet written who it is."""


def prepared(data_dir: Path) -> Path:
    """The absolute path of a directory that can be written; made if there is none, for this user alone.

    Raises `SettingsError`.
    """
    try:
        directory = data_dir.expanduser().absolute()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
        (directory / LOG_DIR).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unwritable(data_dir, error) from None
    return directory


@contextlib.contextmanager
def claimed(data_dir: Path, pause: Pause) -> Iterator[int]:
    """Own the directory, and yield the descriptor of its lock to be handed to the embedded server.

    Leftovers of a killed supervisor are ended first. Raises `SettingsError` if another `despacho up` lives there.
    """
    lock = _open_lock(data_dir)
    try:
        _take(lock, data_dir, pause)
        _end_leftovers(read_state(data_dir), data_dir, pause)
        write_state(data_dir, State(this_process(), socket=None, children={}))
        try:
            yield lock
        finally:
            remove_state(data_dir)
    finally:
        os.close(lock)


def this_process() -> ProcessId:
    return ProcessId.of(os.getpid(), "")


def _open_lock(data_dir: Path) -> int:
    try:
        return os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(data_dir, error) from None


def _take(lock: int, data_dir: Path, pause: Pause) -> None:
    began = time.monotonic()
    while not _locked(lock, data_dir):
        holder = read_state(data_dir)
        _refuse_if_alive(holder, data_dir)
        if time.monotonic() - began > (ORPHAN_PATIENCE_S if holder else UNKNOWN_PATIENCE_S):
            raise _in_use(data_dir, "a process that can't be told")
        # Of the state as it was judged: read again, it could be that of a new owner, with living children.
        _end_leftovers(holder, data_dir, pause)
        pause(POLL_S)


def _locked(lock: int, data_dir: Path) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _unwritable(data_dir, error) from None
    return True


def _refuse_if_alive(holder: State | None, data_dir: Path) -> None:
    if holder is not None and holder.supervisor.alive:
        raise _in_use(data_dir, f"Despacho already (process {holder.supervisor.pid})")


def _end_leftovers(left: State | None, data_dir: Path, pause: Pause) -> None:
    if left is None:
        return
    if not end_all(left.processes, pause):
        raise _in_use(data_dir, f"processes that won't end: {_alive(left)}")
    remove_private_socket(left.socket)


def _alive(left: State) -> str:
    return ", ".join(f"{name} ({process.pid})" for name, process in left.children.items() if process.alive)


def _in_use(directory: Path, by: str) -> SettingsError:
    return SettingsError(
        f"the data directory {directory} is used by {by}. "
        "Stop that first, or name another with --data-dir or DESPACHO_DATA_DIR."
    )


def _unwritable(directory: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"the data directory {directory} can't be written ({error.strerror}). "
        "Name another with --data-dir or DESPACHO_DATA_DIR."
    )
