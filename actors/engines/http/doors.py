"""How many may be out at a time, so that receivers which take their time don't take all threads of a worker.

As the breaker it holds no lock, because a run may be interrupted at any bytecode: every step is one atomic operation
on a dict, and what an interrupt left behind is forgotten after a while. A breaker per host would be asked here too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from tasks.errors import NotNow

AT_ONE_HOST = 2
FIRST_WAIT_S = 0.5
DOUBLED_AT_MOST = 11
"""Up to some 17 minutes."""


class Doors:
    """`most` of one process may be out, two of them at one host; nobody is out for longer than `longest_s`."""

    def __init__(self, most: int, longest_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._longest_s = longest_s
        self._clock = clock
        self._out: dict[object, tuple[str, float]] = {}

    @contextmanager
    def through(self, host: str, put_off_before: int = 0) -> Iterator[None]:
        """Raises `NotNow` where too many are out: half a second later, and twice as much each time that one was
        put off before, so that a long row before a slow receiver is not looked at all the time; at random, so that
        they don't come back at once."""
        me = object()
        # In first, counted then: of two that come at once, both may be too many, but never one too many be let out.
        self._out[me] = (host, self._clock())
        try:
            if not self._have_room(host):
                raise NotNow(FIRST_WAIT_S * 2.0 ** min(put_off_before, DOUBLED_AT_MOST) * random.uniform(0.5, 1.5))
            yield
        finally:
            self._out.pop(me, None)

    def _have_room(self, host: str) -> bool:
        since = self._clock() - 2 * self._longest_s
        # `dict.copy` is one step for the interpreter; iterating is many.
        out = self._out.copy()
        for over in [key for key, (_, at) in out.items() if at < since]:
            self._out.pop(over, None)
        going_on = [where for where, at in out.values() if at >= since]
        return len(going_on) <= self._most and going_on.count(host) <= AT_ONE_HOST
