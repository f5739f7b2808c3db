"""Cases and their documents: what a client told, and the files that belong to it.

The gateway writes them through `CaseStore`; actors read them through `CaseFile`.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import redis
from pydantic import TypeAdapter
from pydantic_core import from_json, to_json
from redis.exceptions import LockError

from tasks.clock import now_ms, rfc3339
from tasks.connection import AsyncRedis
from tasks.errors import InvalidInput, NotFound, Unavailable
from tasks.ids import new_id
from tasks.keys import Keys
from tasks.ledger import redis_faults
from tasks.payloads import Conversation, Turn
from tasks.record import compact_json
from tasks.settings import Settings

MOST_DOCUMENTS = 1_000
GUARD_S = 30.0
_CONVERSATION: TypeAdapter[tuple[Turn, ...]] = TypeAdapter(Conversation)
_LATEST = b"latest:"


@dataclass(frozen=True, slots=True)
class Document:
    """A stored file. `media_type` and `filename` are what the upload declared."""

    document_id: str
    case_id: str
    sha256: str
    size: int
    media_type: str
    filename: str
    created_ms: int

    def as_json(self) -> dict[str, Any]:
        return {
            "document_id": self.document_id,
            "case_id": self.case_id,
            "sha256": self.sha256,
            "size": self.size,
            "media_type": self.media_type,
            "filename": self.filename,
            "created_at": rfc3339(self.created_ms),
        }


@dataclass(frozen=True, slots=True)
class Case:
    """A case as the store has it. `latest` holds, per kind of task, its last result and where that came from."""

    case_id: str
    conversation: tuple[Turn, ...]
    metadata: Mapping[str, Any]
    updated_ms: int
    latest: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def parse_case(case_id: str, raw: dict[bytes, bytes]) -> Case | None:
    if not raw:
        return None
    return Case(
        case_id=case_id,
        conversation=_CONVERSATION.validate_json(raw[b"conversation"]),
        metadata=from_json(raw[b"metadata"]),
        updated_ms=int(raw[b"updated"]),
        latest={
            name.removeprefix(_LATEST).decode(): _parse_latest(value)
            for name, value in raw.items()
            if name.startswith(_LATEST)
        },
    )


def _parse_latest(value: bytes) -> dict[str, Any]:
    head, _, result = value.partition(b"\n")
    told = from_json(head)
    return {
        "task_id": told["task_id"],
        "at": rfc3339(int(told["at"])),
        "result": from_json(result) if result else None,
    }


def version_of(conversation: bytes) -> str:
    """What tells two conversations of a case apart: a digest of what is stored."""
    return hashlib.sha256(conversation).hexdigest()[:32]


def parse_document(document_id: str, raw: dict[bytes, bytes]) -> Document | None:
    if not raw:
        return None
    return Document(
        document_id=document_id,
        case_id=raw[b"case"].decode(),
        sha256=raw[b"sha256"].decode(),
        size=int(raw[b"size"]),
        media_type=raw[b"media_type"].decode(),
        filename=raw[b"filename"].decode(),
        created_ms=int(raw[b"created"]),
    )


class CaseFile:
    """Reads cases and documents for actors."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)

    def case(self, tenant: str, case_id: str) -> Case | None:
        with redis_faults():
            raw = self._client.hgetall(self._keys.of("case", tenant=tenant, case=case_id))
        return parse_case(case_id, cast(dict[bytes, bytes], raw))

    def version(self, tenant: str, case_id: str) -> str | None:
        """Which conversation the case holds; `None` where there is no such case."""
        with redis_faults():
            raw = self._client.hget(self._keys.of("case", tenant=tenant, case=case_id), "version")
        return None if raw is None else cast(bytes, raw).decode()

    def document(self, tenant: str, document_id: str) -> Document | None:
        with redis_faults():
            raw = self._client.hgetall(self._keys.of("document", tenant=tenant, id=document_id))
        return parse_document(document_id, cast(dict[bytes, bytes], raw))

    def document_ids(self, tenant: str, case_id: str) -> tuple[str, ...]:
        """The documents of a case, oldest first (their ids sort by time)."""
        with redis_faults():
            members = self._client.smembers(self._keys.of("case_documents", tenant=tenant, case=case_id))
        return tuple(sorted(member.decode() for member in cast(set[bytes], members)))


class CaseStore:
    """Writes and reads cases and documents for the gateway. Raises `Unavailable` when Redis is away."""

    def __init__(self, client: AsyncRedis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self._ttl = settings.case_retention_s

    # ------------------------------------------------------------------------------------------- cases

    async def put(self, tenant: str, case_id: str, conversation: tuple[Turn, ...], metadata: dict[str, Any]) -> Case:
        """Replace the conversation and metadata of a case, or make it; its results and documents stay. Its vector
        stays for as long as the conversation does."""
        name = self._case(tenant, case_id)
        told = to_json(conversation)
        version = version_of(told)
        fields = {
            "conversation": told,
            "metadata": compact_json(metadata),
            "updated": str(now_ms()),
            "version": version,
        }
        with redis_faults():
            known = await self._client.hget(name, "version")
        pipe = self._client.pipeline(transaction=True)
        pipe.hset(name, mapping=cast(Any, fields))
        if known != version.encode():
            pipe.hdel(name, "vector")
            pipe.zrem(self._vectors(tenant), case_id)
        for key in (name, self._documents(tenant, case_id), self._vectors(tenant)):
            pipe.expire(key, self._ttl)
        with redis_faults():
            await pipe.execute()
        return await self.get(tenant, case_id)

    async def get(self, tenant: str, case_id: str) -> Case:
        """Raises `NotFound`."""
        case = await self.find(tenant, case_id)
        if case is None:
            raise NotFound("there is no such case")
        return case

    async def find(self, tenant: str, case_id: str) -> Case | None:
        with redis_faults():
            raw = await self._client.hgetall(self._case(tenant, case_id))
        return parse_case(case_id, raw)

    async def has_conversation(self, tenant: str, case_id: str) -> bool:
        """Whether the case holds at least one message."""
        with redis_faults():
            raw = await self._client.hget(self._case(tenant, case_id), "conversation")
        return raw is not None and raw != b"[]"

    async def delete(self, tenant: str, case_id: str) -> list[Document]:
        """Forget a case; returns its documents, whose bytes the caller deletes where nobody else uses them."""
        documents = await self.documents(tenant, case_id)
        pipe = self._client.pipeline(transaction=True)
        pipe.delete(self._case(tenant, case_id), self._documents(tenant, case_id))
        pipe.zrem(self._vectors(tenant), case_id)
        with redis_faults():
            existed = (await pipe.execute())[0]
        if not existed and not documents:
            raise NotFound("there is no such case")
        return documents

    # --------------------------------------------------------------------------------------- documents

    @asynccontextmanager
    async def bytes_guarded(self, tenant: str, sha256: str) -> AsyncIterator[None]:
        """Let nobody else store or delete these bytes meanwhile: an upload that finds them must not lose them to the
        deletion of their last other user."""
        name = self._keys.of("blob_guard", tenant=tenant, digest=sha256)
        with redis_faults():
            guard = self._client.lock(name, timeout=GUARD_S, blocking_timeout=GUARD_S)
            if not await guard.acquire():
                raise Unavailable("the same bytes are being stored")
        try:
            yield
        finally:
            with redis_faults(), suppress(LockError):
                await guard.release()

    async def add_document(self, tenant: str, document: Document) -> Document:
        """Keep what is known of an uploaded file; the same bytes in the same case are the same document."""
        for known in await self.documents(tenant, document.case_id):
            if known.sha256 == document.sha256:
                return known
        await self._check_room(tenant, document.case_id)
        name = self._keys.of("document", tenant=tenant, id=document.document_id)
        users = self._keys.of("blob_users", tenant=tenant, digest=document.sha256)
        members = self._documents(tenant, document.case_id)
        fields = {
            "case": document.case_id,
            "sha256": document.sha256,
            "size": str(document.size),
            "media_type": document.media_type,
            "filename": document.filename,
            "created": str(document.created_ms),
        }
        pipe = self._client.pipeline(transaction=True)
        pipe.hset(name, mapping=cast(Any, fields))
        pipe.sadd(users, document.document_id)
        pipe.sadd(members, document.document_id)
        for key in (name, users, members, self._case(tenant, document.case_id), self._vectors(tenant)):
            pipe.expire(key, self._ttl)
        with redis_faults():
            await pipe.execute()
        return document

    async def _check_room(self, tenant: str, case_id: str) -> None:
        with redis_faults():
            count = await self._client.scard(self._documents(tenant, case_id))
        if count >= MOST_DOCUMENTS:
            raise InvalidInput.of("case_id", f"the case has {MOST_DOCUMENTS} documents already; delete some first")

    async def document(self, tenant: str, document_id: str) -> Document:
        """Raises `NotFound`."""
        with redis_faults():
            raw = await self._client.hgetall(self._keys.of("document", tenant=tenant, id=document_id))
        document = parse_document(document_id, raw)
        if document is None:
            raise NotFound("there is no such document")
        return document

    async def documents(self, tenant: str, case_id: str) -> list[Document]:
        """The documents of a case, oldest first."""
        with redis_faults():
            members = await self._client.smembers(self._documents(tenant, case_id))
        found = []
        for member in sorted(members):
            with redis_faults():
                key = self._keys.of("document", tenant=tenant, id=member.decode())
                raw = await self._client.hgetall(key)
            document = parse_document(member.decode(), raw)
            if document is not None:
                found.append(document)
        return found

    async def remove_document(self, tenant: str, document: Document) -> bool:
        """Forget a document; true where its bytes have no other user, so that the caller may delete them."""
        users = self._keys.of("blob_users", tenant=tenant, digest=document.sha256)
        pipe = self._client.pipeline(transaction=True)
        pipe.delete(self._keys.of("document", tenant=tenant, id=document.document_id))
        pipe.srem(self._documents(tenant, document.case_id), document.document_id)
        pipe.srem(users, document.document_id)
        pipe.scard(users)
        with redis_faults():
            *_, left = await pipe.execute()
        return bool(left == 0)

    def _case(self, tenant: str, case_id: str) -> str:
        return self._keys.of("case", tenant=tenant, case=case_id)

    def _vectors(self, tenant: str) -> str:
        return self._keys.of("case_vectors", tenant=tenant)

    def _documents(self, tenant: str, case_id: str) -> str:
        return self._keys.of("case_documents", tenant=tenant, case=case_id)


def new_document(case_id: str, sha256: str, size: int, media_type: str, filename: str) -> Document:
    """A document that has just been uploaded."""
    return Document(new_id(), case_id, sha256, size, media_type, filename, now_ms())
