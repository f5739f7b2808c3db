"""A circuit breaker: a provider that keeps failing is left alone for a while, so that no task waits for it in vain.

It holds no lock, because a run may be interrupted at any bytecode: every step is one atomic operation on a list or a
dict, and a probe that is lost to an interrupt is followed by another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol


class Breaker(Protocol):
    """Told how calls end, says whether one may be made. A call that was interrupted is never told of."""

    def allows(self) -> bool: ...

    def succeeded(self) -> None: ...

    def failed(self) -> None: ...


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

    def succeeded(self) -> None:
        self._failures = []
        self._open = None

    def failed(self) -> None:
        if self._open is not None:
            return
        self._failures.append(self._clock())
        if len(self._failures) >= self._most:
            self._open = _Open(self._clock())
