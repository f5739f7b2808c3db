"""Log handlers that an interrupt can't leave locked.

A handler takes a lock for each line. An interrupt that hit a thread in there could leave it taken, and every thread
that logs after that would wait for ever. So it is held back until the line is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from middleware.interrupts import Interrupts


def shield_log_handlers(interrupts: Interrupts) -> None:
    """To be called once by a process that interrupts its threads, when its handlers are set up."""
    for handler in logging.getLogger().handlers:
        handler.handle = _shielded(handler.handle, interrupts)  # type: ignore[assignment, method-assign]


def _shielded(
    handle: Callable[[logging.LogRecord], bool], interrupts: Interrupts
) -> Callable[[logging.LogRecord], bool]:
    def handle_undisturbed(record: logging.LogRecord) -> bool:
        with interrupts.held_back():
            return handle(record)

    return handle_undisturbed
