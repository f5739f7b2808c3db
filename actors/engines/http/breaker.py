"""A circuit breaker: a provider that keeps failing is left alone for a while, so that no task waits for it in vain.

All worker processes share one through Redis (`SharedBreaker`); while Redis is away each counts for itself.

It holds no lock, because a run may be interrupted at any bytecode: every step is one atomic operation on a list, a
dict or in Redis, and a probe that is lost to an interrupt is followed by another one.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol
from uuid import uuid4

from tasks.breakers import WorkersBreaker
from tasks.errors import Unavailable

log = logging.getLogger(__name__)

PROBED_WAIT_S = (0.25, 5.0)
"""How soon, and how late at most, those ask again who found a probe under way."""


@dataclass(frozen=True, slots=True)
class Pass:
    """The answer to one who wants to call: after `wait_s`, which is 0 for now. `token` names the call."""

    wait_s: float = 0.0
    token: str = ""


class Breaker(Protocol):
    """Says whether a call may be made and is told how it ends. A call that was interrupted is never told of."""

    name: str

    def ask(self) -> Pass: ...

    def succeeded(self, given: Pass) -> None: ...

    def failed(self, given: Pass, error: str) -> float:
        """`error` is the type of the failure. Returns for how many seconds no call is to be made; 0 for none."""


@dataclass(slots=True)
class _Open:
    since: float
    probes: dict[int, object] = field(default_factory=dict)

    def is_first_in(self, window: int) -> bool:
        """Whether nobody else has asked in this window of time. Those that are over are forgotten."""
        for over in [known for known in tuple(self.probes) if known < window]:
            self.probes.pop(over, None)
        mine = object()
        return self.probes.setdefault(window, mine) is mine


class ProcessBreaker:
    """The breaker of one provider in one process: opens after `failures` in a row, then lets one probe through in
    every `cooldown_s`. A probe that succeeds closes it."""

    name = "process"

    def __init__(self, failures: int = 5, cooldown_s: float = 30.0, clock: Callable[[], float] = monotonic) -> None:
        self._most = failures
        self._cooldown_s = cooldown_s
        self._clock = clock
        self._failures: list[float] = []
        self._open: _Open | None = None

    def allows(self) -> bool:
        opened = self._open
        if opened is None:
            return True
        window = int((self._clock() - opened.since) // self._cooldown_s)
        return window > 0 and opened.is_first_in(window)

    def ask(self) -> Pass:
        return Pass() if self.allows() else Pass(self._closed_for_s() or self._cooldown_s)

    def _closed_for_s(self) -> float:
        opened = self._open
        if opened is None:
            return 0.0
        return self._cooldown_s - (self._clock() - opened.since) % self._cooldown_s

    def succeeded(self, given: Pass = Pass()) -> None:  # noqa: ARG002
        self._failures = []
        self._open = None

    def failed(self, given: Pass = Pass(), error: str = "") -> float:  # noqa: ARG002
        if self._open is None:
            self._failures.append(self._clock())
            if len(self._failures) >= self._most:
                self._open = _Open(self._clock())
        return self._closed_for_s()


class SharedBreaker:
    """The breaker of one dependency over all worker processes. Each process keeps count of its own beside it, which
    decides while Redis is away."""

    def __init__(self, shared: WorkersBreaker) -> None:
        self.name = shared.name
        self._shared = shared
        self._own = ProcessBreaker(shared.failures, shared.cooldown_ms / 1_000)

    def ask(self) -> Pass:
        token = uuid4().hex
        try:
            saying = self._shared.ask(token)
        except Unavailable:
            return self._own.ask()
        if saying.lets_through:
            return Pass(0.0, token)
        return Pass(self._wait_s(saying.wait_ms / 1_000, probed=saying.says == "probed"), token)

    def _wait_s(self, left_s: float, *, probed: bool) -> float:
        """A little longer, at random, so that those who wait don't all come at once for the one probe. Where a probe
        is under way its end is near, and worth a look before it must have ended."""
        if probed:
            soonest, latest = PROBED_WAIT_S
            left_s = min(left_s, max(soonest, min(latest, self._shared.cooldown_ms / 4_000)))
        return left_s * random.uniform(1.0, 1.25)

    def succeeded(self, given: Pass) -> None:
        self._own.succeeded()
        try:
            if self._shared.succeeded(given.token):
                log.info("the breaker of %s is closed again", self.name)
        except Unavailable:
            log.debug("the breaker of %s was not told of a success", self.name)

    def failed(self, given: Pass, error: str) -> float:
        own_s = self._own.failed()
        try:
            wait_s = self._shared.failed(given.token, error) / 1_000
        except Unavailable:
            return own_s
        return self._wait_s(wait_s, probed=False)
