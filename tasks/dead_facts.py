"""What lists of dead letters are made of: a few facts of each, read many at a time. The whole record of each would
take fifty times as long, and an operator looks at ten thousand of them every few seconds.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Any, Protocol, Self

from pydantic_core import from_json

from tasks.fingerprints import fingerprint
from tasks.keys import Keys
from tasks.redis_faults import redis_faults
from tasks.service import TaskService

READ_AT_ONCE = 250
"""Nobody else is served while a script runs: this one takes a few ms."""
# Without reading all of the JSON: a quote within a text has a backslash before it, so these are its own keys.
_FINGERPRINT = re.compile(rb'"fingerprint": ?"([0-9a-f]+)"')
_TYPE = re.compile(rb'"type": ?"([^"\\]*)"')


@dataclass(frozen=True, slots=True)
class Fact:
    """One dead letter; `seq` numbers its creation, `error` is JSON; `version` is empty where it wasn't asked
    for."""

    task_id: str
    seq: int
    version: str
    name: str
    queue: str
    ended_ms: int | None
    error: bytes

    @property
    def error_type(self) -> str:
        found = _TYPE.search(self.error)
        return found[1].decode() if found else str(self._told.get("type", ""))

    @property
    def fingerprint(self) -> str:
        """As `fingerprint_of` says it of the whole record."""
        found = _FINGERPRINT.search(self.error)
        if found:
            return found[1].decode()
        return str(self._told.get("fingerprint") or fingerprint(self.name, self.error_type, ""))

    @property
    def message(self) -> str:
        return str(self._told.get("message", ""))

    @property
    def _told(self) -> dict[str, Any]:
        return from_json(self.error) if self.error else {}

    @classmethod
    def parse(cls, task_id: str, seq: int, told: bytes) -> Fact:
        version, name, queue, ended, error = told.split(b"\n", 4)
        ended_ms = int(ended) if ended else None
        return cls(task_id, seq, version.decode(), name.decode(), queue.decode(), ended_ms, error)


class WantedFacts(Protocol):
    """Which dead letters are looked at: out of which indexes, within which range of sequence numbers."""

    @property
    def range(self) -> tuple[str, str]: ...

    def indexes(self, keys: Keys) -> list[str]: ...

    def before(self, seq: int) -> Self:
        """The same, further on."""
        ...


class DeadFacts:
    """Raises `Unavailable` when Redis is away."""

    def __init__(self, tasks: TaskService) -> None:
        self._tasks = tasks
        self._keys: Keys = tasks.reader.keys

    async def newest(self, wanted: WantedFacts, *, with_versions: bool = False) -> AsyncIterator[list[Fact]]:
        """The dead letters in the indexes and within the range that are asked for, newest first, some at a time."""
        while True:
            members = await self._members(wanted)
            if members:
                yield await self._facts(members, with_versions)
                wanted = wanted.before(members[-1][1])
            if len(members) < READ_AT_ONCE:
                return

    async def _members(self, wanted: WantedFacts) -> list[tuple[str, int]]:
        highest, lowest = wanted.range
        pipe = self._tasks.client.pipeline(transaction=False)
        for index in wanted.indexes(self._keys):
            pipe.zrange(index, highest, lowest, desc=True, byscore=True, offset=0, num=READ_AT_ONCE, withscores=True)
        with redis_faults():
            rows = await pipe.execute()
        newest = merge(*rows, key=lambda pair: pair[1], reverse=True)
        return [(member.decode(), int(seq)) for member, seq in itertools.islice(newest, READ_AT_ONCE)]

    async def _facts(self, members: Sequence[tuple[str, int]], with_versions: bool) -> list[Fact]:
        ids, flag = [task_id for task_id, _ in members], "1" if with_versions else ""
        told: Sequence[Any] = await self._tasks.call("dead_facts", flag, *ids)
        pairs = zip(members, told, strict=True)
        return [Fact.parse(task_id, seq, one) for (task_id, seq), one in pairs if one]
