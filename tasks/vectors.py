"""The vectors of cases in Redis: what a worker keeps of a case's meaning, and what a gateway reads to compare it.

A vector lies in its case's hash, so it expires and is forgotten with it, and names the conversation that was read for
it: one that is of another conversation than the case's present one counts for nothing. Beside the cases, a list per
tenant numbers the changes, so that whoever has read it all once reads only what is new.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from tasks.case_keys import AsyncCaseKeys, Keyring
from tasks.cases import CaseFile
from tasks.connection import AsyncRedis
from tasks.errors import NotFound
from tasks.keys import Keys
from tasks.ledger import Ledger
from tasks.redis_faults import redis_faults
from tasks.sealing import SealBroken, is_sealed
from tasks.settings import Settings

CHANGES_AT_ONCE = 1_000
READ_AT_ONCE = 100
"""In one pipeline: its answers are read in one go, and meanwhile a gateway does nothing else, for some 5 ms."""
_FIELDS = ("updated", "version", "vector")


@dataclass(frozen=True, slots=True)
class CaseVector:
    """A case's vector: `values` are little-endian float16, of unit length as far as those can say, and compare only
    with those of the same `model`. `version` is the conversation that it was made of."""

    case_id: str
    version: str
    model: str
    values: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    """The cases that got a vector after a number, in the order of theirs, and how many cases are listed in all."""

    case_ids: tuple[str, ...]
    last: int
    listed: int

    @property
    def are_more(self) -> bool:
        return len(self.case_ids) == CHANGES_AT_ONCE


class VectorFile:
    """Keeps vectors, for actors."""

    def __init__(self, ledger: Ledger, cases: CaseFile) -> None:
        self._ledger = ledger
        self._cases = cases

    def version(self, tenant: str, case_id: str) -> str | None:
        """Asked before the conversation is read, and given to `keep` with what was made of it; `None` where there is
        no such case."""
        return self._cases.version(tenant, case_id)

    def keep(self, tenant: str, case_id: str, version: str, model: str, vector: Sequence[float]) -> bool:
        """Keep the vector with the case; false where the case holds another conversation by now, or is gone."""
        key = self._cases.keys.of(tenant, case_id)
        if key is None:
            return False
        values = struct.pack(f"<{len(vector)}e", *vector)
        sealed = key.seal(values, *_about(tenant, case_id, version))
        return self._ledger.keep_vector(tenant, case_id, version, model, sealed)


class VectorReader:
    """Reads vectors, for the gateway. Raises `Unavailable` when Redis is away."""

    def __init__(self, client: AsyncRedis, settings: Settings, case_keys: AsyncCaseKeys) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self._case_keys = case_keys

    async def of_case(self, tenant: str, case_id: str) -> CaseVector | None:
        """The vector of one case; `None` where it has none of its present conversation. Raises `NotFound`."""
        with redis_faults():
            raw = await self._client.hmget(self._case(tenant, case_id), _FIELDS)
        if raw[0] is None:
            raise NotFound("there is no such case")
        return (await self._opened(tenant, {case_id: _parse(case_id, raw)}))[case_id]

    async def of_cases(self, tenant: str, case_ids: Sequence[str]) -> dict[str, CaseVector | None]:
        """The same for many; those that are gone have none."""
        found: dict[str, CaseVector | None] = {}
        for start in range(0, len(case_ids), READ_AT_ONCE):
            some = case_ids[start : start + READ_AT_ONCE]
            pipe = self._client.pipeline(transaction=False)
            for case_id in some:
                pipe.hmget(self._case(tenant, case_id), _FIELDS)
            with redis_faults():
                rows = await pipe.execute()
            parsed = {case_id: _parse(case_id, row) for case_id, row in zip(some, rows, strict=True)}
            found |= await self._opened(tenant, parsed)
        return found

    async def _opened(self, tenant: str, vectors: dict[str, CaseVector | None]) -> dict[str, CaseVector | None]:
        """What is kept sealed; one whose key is gone is no vector any more."""
        sealed = {(tenant, v.case_id): v.values for v in vectors.values() if v and is_sealed(v.values)}
        ring = self._case_keys.ring
        await self._case_keys.ask(ring.unknown(sealed.items()))
        return {case_id: v and _open(tenant, v, ring) for case_id, v in vectors.items()}

    async def versions(self, tenant: str, case_ids: Sequence[str]) -> dict[str, str | None]:
        """Which conversation each of these cases holds; `None` for those that are gone."""
        pipe = self._client.pipeline(transaction=False)
        for case_id in case_ids:
            pipe.hget(self._case(tenant, case_id), "version")
        with redis_faults():
            rows = await pipe.execute()
        return {case_id: None if raw is None else raw.decode() for case_id, raw in zip(case_ids, rows, strict=True)}

    async def changes(self, tenant: str, after: int) -> Changes:
        """The next changes after a number; 0 is before all of them."""
        name = self._listed(tenant)
        pipe = self._client.pipeline(transaction=True)
        pipe.zrange(name, f"({after}", "+inf", byscore=True, offset=0, num=CHANGES_AT_ONCE, withscores=True)
        pipe.zcard(name)
        with redis_faults():
            rows, listed = await pipe.execute()
        last = int(rows[-1][1]) if rows else after
        return Changes(tuple(case_id.decode() for case_id, _ in rows), last, listed)

    async def listed(self, tenant: str) -> set[str]:
        """All cases that have a vector, as far as the list knows."""
        found: set[str] = set()
        cursor = 0
        while True:
            with redis_faults():
                cursor, rows = await self._client.zscan(self._listed(tenant), cursor, count=CHANGES_AT_ONCE)
            found |= {case_id.decode() for case_id, _ in rows}
            if cursor == 0:
                return found

    def _case(self, tenant: str, case_id: str) -> str:
        return self._keys.of("case", tenant=tenant, case=case_id)

    def _listed(self, tenant: str) -> str:
        return self._keys.of("case_vectors", tenant=tenant)


def _about(tenant: str, case_id: str, version: str) -> tuple[str, ...]:
    return "vector", tenant, case_id, version


def _open(tenant: str, vector: CaseVector, ring: Keyring) -> CaseVector | None:
    try:
        key = ring.opening((tenant, vector.case_id), "", vector.values)
        return replace(vector, values=key.open(vector.values, *_about(tenant, vector.case_id, vector.version)))
    except SealBroken:
        return None


def _parse(case_id: str, raw: Sequence[bytes | None]) -> CaseVector | None:
    _, present, kept = raw
    if present is None or kept is None:
        return None
    version, model, values = cast(tuple[bytes, bytes, bytes], tuple(kept.split(b"\n", 2)))
    return CaseVector(case_id, version.decode(), model.decode(), values) if version == present else None
