"""Chains the notes of the audit trails, and checks the chains: for workers, and for the `despacho audit` command.

Any number of processes may chain at once: what they read is put in place only if nobody was faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis

from tasks.audit import CHAINED_AT_ONCE, Break, By, ChainCheck, Head, Link, Notes, parse_link, subjects
from tasks.keys import Keys
from tasks.scripts import call_once
from tasks.settings import Settings

READ_AT_ONCE = 500
LOOKS = 3
HEAD_FIELDS = ("seq", "ms", "hash")

Call = Callable[[str, str, Sequence[Any]], Any]


def extend(client: redis.Redis, call: Call, settings: Settings) -> bool:
    """Chain some notes; true where there may be more."""
    keys = Keys(settings.namespace)
    pipe = client.pipeline(transaction=True)
    pipe.hmget(keys.of("audit_state"), "taken", "lost")
    pipe.lrange(keys.of("audit_pending"), 0, CHAINED_AT_ONCE - 1)
    notes = Notes.parse(*pipe.execute())
    if not notes:
        return False
    pipe = client.pipeline(transaction=False)
    for tenant in notes.tenants:
        pipe.hmget(keys.of("audit_head", tenant=tenant), *HEAD_FIELDS)
    heads = {tenant: Head.parse(*row) for tenant, row in zip(notes.tenants, pipe.execute(), strict=True)}
    done = call("extend_audit", keys.namespace, notes.chained(heads).arguments(settings.audit_entries))
    return not done or len(notes.raw) == CHAINED_AT_ONCE


def note(
    client: redis.Redis, settings: Settings, tenant: str, by: By, action: str, outcome: str, ids: Sequence[str]
) -> None:
    """Note what was just done by no script."""
    arguments = (tenant, outcome, by.line(action), subjects(ids))
    call_once(client, "note", settings.namespace, arguments)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of checking one tenant's trail: how many entries there are, where it ends, where it breaks."""

    tenant: str
    checked: int
    head: Head
    broken: Break | None


class Trails:
    """All trails of a server, to be checked."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)

    def tenants(self) -> list[str]:
        members = cast(set[bytes], self._client.smembers(self._keys.of("audited")))
        return sorted(member.decode() for member in members)

    def verify(self, tenant: str, known: Head | None = None) -> Verdict:
        """Check a trail from end to end; with `known` also that it still holds an entry that was noted elsewhere."""
        for _ in range(LOOKS):
            anchor, head = self._ends(tenant)
            check = ChainCheck(tenant, anchor, known)
            broken = check.follow(self._links(tenant, head.seq)) or check.end(head)
            # What was trimmed meanwhile is missing for us alone.
            if broken is None or self._ends(tenant)[0] == anchor:
                break
        return Verdict(tenant, check.checked, head, broken)

    def _ends(self, tenant: str) -> tuple[Head, Head]:
        name = self._keys.of("audit_head", tenant=tenant)
        fields = (*HEAD_FIELDS, "anchor_seq", "anchor_hash")
        seq, ms, hashed, anchor_seq, anchor_hash = cast(list[bytes | None], self._client.hmget(name, *fields))
        return Head.parse(anchor_seq, b"0", anchor_hash), Head.parse(seq, ms, hashed)

    def _links(self, tenant: str, until_seq: int) -> Iterator[Link]:
        name, after = self._keys.of("audit", tenant=tenant), "-"
        while True:
            page = cast(list[Any], self._client.xrange(name, after, "+", READ_AT_ONCE))
            for id_, fields in page:
                link = parse_link(tenant, id_, fields)
                # Chained after the head was read, and so not what it speaks of.
                if int(link.id.partition("-")[2]) > until_seq:
                    return
                yield link
            if len(page) < READ_AT_ONCE:
                return
            after = f"({page[-1][0].decode()}"
