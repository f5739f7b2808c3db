"""Cases and their documents: what a client told, and the files that belong to it, all under the key of the case.

The gateway writes them through `CaseStore`; actors read them through `CaseFile`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, cast

import redis
from pydantic import ConfigDict, TypeAdapter
from pydantic_core import from_json, to_json
from redis.exceptions import LockError

from tasks.blobs import Blobs, document_place
from tasks.case_keys import AsyncCaseKeys, CaseKeys, Keyring, Whose, key_ttl_s
from tasks.clock import now_ms, rfc3339
from tasks.connection import AsyncRedis
from tasks.errors import InvalidInput, NotFound, OnHold, Unavailable
from tasks.ids import new_id
from tasks.keys import Keys
from tasks.ledger import KEYS_CHANGE, SENT_AT_MOST
from tasks.payloads import Conversation, Turn
from tasks.record import compact_json
from tasks.redis_faults import redis_faults
from tasks.scripts import AsyncCaller
from tasks.sealing import DataKey, SealBroken, is_sealed
from tasks.settings import Settings

MOST_DOCUMENTS = 1_000
GUARD_S = 30.0
_CONVERSATION: TypeAdapter[tuple[Turn, ...]] = TypeAdapter(Conversation, config=ConfigDict(hide_input_in_errors=True))
_LATEST = b"latest:"


@dataclass(frozen=True, slots=True)
class Document:
    """A stored file. `media_type` and `filename` are what the upload declared; `digest` says where the bytes lie and
    `file_key` opens them: `None` where an older release wrote them in clear."""

    document_id: str
    case_id: str
    sha256: str
    size: int
    media_type: str
    filename: str
    created_ms: int
    digest: str = ""
    file_key: DataKey | None = None

    def open_bytes(self, tenant: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes as they were uploaded. Raises `SealBroken`."""
        return (
            iter(chunks)
            if self.file_key is None
            else self.file_key.open_file(chunks, *_of_bytes(tenant, self.digest))
        )

    def seal_bytes(self, tenant: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes as they are kept."""
        assert self.file_key is not None
        return self.file_key.seal_file(chunks, *_of_bytes(tenant, self.digest))

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


def parse_case(whose: Whose, raw: dict[bytes, bytes], ring: Keyring) -> Case | None:
    """A case as its hash holds it; `None` where there is none, or its key is gone."""
    if not raw:
        return None
    try:
        return _parse_case(whose, raw, ring)
    except SealBroken:
        return None


def _parse_case(whose: Whose, raw: dict[bytes, bytes], ring: Keyring) -> Case:
    return Case(
        case_id=whose[1],
        conversation=_CONVERSATION.validate_json(_opened(whose, raw[b"conversation"], "conversation", ring)),
        metadata=from_json(_opened(whose, raw[b"metadata"], "case metadata", ring)),
        updated_ms=int(raw[b"updated"]),
        latest={
            name.removeprefix(_LATEST).decode(): _parse_latest(whose, value, ring)
            for name, value in raw.items()
            if name.startswith(_LATEST)
        },
    )


def _opened(whose: Whose, value: bytes, kind: str, ring: Keyring, subject: str = "") -> bytes:
    if not is_sealed(value):
        return value
    tenant, case_id = whose
    return ring.opening(whose, subject, value).open(value, kind, tenant, case_id, subject)


def _parse_latest(whose: Whose, value: bytes, ring: Keyring) -> dict[str, Any]:
    head, _, result = value.partition(b"\n")
    told = from_json(head)
    task_id = told["task_id"]
    return {
        "task_id": task_id,
        "at": rfc3339(int(told["at"])),
        "result": from_json(_opened(whose, result, "result", ring, task_id)) if result else None,
    }


def sealed_values(whose: Whose, raw: dict[bytes, bytes]) -> Iterator[tuple[Whose, bytes]]:
    """What of a case's hash has to be opened."""
    for name, value in raw.items():
        sealed = value.partition(b"\n")[2] if name.startswith(_LATEST) else value
        if is_sealed(sealed):
            yield whose, sealed


def version_of(conversation: bytes, tenant: str, ring: Keyring) -> str:
    """What tells two conversations of a case apart: a keyed digest, from which nothing can be guessed."""
    return ring.vault.digest("conversation", tenant, conversation)[:32]


def new_document(
    tenant: str, case_id: str, sha256: str, size: int, media_type: str, filename: str, ring: Keyring
) -> Document:
    """A document that has just been uploaded."""
    digest = ring.vault.digest("document", tenant, sha256.encode())
    file_key = ring.vault.file_key(tenant, sha256)
    return Document(new_id(), case_id, sha256, size, media_type, filename, now_ms(), digest, file_key)


def _of_bytes(tenant: str, digest: str) -> tuple[str, str, str]:
    return "bytes", tenant, digest


def text_about(tenant: str, document: Document) -> tuple[str, str, str, str]:
    """What the text that was read out of a document is bound to."""
    return "text", tenant, document.case_id, document.document_id


def _sealed_document(tenant: str, document: Document, key: DataKey) -> bytes:
    assert document.file_key is not None
    known = {
        "sha256": document.sha256,
        "size": document.size,
        "media_type": document.media_type,
        "filename": document.filename,
        "key_id": document.file_key.key_id.hex(),
        "key": document.file_key.secret.hex(),
    }
    return key.seal(compact_json(known).encode(), "document", tenant, document.case_id, document.document_id)


def parse_document(tenant: str, document_id: str, raw: dict[bytes, bytes], ring: Keyring) -> Document | None:
    """A document as its hash holds it; `None` where there is none, or its case's key is gone."""
    if not raw:
        return None
    case_id = raw[b"case"].decode()
    if b"sealed" not in raw:
        return _document_in_clear(document_id, raw)
    try:
        told = from_json(_opened((tenant, case_id), raw[b"sealed"], "document", ring, document_id))
    except SealBroken:
        return None
    return Document(
        document_id=document_id,
        case_id=case_id,
        sha256=told["sha256"],
        size=told["size"],
        media_type=told["media_type"],
        filename=told["filename"],
        created_ms=int(raw[b"created"]),
        digest=raw[b"digest"].decode(),
        file_key=DataKey(bytes.fromhex(told["key_id"]), bytes.fromhex(told["key"])),
    )


def _document_in_clear(document_id: str, raw: dict[bytes, bytes]) -> Document:
    """As older releases kept it."""
    sha256 = raw[b"sha256"].decode()
    return Document(
        document_id=document_id,
        case_id=raw[b"case"].decode(),
        sha256=sha256,
        size=int(raw[b"size"]),
        media_type=raw[b"media_type"].decode(),
        filename=raw[b"filename"].decode(),
        created_ms=int(raw[b"created"]),
        digest=sha256,
    )


class CaseFile:
    """Reads cases and documents for actors."""

    def __init__(self, client: redis.Redis, settings: Settings, case_keys: CaseKeys | None = None) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self.keys = case_keys or CaseKeys(client, settings)

    def case(self, tenant: str, case_id: str) -> Case | None:
        with redis_faults():
            raw = cast(dict[bytes, bytes], self._client.hgetall(self._keys.of("case", tenant=tenant, case=case_id)))
        whose, ring = (tenant, case_id), self.keys.ring
        self.keys.ask(ring.unknown(sealed_values(whose, raw)))
        return parse_case(whose, raw, ring)

    def version(self, tenant: str, case_id: str) -> str | None:
        """Which conversation the case holds; `None` where there is no such case."""
        with redis_faults():
            raw = self._client.hget(self._keys.of("case", tenant=tenant, case=case_id), "version")
        return None if raw is None else cast(bytes, raw).decode()

    def document(self, tenant: str, document_id: str) -> Document | None:
        with redis_faults():
            raw = cast(
                dict[bytes, bytes], self._client.hgetall(self._keys.of("document", tenant=tenant, id=document_id))
            )
        ring = self.keys.ring
        self.keys.ask(ring.unknown(_sealed_of_document(tenant, raw)))
        return parse_document(tenant, document_id, raw, ring)

    def delete_unneeded(self, place: str, blobs: Blobs) -> None:
        """Delete a blob of documents or texts where no document is left that it belongs to."""
        kind, tenant, *_, name = place.split("/")
        if kind == "texts":
            if not self._exists("document", tenant=tenant, id=name.partition(".")[0]):
                blobs.delete(place)
        elif not self._exists("blob_users", tenant=tenant, digest=name):
            self._delete_unguarded_bytes(place, tenant, name, blobs)

    def _delete_unguarded_bytes(self, place: str, tenant: str, digest: str, blobs: Blobs) -> None:
        """Unless somebody uploads the same bytes just now."""
        guard = self._client.lock(
            self._keys.of("blob_guard", tenant=tenant, digest=digest), timeout=GUARD_S, blocking=False
        )
        with redis_faults():
            if not guard.acquire():
                return
            try:
                if not self._exists("blob_users", tenant=tenant, digest=digest):
                    blobs.delete(place)
            finally:
                with suppress(LockError):
                    guard.release()

    def _exists(self, key: str, **fields: str) -> bool:
        with redis_faults():
            return bool(self._client.exists(self._keys.of(key, **fields)))

    def document_ids(self, tenant: str, case_id: str) -> tuple[str, ...]:
        """The documents of a case, oldest first (their ids sort by time)."""
        with redis_faults():
            members = self._client.smembers(self._keys.of("case_documents", tenant=tenant, case=case_id))
        return tuple(sorted(member.decode() for member in cast(set[bytes], members)))


def _sealed_of_document(tenant: str, raw: dict[bytes, bytes]) -> Iterator[tuple[Whose, bytes]]:
    if b"sealed" in raw:
        yield (tenant, raw[b"case"].decode()), raw[b"sealed"]


class CaseStore:
    """Writes and reads cases and documents for the gateway. Raises `Unavailable` when Redis is away."""

    def __init__(self, client: AsyncRedis, settings: Settings, case_keys: AsyncCaseKeys, caller: AsyncCaller) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self._case_keys = case_keys
        self._ring = case_keys.ring
        self._caller = caller
        self._ttl = settings.case_retention_s
        self._key_ttl = key_ttl_s(settings)

    @property
    def ring(self) -> Keyring:
        return self._ring

    async def _call(self, name: str, *arguments: Any) -> Any:
        with redis_faults():
            return await self._caller(name, self._keys.namespace, arguments)

    async def _store(self, name: str, whose: Whose, sealed: Callable[[DataKey], Sequence[Any]]) -> list[bytes]:
        """Call a script that stores what is sealed with the key of a case: again, where that is another by now."""
        for _ in range(SENT_AT_MOST):
            known = self._ring.known(whose)
            key = known or self._ring.fresh(whose)
            answer: list[bytes] = await self._call(
                name, *whose, key.wrapped, "" if known else "1", self._key_ttl, self._ttl, *sealed(key.data)
            )
            if answer[0] != b"rekey":
                self._ring.remember(whose, key)
                return answer
            self._ring.learn_all([whose], [answer[3] or None])
        raise Unavailable(KEYS_CHANGE)

    # ------------------------------------------------------------------------------------------- cases

    async def put(self, tenant: str, case_id: str, conversation: tuple[Turn, ...], metadata: dict[str, Any]) -> Case:
        """Replace the conversation and metadata of a case, or make it; its results and documents stay. Its vector
        stays for as long as the conversation does."""
        told = to_json(conversation)
        version = version_of(told, tenant, self._ring)

        def sealed(key: DataKey) -> Sequence[Any]:
            return (
                version,
                len(conversation),
                key.seal(told, "conversation", tenant, case_id, ""),
                key.seal(compact_json(metadata).encode(), "case metadata", tenant, case_id, ""),
            )

        await self._store("put_case", (tenant, case_id), sealed)
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
        whose = (tenant, case_id)
        await self._case_keys.ask(self._ring.unknown(sealed_values(whose, raw)))
        return parse_case(whose, raw, self._ring)

    async def has_conversation(self, tenant: str, case_id: str) -> bool:
        """Whether the case holds at least one message."""
        with redis_faults():
            turns, told = await self._client.hmget(self._case(tenant, case_id), ("turns", "conversation"))
        if turns is not None:
            return int(turns) > 0
        return told is not None and told != b"[]"

    # --------------------------------------------------------------------------------------- documents

    @asynccontextmanager
    async def bytes_guarded(self, tenant: str, digest: str) -> AsyncIterator[None]:
        """Let nobody else store or delete these bytes meanwhile: an upload that finds them must not lose them to the
        deletion of their last other user."""
        name = self._keys.of("blob_guard", tenant=tenant, digest=digest)
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

        def sealed(key: DataKey) -> Sequence[Any]:
            known = _sealed_document(tenant, document, key)
            return document.document_id, document.digest, document.created_ms, known

        await self._store("add_document", (tenant, document.case_id), sealed)
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
        await self._case_keys.ask(self._ring.unknown(_sealed_of_document(tenant, raw)))
        document = parse_document(tenant, document_id, raw, self._ring)
        if document is None:
            raise NotFound("there is no such document")
        return document

    async def documents(self, tenant: str, case_id: str) -> list[Document]:
        """The documents of a case, oldest first."""
        with redis_faults():
            members = await self._client.smembers(self._documents(tenant, case_id))
        ids = sorted(member.decode() for member in members)
        pipe = self._client.pipeline(transaction=False)
        for document_id in ids:
            pipe.hgetall(self._keys.of("document", tenant=tenant, id=document_id))
        with redis_faults():
            rows = await pipe.execute()
        await self._case_keys.ask(
            self._ring.unknown(chain.from_iterable(_sealed_of_document(tenant, r) for r in rows))
        )
        found = (parse_document(tenant, one, raw, self._ring) for one, raw in zip(ids, rows, strict=True))
        return [document for document in found if document is not None]

    async def document_ids(self, tenant: str, case_id: str) -> list[str]:
        """The ids of a case's documents, also where its key is gone."""
        with redis_faults():
            members = await self._client.smembers(self._documents(tenant, case_id))
        return sorted(member.decode() for member in members)

    async def remove_document(
        self, tenant: str, case_id: str, document_id: str, blobs: Blobs, audit_line: str = ""
    ) -> None:
        """Forget a document, and its bytes where no other document has the same; needs no key.

        Raises `OnHold` where a hold keeps its case."""
        with redis_faults():
            digest, in_clear = await self._client.hmget(
                self._keys.of("document", tenant=tenant, id=document_id), ("digest", "sha256")
            )
        known = digest or in_clear
        if known is None:
            with redis_faults():
                await self._client.srem(self._documents(tenant, case_id), document_id)
            return
        async with self.bytes_guarded(tenant, known.decode()):
            users = await self._call("remove_document", tenant, case_id, document_id, known, audit_line)
            if users == b"held":
                raise OnHold("the case is on hold; the document was not deleted")
            if users == 0:
                await asyncio.to_thread(blobs.delete, document_place(tenant, known.decode()))

    def _case(self, tenant: str, case_id: str) -> str:
        return self._keys.of("case", tenant=tenant, case=case_id)

    def _documents(self, tenant: str, case_id: str) -> str:
        return self._keys.of("case_documents", tenant=tenant, case=case_id)
