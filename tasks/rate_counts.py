"""How often somebody did something in one minute, over all gateway processes. Subjects are kept as hashes only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.api_keys import digest
from tasks.connection import AsyncRedis
from tasks.keys import Keys
from tasks.redis_faults import redis_faults
from tasks.settings import Settings

WINDOW_S = 60


@dataclass(frozen=True, slots=True)
class Hits:
    """`count` hits of a subject in a window (its number since 1970); `kind` says what of."""

    kind: str
    subject: str
    window: int
    count: int = 1


class RateCounts:
    """The counters. Raises `Unavailable` when Redis is away."""

    def __init__(self, client: AsyncRedis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)

    async def add(self, hits: Sequence[Hits]) -> list[int]:
        """Count these; returns how many there are of each now, in one round trip."""
        pipe = self._client.pipeline(transaction=True)
        for some in hits:
            name = self._keys.of("rate", kind=some.kind, digest=digest(some.subject)[:32], window=str(some.window))
            pipe.incrby(name, some.count)
            pipe.expire(name, 2 * WINDOW_S)
        with redis_faults():
            answers = await pipe.execute()
        return list(answers[::2])
