"""The audit trails for the gateway: it notes what no script does, and reads page by page."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

import redis
from pydantic_core import from_json

from tasks.audit import CHAINED_AT_ONCE, By, Head, Link, Notes, parse_link, subjects
from tasks.audit_chain import HEAD_FIELDS
from tasks.connection import AsyncRedis
from tasks.keys import Keys
from tasks.record import compact_json
from tasks.redis_faults import redis_faults
from tasks.scripts import AsyncCaller
from tasks.settings import Settings

log = logging.getLogger(__name__)
CHUNK = 200
SCANNED_AT_MOST = 2_000
EXTENSIONS_AT_MOST = 20
"""Of one question: 10,000 notes, which are more than a worker leaves unchained."""
SEQ_BITS = 64
"""Of the id of an entry; its ms stand above them."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries of a tenant a page shows; times in ms, `before_id` where the last page ended."""

    tenant: str
    action: str | None = None
    actor: str | None = None
    after_ms: int | None = None
    before_ms: int | None = None
    before_id: int | None = None
    limit: int = 50

    def accepts(self, entry: dict[str, Any]) -> bool:
        wanted = ((self.action, entry.get("action")), (self.actor, entry.get("actor")))
        return all(wish in (None, have) for wish, have in wanted)

    @property
    def listed(self) -> str:
        """Names the list that is asked for, whichever page of it."""
        return "audit " + compact_json(astuple(replace(self, before_id=None, limit=0)))

    @property
    def is_before_all_time(self) -> bool:
        """Whether nothing can be so old; Redis refuses to look there."""
        return self.before_ms is not None and self.before_ms <= 0

    @property
    def lowest(self) -> str:
        return "-" if self.after_ms is None else f"{max(0, self.after_ms)}-0"

    @property
    def highest(self) -> str:
        ends = [] if self.before_ms is None else [(max(0, self.before_ms), 0)]
        if self.before_id is not None:
            ends.append(divmod(self.before_id, 1 << SEQ_BITS))
        if not ends:
            return "+"
        ms_of_end, seq_of_end = min(ends)
        return f"({ms_of_end}-{seq_of_end}"


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first, and before which id the next page begins; `None` at the end."""

    entries: tuple[dict[str, Any], ...]
    next_id: int | None


class AuditBook:
    """Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: AsyncRedis, caller: AsyncCaller, settings: Settings) -> None:
        self._client = client
        self._caller = caller
        self._keys = Keys(settings.namespace)
        self._most = settings.audit_entries

    async def note(self, tenant: str, by: By, action: str, outcome: str, ids: Sequence[str]) -> None:
        """Note what was just done by no script."""
        arguments = (tenant, outcome, by.line(action), subjects(ids))
        with redis_faults():
            await self._caller("note", self._keys.namespace, arguments)

    async def page(self, wanted: AuditFilter) -> AuditPage:
        """One page. Everything that was noted before is in it, chained."""
        await self._extend()
        found: list[dict[str, Any]] = []
        if wanted.is_before_all_time:
            return AuditPage((), None)
        last, scanned = wanted.highest, 0
        while scanned < SCANNED_AT_MOST:
            links = await self._older(wanted, last)
            for link in links:
                last = f"({link.id}"
                entry = _shown(link)
                if wanted.accepts(entry):
                    found.append(entry)
                if len(found) == wanted.limit:
                    return AuditPage(tuple(found), _number(link.id))
            if len(links) < CHUNK:
                return AuditPage(tuple(found), None)
            scanned += len(links)
        return AuditPage(tuple(found), _number(last.removeprefix("(")))

    async def _older(self, wanted: AuditFilter, highest: str) -> list[Link]:
        name = self._keys.of("audit", tenant=wanted.tenant)
        with redis_faults():
            rows = await self._client.xrevrange(name, highest, wanted.lowest, CHUNK)
        return [parse_link(wanted.tenant, id_, fields) for id_, fields in rows]

    async def _extend(self) -> None:
        try:
            for _ in range(EXTENSIONS_AT_MOST):
                if not await self._extend_once():
                    return
        except redis.ResponseError as error:
            # Somebody tampered with a trail; what there is can still be read.
            log.error("the audit trails can't be extended (%s)", error)

    async def _extend_once(self) -> bool:
        """As `audit_chain.extend`."""
        pipe = self._client.pipeline(transaction=True)
        pipe.hmget(self._keys.of("audit_state"), "taken", "lost")
        pipe.lrange(self._keys.of("audit_pending"), 0, CHAINED_AT_ONCE - 1)
        with redis_faults():
            notes = Notes.parse(*await pipe.execute())
        if not notes:
            return False
        pipe = self._client.pipeline(transaction=False)
        for tenant in notes.tenants:
            pipe.hmget(self._keys.of("audit_head", tenant=tenant), *HEAD_FIELDS)
        with redis_faults():
            rows = await pipe.execute()
            heads = {tenant: Head.parse(*row) for tenant, row in zip(notes.tenants, rows, strict=True)}
            extension = notes.chained(heads)
            done = await self._caller("extend_audit", self._keys.namespace, extension.arguments(self._most))
        return not done or len(notes.raw) == CHAINED_AT_ONCE


def _number(id_: str) -> int:
    ms, _, seq = id_.partition("-")
    return (int(ms) << SEQ_BITS) + int(seq)


def _shown(link: Link) -> dict[str, Any]:
    """An entry as it was chained, with its hash; one that somebody garbled shows as what it is."""
    try:
        entry = from_json(link.text)
    except ValueError:
        entry = None
    return {**(entry if isinstance(entry, dict) else {"action": "audit.unreadable"}), "hash": link.hash}
