"""Waiting for a condition that has a name, instead of for a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_NEVER = threading.Event()


def pause(seconds: float) -> None:
    """For code that takes its way of pausing as an argument."""
    _NEVER.wait(seconds)


def until(condition: Callable[[], object], description: str, timeout_s: float = 15.0) -> None:
    """Return as soon as `condition` holds; fail with its description if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not in {timeout_s:g} s: {description}"
        pause(0.01)
