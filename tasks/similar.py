"""Which of a tenant's cases are nearest to one of them in meaning: for the gateway, over vectors it holds in memory.

What is held is brought up to date with each question, by the changes since the last one. It is a copy that may lag
behind: every case that is named in an answer was looked up first, so one that is gone or tells something else by now
is never named.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from tasks.case_keys import AsyncCaseKeys, Keyring
from tasks.connection import AsyncRedis
from tasks.errors import NoVector
from tasks.settings import Settings
from tasks.vectors import CaseVector, VectorReader

if TYPE_CHECKING:
    from tasks.nearest import Neighbour, Space

EXACT_MOST = 50_000
"""Cases of one model that are all compared: in some 4 ms. An index of 100,000 takes a core 40 s, and then answers in
one, with 999 of 1,000 as comparing all would."""
RELISTED_AFTER_S = 10.0
"""How often at most all ids of a tenant are compared with those that are held, where their numbers differ."""
SPARE = 10
"""Cases that are looked for beyond those that were asked for: some may turn out to be stale."""
LOOKED_UP_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Similar:
    """The nearest cases with their scores, the model whose vectors were compared, and with how many cases."""

    neighbours: tuple[Neighbour, ...]
    model: str
    count: int


@dataclass(slots=True)
class _Tenant:
    """What is held of one tenant: the cases by model and size, up to the change number `last`."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    spaces: dict[tuple[str, int], Space] = field(default_factory=dict)
    space_of: dict[str, tuple[str, int]] = field(default_factory=dict)
    last: int = 0
    relisted_at: float = -RELISTED_AFTER_S
    indexing: asyncio.Task[None] | None = None

    @property
    def bytes(self) -> int:
        return sum(space.bytes for space in self.spaces.values()) + 100 * len(self.space_of)

    def forget(self, case_ids: Iterable[str]) -> None:
        for case_id in case_ids:
            place = self.space_of.pop(case_id, None)
            if place is not None:
                self.spaces[place].drop([case_id])


class SimilarCases:
    """Holds the tenants asked for last, at most `similar_memory_bytes` of them and always the very last one.

    Every method raises `Unavailable` when Redis is away.
    """

    def __init__(
        self,
        client: AsyncRedis,
        settings: Settings,
        exact_most: int = EXACT_MOST,
        case_keys: AsyncCaseKeys | None = None,
    ) -> None:
        self._exact_most = exact_most
        case_keys = case_keys or AsyncCaseKeys(client, settings, Keyring(settings))
        self._vectors = VectorReader(client, settings, case_keys)
        self._most_bytes = settings.similar_memory_bytes
        self._tenants: OrderedDict[str, _Tenant] = OrderedDict()

    async def of(self, tenant: str, case_id: str, limit: int) -> Similar:
        """The cases nearest to this one. Raises `NotFound` and `NoVector`."""
        own = await self._vectors.of_case(tenant, case_id)
        if own is None:
            raise NoVector("the case has no vector yet; run a triage or an embeddings task for it first")
        # Finished also where the caller goes: half of a change, taken in a thread, would be left behind.
        return await asyncio.shield(asyncio.ensure_future(self._answer(tenant, own, limit)))

    async def _answer(self, tenant: str, own: CaseVector, limit: int) -> Similar:
        held = self._held(tenant)
        async with held.lock:
            await self._catch_up(tenant, held)
            similar = await self._search(tenant, held, own, limit)
        self._make_room()
        return similar

    def forget(self, tenant: str, case_id: str) -> None:
        """A case was deleted: hold its vector no longer."""
        held = self._tenants.get(tenant)
        if held is not None:
            held.forget([case_id])

    @property
    def tenants(self) -> tuple[str, ...]:
        """Those that are held, the one asked for last at the end."""
        return tuple(self._tenants)

    def _held(self, tenant: str) -> _Tenant:
        held = self._tenants.setdefault(tenant, _Tenant())
        self._tenants.move_to_end(tenant)
        return held

    def _make_room(self) -> None:
        while len(self._tenants) > 1 and sum(held.bytes for held in self._tenants.values()) > self._most_bytes:
            self._tenants.popitem(last=False)

    # ------------------------------------------------------------------------------------ what has changed

    async def _catch_up(self, tenant: str, held: _Tenant) -> None:
        while True:
            changes = await self._vectors.changes(tenant, held.last)
            vectors = await self._vectors.of_cases(tenant, changes.case_ids)
            await asyncio.to_thread(self._take, held, vectors)
            held.last = changes.last
            if not changes.are_more:
                break
        if changes.listed != len(held.space_of) and monotonic() - held.relisted_at > RELISTED_AFTER_S:
            held.relisted_at = monotonic()
            held.forget(held.space_of.keys() - await self._vectors.listed(tenant))

    def _take(self, held: _Tenant, vectors: dict[str, CaseVector | None]) -> None:
        """Sort vectors into their spaces; in a thread, because there may be many."""
        from tasks.nearest import Space

        by_space: dict[tuple[str, int], list[CaseVector]] = {}
        for vector in vectors.values():
            if vector is not None and vector.values and len(vector.values) % 2 == 0:
                by_space.setdefault((vector.model, len(vector.values) // 2), []).append(vector)
        held.forget(vectors)
        for place, some in by_space.items():
            space = held.spaces.setdefault(place, Space(place[1], self._exact_most))
            space.put(some)
            held.space_of |= dict.fromkeys((vector.case_id for vector in some), place)

    # ------------------------------------------------------------------------------------------ the search

    async def _search(self, tenant: str, held: _Tenant, own: CaseVector, limit: int) -> Similar:
        space = held.spaces.get((own.model, len(own.values) // 2))
        if space is None:
            return Similar((), own.model, 0)
        self._index_beside(held, space)
        wanted = limit + SPARE
        while True:
            found = await asyncio.to_thread(space.nearest, own, wanted)
            fresh, stale = await self._checked(tenant, found)
            held.forget(stale)
            if len(fresh) >= limit or not stale:
                others = len(space) - (own.case_id in held.space_of)
                return Similar(tuple(fresh[:limit]), own.model, others)
            wanted = min(2 * wanted, LOOKED_UP_AT_ONCE)

    async def _checked(self, tenant: str, found: list[Neighbour]) -> tuple[list[Neighbour], list[str]]:
        """Those whose vector is of the conversation that the case holds now, and the ids of the others."""
        versions = await self._vectors.versions(tenant, [neighbour.case_id for neighbour in found])
        fresh = [neighbour for neighbour in found if versions[neighbour.case_id] == neighbour.version]
        return fresh, list(versions.keys() - {neighbour.case_id for neighbour in fresh})

    def _index_beside(self, held: _Tenant, space: Space) -> None:
        if space.wants_indexing and (held.indexing is None or held.indexing.done()):
            held.indexing = asyncio.create_task(_index(space))


async def _index(space: Space) -> None:
    while await asyncio.to_thread(space.index_some):
        pass
