"""Where the processes of one machine write: a file each in the data directory, bounded by size.

Children write their files by themselves (`O_APPEND`), so that a supervisor that hangs or dies can't block or
lose a line. What the supervisor itself has to say goes to `despacho.log`, warnings also to stderr.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
import threading
from collections import deque
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from cli.log_lines import Format, formatter

MAX_LOG_BYTES = 10 << 20

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


def to_stderr(wanted: Format = "text") -> logging.Handler:
    """Where a process's own log goes: under `despacho up` it is the process's file."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(wanted))
    return handler


def log_to_stderr(level: str, wanted: Format) -> None:
    """Send all that this process logs to stderr, also what libraries log, warn of, or fail with."""
    logging.basicConfig(level=level.upper(), handlers=[to_stderr(wanted)])
    logging.captureWarnings(True)
    sys.excepthook = _log_failure
    threading.excepthook = lambda told: _log_failure(told.exc_type, told.exc_value, told.exc_traceback)


def _log_failure(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if error is None or issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    failed = threading.current_thread().name
    logging.getLogger("despacho").critical("%s failed", failed, exc_info=(kind, error, trace))


@contextlib.contextmanager
def supervision_logged(directory: Path, wanted: Format = "text") -> Iterator[None]:
    """Send the supervisor's log to `despacho.log` in `directory`, and warnings to stderr as well."""
    log.setLevel(logging.INFO)
    log.propagate = False
    handlers = (_file(directory / "despacho.log", wanted), _stderr())
    for handler in handlers:
        log.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


def _file(path: Path, wanted: Format) -> logging.Handler:
    handler = RotatingFileHandler(path, maxBytes=MAX_LOG_BYTES, backupCount=1, delay=True)
    handler.setFormatter(formatter(wanted))
    return handler


def _stderr() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("despacho: %(message)s"))
    return handler
