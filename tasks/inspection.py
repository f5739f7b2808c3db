"""The sweep over the ledger: finds what has gone astray between records, messages and indexes, and puts it right.

What is astray, and what its cure is, is said in `lua/astray.lua`. This walks over the keys in small steps, and looks
twice: a task that moves between two looks is well. It forgets nothing whose time is over; that is `expire`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from random import randrange
from time import sleep
from typing import cast

from tasks.ledger import Ledger
from tasks.lifecycle import State
from tasks.redis_faults import redis_faults

RECORDS_A_STEP = 200
KEYS_A_STEP = 1_000
AGAIN_A_STEP = 10
MOST_FINDS = 10_000
"""As many as are mended at a time; the rest is found by the next sweep."""

AS_IT_CAME = "surrogateescape"
LIVE = (State.RUNNING, State.QUEUED, State.SCHEDULED, State.RETRYING)


class Kind(StrEnum):
    """What can be found, in the order in which it is mended."""

    ACKS = "acks"
    MESSAGE = "message"
    STRAY = "stray"
    MEMBER = "member"
    MISFILED = "misfiled"
    UNINDEXED = "unindexed"
    ABANDONED = "abandoned"
    UNHELD = "unheld"
    LOST = "lost"
    UNDELAYED = "undelayed"
    UNWOKEN = "unwoken"
    STALLED = "stalled"
    ORPHANED = "orphaned"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Find:
    """One thing that is astray: a task's id, or a worker's. `place` is what lists it; `state` is the task's, as it
    was found."""

    kind: Kind
    subject: str
    place: str
    state: str

    def parts(self) -> list[bytes]:
        """As the script takes them. What others wrote into a lane needn't be text: it goes back as it came."""
        return [part.encode(errors=AS_IT_CAME) for part in (self.kind.value, self.subject, self.place, self.state)]


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in both looks, and, where it was asked for, put right; and what no look could decide."""

    confirmed: tuple[Find, ...]
    unchecked: tuple[Find, ...]

    def counts(self) -> Counter[Kind]:
        return Counter(find.kind for find in self.confirmed)


class Inspection:
    """Looks over a ledger. With `most`, no walk over what has ended looks at more than that many members: it begins
    anywhere, so that sweep by sweep all are seen. What still waits or runs is always looked at in full."""

    def __init__(self, ledger: Ledger, pause_s: float, most: int | None = None) -> None:
        self._ledger, self._keys, self._catalog = ledger, ledger.keys, ledger.catalog
        self._pause_s = pause_s
        self._most = most

    def run(self, *, mend: bool, pause: Callable[[float], None] = sleep) -> Findings:
        """Look, wait so long that every worker that lives has been heard, and look again at what was found. Raises
        `Unavailable` when Redis is away."""
        first = self.look()
        unchecked = tuple(find for find in first if find.kind is Kind.UNCHECKED)
        suspects = [find for find in first if find.kind is not Kind.UNCHECKED]
        if not suspects:
            return Findings((), unchecked)
        pause(self._pause_s)
        return Findings(tuple(self.look_again(suspects, mend=mend)), unchecked)

    def look(self) -> list[Find]:
        """Everything that looks astray just now: a single look may take what moves for lost."""
        walks = chain(self._acks(), self._messages(), self._lanes(), self._indexes(), self._tasks())
        found = dict.fromkeys(find for _, find in zip(range(MOST_FINDS), walks, strict=False))
        order = list(Kind)
        return sorted(found, key=lambda find: order.index(find.kind))

    def look_again(self, finds: Sequence[Find], *, mend: bool) -> Iterator[Find]:
        """Those that are still as they were found; with `mend` each is put right in the script that says so."""
        for start in range(0, len(finds), AGAIN_A_STEP):
            some = finds[start : start + AGAIN_A_STEP]
            parts = list(chain.from_iterable(find.parts() for find in some))
            for number in self._ledger.look_again(parts, mend=mend):
                yield some[number - 1]

    # ------------------------------------------------------------------------------------------- walks

    def _tasks(self) -> Iterator[Find]:
        for tenant in self._tenants():
            for state in LIVE:
                yield from self._walk("tasks", tenant, state.value, start="")

    def _lanes(self) -> Iterator[Find]:
        for lane in self._catalog.lanes:
            yield from self._walk("lane", self._keys.of("lane", lane=lane))

    def _messages(self) -> Iterator[Find]:
        for lane in self._catalog.lanes:
            for name in ("messages", "delayed_messages", "dead_messages"):
                yield from self._walk("messages", self._keys.of(name, lane=lane))

    def _indexes(self) -> Iterator[Find]:
        for tenant in self._tenants():
            for name in self._catalog.specs:
                yield from self._window("listed", self._keys.of("by_name", tenant=tenant, task_name=name))
            for state in State:
                if state.final:
                    yield from self._window("members", self._keys.of("by_status", tenant=tenant, status=state))
        for key in chain(self._common_sets(), self._indexes_by_case()):
            yield from self._window("members", key)

    def _indexes_by_case(self) -> Iterator[str]:
        """As many as there are cases, and written down nowhere: only who looks at everything looks for them."""
        if self._most is None:
            yield from self._scanned(self._keys.of("by_case", tenant="*", case="*"))

    def _common_sets(self) -> Iterator[str]:
        yield self._keys.of("delayed")
        yield self._keys.of("expiring")
        for lane in self._catalog.lanes:
            yield self._keys.of("dead", lane=lane)

    def _acks(self) -> Iterator[Find]:
        """Acks of workers that nobody lists."""
        client = self._ledger.client
        for lane, key in self._acks_keys():
            head, tail = self._keys.of("acks", worker="*", lane=lane).split("*")
            worker = key.removeprefix(head).removesuffix(tail)
            with redis_faults():
                listed = client.zscore(self._keys.of("heartbeats"), worker)
            if listed is None:
                yield Find(Kind.ACKS, worker, lane, "")

    def _acks_keys(self) -> Iterator[tuple[str, str]]:
        pattern = self._keys.of("acks", worker="*", lane="*")
        for key in self._scanned(pattern):
            lane = next((lane for lane in self._catalog.lanes if key.endswith(f".{lane}")), None)
            if lane is not None:
                yield lane, key

    def _scanned(self, pattern: str) -> Iterator[str]:
        """Keys by `SCAN`, in steps; with `most`, of so many keys."""
        cursor, seen = 0, 0
        while self._most is None or seen < self._most:
            with redis_faults():
                cursor, keys = cast(
                    tuple[int, list[bytes]], self._ledger.client.scan(cursor, match=pattern, count=KEYS_A_STEP)
                )
            yield from (key.decode() for key in keys)
            seen += KEYS_A_STEP
            if cursor == 0:
                return

    def _window(self, way: str, key: str) -> Iterator[Find]:
        if self._most is None:
            return self._walk(way, key)
        with redis_faults():
            length = self._ledger.client.zcard(key)
        start = randrange(length - self._most + 1) if length > self._most else 0
        return self._walk(way, key, start=str(start), steps=-(-self._most // RECORDS_A_STEP))

    def _walk(self, way: str, *subject: str, start: str = "0", steps: int | None = None) -> Iterator[Find]:
        following, taken = start, 0
        while steps is None or taken < steps:
            following, parts = self._ledger.look_for_astray(way, *subject, following, RECORDS_A_STEP)
            yield from _finds(parts)
            taken += 1
            if not following:
                return

    def _tenants(self) -> list[str]:
        with redis_faults():
            members = cast(set[bytes], self._ledger.client.smembers(self._keys.of("tenants")))
        return sorted(member.decode() for member in members)


def _finds(parts: Iterable[bytes]) -> Iterator[Find]:
    texts = [part.decode(errors=AS_IT_CAME) for part in parts]
    for kind, subject, place, state in zip(*(texts[i::4] for i in range(4)), strict=True):
        yield Find(Kind(kind), subject, place, state)


def pause_for(heartbeat_timeout_s: float) -> float:
    """Seconds between two looks: a worker that lives beats several times in a heartbeat timeout."""
    return heartbeat_timeout_s / 2
