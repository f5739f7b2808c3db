"""A circuit breaker: a provider that keeps failing is left alone for a while, so that no task waits for it in vain.

It holds no lock, because a run may be interrupted at any bytecode: every step is one atomic operation on a list or a
dict, and a probe that is lost to an interrupt is followed by another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

FAILURES = 5
COOLDOWN_S = 30.0


class Breaker(Protocol):
    """Told how calls end, says whether one may be made."""

    def allows(self) -> bool: ...

    def succeeded(self) -> None: ...

    def failed(self) -> None: ...


@dataclass(slots=True)
class _Open:
    since: float
    probes: dict[int, object] = field(default_factory=dict)


class ProcessBreaker:
    """The breaker of one provider in one process: opens after five failures in a row, then lets one probe through in
    every thirty seconds. A probe that succeeds closes it."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures: list[float] = []
        self._open: _Open | None = None

    def allows(self) -> bool:
        opened = self._open
        if opened is None:
            return True
        window = int((self._clock() - opened.since) // COOLDOWN_S)
        mine = object()
        return window > 0 and opened.probes.setdefault(window, mine) is mine

    def succeeded(self) -> None:
        self._failures = []
        self._open = None

    def failed(self) -> None:
        self._failures.append(self._clock())
        if self._open is None and len(self._failures) >= FAILURES:
            self._open = _Open(self._clock())
