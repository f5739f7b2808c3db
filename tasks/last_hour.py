"""The last hour as the counters tell it, minute by minute: what happened to each queue and type of task, and when.

A minute that has been over for a while is counted no more, so what it came to is remembered, and whoever asks again
reads the few minutes that still change. It changes nothing and decides nothing.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from tasks.clock import now_ms, rfc3339
from tasks.connection import AsyncRedis
from tasks.keys import Keys
from tasks.redis_faults import redis_faults
from tasks.statistics import Figures, by_task, ended, merged, percentiles

MINUTES = 60
COUNTED = ("succeeded", "failed", "cancelled", "retried")
STILL_COUNTED = 2
"""The last minutes that may still change: clocks differ a little."""
REMEMBERED = 8 * MINUTES
"""Minutes, of all who ask together: some megabytes at most."""

Minute = dict[tuple[str, str], Figures]
"""The figures of one minute by queue and task name."""


class LastHour:
    """The figures of `MINUTES` minutes, oldest first; the last one is not over yet."""

    def __init__(self, minutes: Mapping[int, Minute]) -> None:
        self._minutes = minutes

    def by_queue(self) -> dict[str, Figures]:
        return self._summed(0)

    def by_name(self) -> dict[str, Figures]:
        return self._summed(1)

    def _summed(self, part: int) -> dict[str, Figures]:
        found: dict[str, list[Figures]] = defaultdict(list)
        for of_task, figures in itertools.chain.from_iterable(minute.items() for minute in self._minutes.values()):
            found[of_task[part]].append(figures)
        return {name: merged(all_figures) for name, all_figures in found.items()}

    def throughput_per_minute(self) -> float:
        return round(ended(figures for minute in self._minutes.values() for figures in minute.values()) / MINUTES, 2)

    def as_json(self) -> list[dict[str, Any]]:
        """Each minute with what ended in it and how long that waited and ran, over all queues."""
        return [_minute(minute, merged(figures.values())) for minute, figures in self._minutes.items()]


def _minute(minute: int, figures: Figures) -> dict[str, Any]:
    return {
        "at": rfc3339(minute * 60_000),
        **{name: figures.counts[name] for name in COUNTED},
        "wait_ms": percentiles(figures.wait),
        "run_ms": percentiles(figures.run),
    }


class LastHourReader:
    """Reads the last hour of some tenants."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._over: OrderedDict[tuple[tuple[str, ...], int], Minute] = OrderedDict()

    async def read(self, tenants: Sequence[str]) -> LastHour:
        """Raises `Unavailable` when Redis is away."""
        whose, this_minute = tuple(tenants), now_ms() // 60_000
        wanted = range(this_minute - MINUTES + 1, this_minute + 1)
        unknown = [minute for minute in wanted if (whose, minute) not in self._over]
        read = dict(zip(unknown, await self._read(whose, unknown), strict=True))
        found = {minute: read[minute] if minute in read else self._over[whose, minute] for minute in wanted}
        self._remember(whose, {minute: read[minute] for minute in unknown if minute <= this_minute - STILL_COUNTED})
        return LastHour(found)

    async def _read(self, tenants: Sequence[str], minutes: Sequence[int]) -> Iterable[Minute]:
        pipe = self._client.pipeline(transaction=False)
        for minute, tenant in itertools.product(minutes, tenants):
            pipe.hgetall(self._keys.of("stats", tenant=tenant, minute=str(minute)))
        with redis_faults():
            hashes = cast(list[dict[bytes, bytes]], await pipe.execute())
        many = len(tenants)
        return [by_task(hashes[place * many : (place + 1) * many]) for place in range(len(minutes))]

    def _remember(self, tenants: tuple[str, ...], minutes: Mapping[int, Minute]) -> None:
        for minute, figures in minutes.items():
            self._over[tenants, minute] = figures
        while len(self._over) > REMEMBERED:
            self._over.popitem(last=False)
