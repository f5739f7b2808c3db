"""Where the processes of one machine write: a file each in the data directory, bounded by size.

Children write their files by themselves (`O_APPEND`), so that a supervisor that hangs or dies can't block or
lose a line. What the supervisor itself has to say goes to `despacho.log`, warnings also to stderr.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import traceback
from collections import deque
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

MAX_LOG_BYTES = 10 << 20
LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"

log = logging.getLogger("despacho.supervisor")


def trim(path: Path) -> None:
    """Keep a log that grew over `MAX_LOG_BYTES` as `<name>.log.1` and start it anew.

    Copied and emptied rather than renamed: the process that has it open writes on, into the empty file. A line
    written between the two steps is lost.
    """
    try:
        if path.stat().st_size > MAX_LOG_BYTES:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
            os.truncate(path, 0)
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("the log %s can't be shortened: %s", path, error.strerror)


def last_lines(path: Path, count: int = 5) -> list[str]:
    """The last lines of a log that hold something, oldest first; none if it can't be read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return list(deque((line.rstrip() for line in lines if line.strip()), maxlen=count))
    except OSError:
        return []


class WordlessFormatter(logging.Formatter):
    """Tells of an exception its type and where it was raised, without its text: that may quote what a client said."""

    def __init__(self) -> None:
        super().__init__(LINE)

    def formatException(self, ei: Any) -> str:  # noqa: N802 (the name is logging's)
        _, error, trace = ei
        frames = "".join(traceback.format_tb(trace)).rstrip()
        return f"Traceback (most recent call last):\n{frames}\n{' from '.join(_types(error))}"


def _types(error: BaseException | None) -> Iterator[str]:
    """What an exception is, and what it came from."""
    told: set[int] = set()
    while error is not None and id(error) not in told:
        told.add(id(error))
        yield type(error).__qualname__
        error = error.__cause__ or error.__context__


def to_stderr() -> logging.Handler:
    """Where a process's own log goes: under `despacho up` it is the process's file."""
    handler = logging.StreamHandler()
    handler.setFormatter(WordlessFormatter())
    return handler


@contextlib.contextmanager
def supervision_logged(directory: Path) -> Iterator[None]:
    """Send the supervisor's log to `despacho.log` in `directory`, and warnings to stderr as well."""
    log.setLevel(logging.INFO)
    log.propagate = False
    handlers = (_file(directory / "despacho.log"), _stderr())
    for handler in handlers:
        log.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


def _file(path: Path) -> logging.Handler:
    handler = RotatingFileHandler(path, maxBytes=MAX_LOG_BYTES, backupCount=1, delay=True)
    handler.setFormatter(logging.Formatter(LINE))
    return handler


def _stderr() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("despacho: %(message)s"))
    return handler
