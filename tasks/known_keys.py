"""What a gateway process remembers of the API keys that it has checked, so that a request costs no question to Redis.

A revocation counts at once: it is told on a channel, and what was remembered is forgotten. So nothing is remembered
while that channel isn't heard, and nothing that was read before the last word on it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

V = TypeVar("V")

REMEMBERED_AT_MOST = 10_000
REMEMBERED_MS = 30_000
"""A net below the channel, which tells of every change."""


@dataclass(frozen=True, slots=True)
class Known(Generic[V]):
    key_id: str
    value: V
    until_ms: int


class KnownKeys(Generic[V]):
    """Values by the digest of a token."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Known[V]] = OrderedDict()
        self._is_heard = False
        self._words = 0

    def hear(self) -> None:
        """Revocations are heard from now on."""
        self._is_heard = True

    def go_deaf(self) -> None:
        """Revocations may be missed from now on."""
        self._is_heard = False
        self._words += 1
        self._known.clear()

    def forget(self, key_id: str) -> None:
        """This key was changed."""
        self._words += 1
        for digest in [digest for digest, known in self._known.items() if known.key_id == key_id]:
            del self._known[digest]

    @property
    def moment(self) -> int:
        """Taken before a key is read, and given to `remember` with what was read."""
        return self._words

    def remember(self, digest: str, key_id: str, value: V, now_ms: int, moment: int) -> None:
        if self._is_heard and moment == self._words:
            self._known[digest] = Known(key_id, value, now_ms + REMEMBERED_MS)
            while len(self._known) > REMEMBERED_AT_MOST:
                self._known.popitem(last=False)

    def get(self, digest: str, now_ms: int) -> V | None:
        known = self._known.get(digest)
        return known.value if known is not None and known.until_ms > now_ms else None
