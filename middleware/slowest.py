"""Which runs of a worker process were slow for their type: the few slowest of each hour, for the reports.

Whatever is among the slowest of all workers is among the slowest of its own, so a worker tells the ledger of these
few alone, and all other ends cost nothing.
"""

from __future__ import annotations

from bisect import insort
from threading import Lock

KEPT = 5
"""As many as the ledger keeps of a type in an hour (tasks/lua/counting.lua)."""
HOUR_MS = 3_600_000


class Slowest:
    """Remembers the longest runs of the present hour, by the worker's clock."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._hour = -1
        self._of_type: dict[str, list[float]] = {}

    def is_among(self, task_name: str, ms: float, now: int) -> bool:
        """Whether a run that took `ms` and ends `now` (ms since 1970) is one of them so far."""
        with self._lock:
            if now // HOUR_MS != self._hour:
                self._hour, self._of_type = now // HOUR_MS, {}
            known = self._of_type.setdefault(task_name, [])
            if len(known) >= KEPT and ms <= known[0]:
                return False
            insort(known, ms)
            del known[:-KEPT]
            return True
