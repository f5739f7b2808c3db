"""The audit trail: who did what, when, as a chain of hashes per tenant that shows when an entry was changed or taken
out. What an entry says, how it is chained and how a chain is checked; nothing here asks Redis.

A script notes what it does in the same step (`note` in the prelude); notes are chained a moment later, in the order
in which they were made. The hash of an entry is the SHA-256 of the hash before it, a line break and the entry's JSON.

Entries hold ids, never a payload. Of more than a hundred ids the first hundred are named, with the number of all and
the SHA-256 of all, a line each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json, to_json

from tasks.clock import rfc3339

GENESIS = "0" * 64
"""What stands in place of a hash before the first entry."""
IDS_NAMED = 100
CHAINED_AT_ONCE = 500
SYSTEM = "system"
"""The tenant in whose trail stands what belongs to none."""


@dataclass(frozen=True, slots=True)
class By:
    """Who does something: the id of an API key, `jwt:` and a subject, or a word of ours; and in which request."""

    actor: str
    request_id: str = ""

    def line(self, action: str) -> str:
        """What a script writes into its note; three lines of it."""
        return f"{self.actor}\n{self.request_id}\n{action}"


LOCAL = By("local")
"""A Python caller in a process of its own, which reaches Redis without the gateway."""
CLI = By("cli")
WORKER = By("worker")
"""What a worker does of itself, because a receiver of webhooks asked for it."""


def subjects(ids: Sequence[str]) -> str:
    """What an entry is about, as a note holds it."""
    named = ",".join(ids[:IDS_NAMED])
    if len(ids) <= IDS_NAMED:
        return named
    return f"{named};{len(ids)};{hashlib.sha256(chr(10).join(ids).encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: the number, ms and hash of its last entry."""

    seq: int = 0
    ms: int = 0
    hash: str = GENESIS

    @classmethod
    def parse(cls, seq: bytes | None, ms: bytes | None, hash_: bytes | None) -> Head:
        return cls() if seq is None else cls(int(seq), int(ms or 0), (hash_ or b"").decode())


def chained_hash(before: str, text: bytes) -> str:
    return hashlib.sha256(before.encode() + b"\n" + text).hexdigest()


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of a trail as it is kept: its id is the ms and the number, `text` its JSON."""

    tenant: str
    id: str
    text: bytes
    hash: str


@dataclass(slots=True)
class Extension:
    """Notes that were read, chained to what their trails end with."""

    taken: int
    count: int
    lost: int
    heads: dict[str, Head]
    links: list[Link] = field(default_factory=list)

    def arguments(self, most: int) -> list[Any]:
        """In the order in which `extend_audit.lua` reads them."""
        found: list[Any] = [self.taken, self.count, self.lost, most, len(self.heads)]
        for tenant, head in self.heads.items():
            found += (tenant, head.seq, head.ms, head.hash)
        for link in self.links:
            found += (link.tenant, link.id, link.text, link.hash)
        return found


@dataclass(frozen=True, slots=True)
class Notes:
    """What is to be chained: the notes in their order, how many were taken before, and how many were lost."""

    taken: int
    lost: int
    raw: Sequence[bytes]

    @classmethod
    def parse(cls, state: Sequence[bytes | None], raw: Sequence[bytes]) -> Notes:
        taken, lost = (int(value or 0) for value in state)
        return cls(taken, lost, raw)

    def __bool__(self) -> bool:
        return bool(self.raw or self.lost)

    @property
    def tenants(self) -> list[str]:
        named = {note.partition(b"\n")[0].decode(errors="replace") for note in self.raw}
        return sorted(named | {SYSTEM} if self.lost else named)

    def chained(self, heads: Mapping[str, Head]) -> Extension:
        """The entries that these become after the heads of their tenants."""
        extension = Extension(self.taken, len(self.raw), self.lost, dict(heads))
        if self.lost:
            _add(extension, SYSTEM, 0, _entry("", "", "audit.lost", "lost", [], self.lost))
        for note in self.raw:
            tenant, at_ms, entry = _parse_note(note)
            _add(extension, tenant, at_ms, entry)
        return extension


def _add(extension: Extension, tenant: str, at_ms: int, entry: dict[str, Any]) -> None:
    head = extension.heads[tenant]
    # A clock that was set back doesn't set the trail back.
    seq, ms = head.seq + 1, max(head.ms, at_ms)
    text = to_json({"seq": seq, "at": rfc3339(at_ms or ms), "tenant": tenant, **entry})
    hashed = chained_hash(head.hash, text)
    extension.heads[tenant] = Head(seq, ms, hashed)
    extension.links.append(Link(tenant, f"{ms}-{seq}", text, hashed))


def _parse_note(note: bytes) -> tuple[str, int, dict[str, Any]]:
    tenant, *rest = note.decode(errors="replace").split("\n")
    try:
        at_ms, outcome, actor, request_id, action, about = rest
        return tenant, int(at_ms), _entry(actor, request_id, action, outcome, *_parse_subjects(about))
    except ValueError:
        # Not written by us; it stays visible that there was something.
        return tenant, 0, _entry("", "", "audit.unreadable", "lost", [])


def _parse_subjects(about: str) -> tuple[list[str], int | None, str | None]:
    named, *more = about.split(";")
    count, digest = more if more else (None, None)
    return [part for part in named.split(",") if part], int(count) if count else None, digest


def _entry(
    actor: str,
    request_id: str,
    action: str,
    outcome: str,
    ids: list[str],
    count: int | None = None,
    digest: str | None = None,
) -> dict[str, Any]:
    entry: dict[str, Any] = {"actor": actor, "action": action, "outcome": outcome, "ids": ids}
    entry["count"] = len(ids) if count is None else count
    if digest is not None:
        entry["ids_sha256"] = digest
    return {**entry, "request_id": request_id}


def parse_link(tenant: str, id_: bytes, fields: Mapping[bytes, bytes]) -> Link:
    return Link(tenant, id_.decode(), fields.get(b"e", b""), fields.get(b"h", b"").decode(errors="replace"))


# ------------------------------------------------------------------------------------------------ checking


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold: the number of the first entry that is wrong, and what is wrong with it."""

    seq: int
    reason: str


class ChainCheck:
    """Follows a chain from its anchor (what was kept of the last entry that was trimmed) to its head."""

    def __init__(self, tenant: str, anchor: Head, known: Head | None = None) -> None:
        self.last = anchor
        self.checked = 0
        self._tenant = tenant
        self._known = known
        self._met_known = known is None or (known.seq, known.hash) == (anchor.seq, anchor.hash)

    def follow(self, links: Iterable[Link]) -> Break | None:
        """The first break in the next entries."""
        for link in links:
            found = self._look_at(link)
            if found is not None:
                return found
        return None

    def _look_at(self, link: Link) -> Break | None:
        seq = self.last.seq + 1
        try:
            entry = from_json(link.text)
            told = (entry["seq"], entry["tenant"], int(link.id.partition("-")[2]))
        except (ValueError, KeyError, TypeError):
            return Break(seq, "it can't be read")
        if told[0] != seq:
            return Break(seq, f"it is missing; the next one is {told[0]}")
        if told[1:] != (self._tenant, seq):
            return Break(seq, "it belongs elsewhere")
        hashed = chained_hash(self.last.hash, link.text)
        if hashed != link.hash:
            return Break(seq, "its hash does not follow from its text and the hash before it")
        if self._known is not None and self._known.seq == seq:
            if self._known.hash != hashed:
                return Break(seq, "its hash is another than the one that was noted")
            self._met_known = True
        self.last = Head(seq, 0, hashed)
        self.checked += 1
        return None

    def end(self, head: Head) -> Break | None:
        """Whether the chain ends where its head says, and held the entry that was noted."""
        if (self.last.seq, self.last.hash) != (head.seq, head.hash):
            return Break(self.last.seq + 1, f"the trail ends before it, and its head says that there are {head.seq}")
        if not self._met_known and self._known is not None:
            return Break(self._known.seq, "it is not in the trail any more, or not yet")
        return None
