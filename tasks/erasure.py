"""Erasing a case (LGPD, Lei 13.709/2018, art. 18, VI), and the hold that forbids it.

The case's key goes first: from then on nothing of the case can be read, wherever a copy of it lies. Then its tasks,
documents and files go. Whoever is killed in the middle leaves a note of what has begun, and the next call goes on.
At the end stands a receipt, signed, that says what was erased and nothing of what it said.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.audit import LOCAL, By
from tasks.backup_stores import store_of
from tasks.blobs import Blobs, read_places, results_folder
from tasks.case_keys import Keyring, key_ttl_s
from tasks.cases import CaseStore
from tasks.clock import now_ms, rfc3339
from tasks.connection import AsyncRedis
from tasks.erasure_ledger import ErasureLedger
from tasks.errors import DespachoError, InvalidInput, NotFound, OnHold, Unavailable
from tasks.keys import Keys
from tasks.redis_faults import redis_faults
from tasks.sealing import SealBroken, Vault
from tasks.settings import Settings

log = logging.getLogger(__name__)

KNOWN_S = 30 * 86_400
"""How long a receipt is given again to who asks for it again."""
TASKS_AT_ONCE = 20
ROUNDS_AT_MOST = 100_000
HOLDS_AT_MOST = 10_000
COUNTED = ("tasks", "documents", "conversations", "vectors", "keys")

Call = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a case is kept, since when and by whom (the id of a token)."""

    reason: str
    by: str
    at_ms: int

    def as_json(self) -> dict[str, Any]:
        return {"reason": self.reason, "by": self.by, "at": rfc3339(self.at_ms)}


class Erasure:
    """Erases and holds cases. Every method raises `Unavailable` when Redis is away, and may then be called again."""

    def __init__(
        self, client: AsyncRedis, settings: Settings, call: Call, cases: CaseStore, ring: Keyring, blobs: Blobs
    ) -> None:
        self._client = client
        self._settings = settings
        self._keys = Keys(settings.namespace)
        self._call = call
        self._cases = cases
        self._ring = ring
        self._blobs = blobs

    # ------------------------------------------------------------------------------------------- erasing

    async def erase(self, tenant: str, case_id: str, by: By = LOCAL) -> dict[str, Any]:
        """Erase everything of a case and return the receipt; that of the last time, where nothing came since.

        Raises `NotFound`, and `OnHold` where a hold keeps the case."""
        line = by.line("case.delete")
        verdict, *receipt = await self._call("begin_erasure", tenant, case_id, KNOWN_S, line)
        if verdict == b"gone":
            raise NotFound("there is no such case")
        if verdict == b"held":
            raise OnHold("the case is on hold; nothing of it was erased")
        if verdict == b"done":
            return dict(json.loads(receipt[0]))
        self._ring.forget((tenant, case_id))
        return await self._until_all_is_gone(tenant, case_id, line)

    async def _until_all_is_gone(self, tenant: str, case_id: str, line: str) -> dict[str, Any]:
        for _ in range(ROUNDS_AT_MOST):
            await self._erase_tasks(tenant, case_id)
            await self._erase_documents(tenant, case_id)
            receipt = await self._receipt(tenant, case_id)
            if await self._call("end_erasure", tenant, case_id, json.dumps(receipt), KNOWN_S, line):
                await asyncio.to_thread(self._tell_backups, tenant, case_id)
                return receipt
        raise Unavailable("new tasks of the case come all the time")

    async def _erase_tasks(self, tenant: str, case_id: str) -> None:
        while members := await self._some_tasks(tenant, case_id):
            ids = [member.decode() for member in members]
            # Files first: a kill between the two leaves a record that is found again. And once more, because a run
            # may have written one meanwhile.
            await asyncio.to_thread(self._delete_results, tenant, ids)
            await self._call("erase_tasks", tenant, case_id, *ids)
            await asyncio.to_thread(self._delete_results, tenant, ids)

    async def _some_tasks(self, tenant: str, case_id: str) -> list[bytes]:
        """The next ones: the case's own, then those that have read its documents."""
        of = self._keys.of
        with redis_faults():
            own: list[bytes] = await self._client.zrange(
                of("by_case", tenant=tenant, case=case_id), 0, TASKS_AT_ONCE - 1
            )
            return own or await self._client.srandmember(of("about", tenant=tenant, case=case_id), TASKS_AT_ONCE)

    def _delete_results(self, tenant: str, task_ids: Sequence[str]) -> None:
        for task_id in task_ids:
            self._blobs.delete_folder(results_folder(tenant, task_id))

    async def _erase_documents(self, tenant: str, case_id: str) -> None:
        for document_id in await self._cases.document_ids(tenant, case_id):
            # Twice, for a run may have written meanwhile; one that writes later finds the document gone.
            await asyncio.to_thread(self._delete_read, tenant, document_id)
            await self._cases.remove_document(tenant, case_id, document_id, self._blobs)
            await asyncio.to_thread(self._delete_read, tenant, document_id)
            with redis_faults():
                erasure = self._keys.of("erasure", tenant=tenant, case=case_id)
                await self._client.hincrby(erasure, "documents", 1)

    def _delete_read(self, tenant: str, document_id: str) -> None:
        for place in read_places(tenant, document_id):
            self._blobs.delete(place)

    async def _receipt(self, tenant: str, case_id: str) -> dict[str, Any]:
        with redis_faults():
            counted = await self._client.hmget(self._keys.of("erasure", tenant=tenant, case=case_id), COUNTED)
        told = {
            "case_id": case_id,
            "tenant": tenant,
            "erased_at": rfc3339(now_ms()),
            "counts": {name: int(count or 0) for name, count in zip(COUNTED, counted, strict=True)},
        }
        signature, public_key = self._ring.vault.sign(signed_part(told))
        return {**told, "signature": {"algorithm": "Ed25519", "public_key": public_key, "value": signature}}

    def _tell_backups(self, tenant: str, case_id: str) -> None:
        """A restore must not bring the case back. Where the backups can't be reached, the next backup tells them."""
        if self._settings.backup_to is None:
            return
        try:
            ErasureLedger(store_of(self._settings)).note(tenant, case_id, now_ms())
        except (OSError, DespachoError) as error:
            log.warning("the backups could not be told of an erasure (%s)", type(error).__name__)

    # -------------------------------------------------------------------------------------------- holding

    async def hold(self, tenant: str, case_id: str, reason: str, by: By) -> Hold:
        """Keep a case from being erased and from expiring, until it is released. Raises `NotFound` and
        `InvalidInput` where too many are held."""
        sealed = self._ring.vault.task_key(tenant, _subject(case_id)).seal(reason.encode(), *_about(tenant, case_id))
        verdict = await self._hold(tenant, case_id, sealed, by.actor, by.line("case.hold"))
        if verdict == b"gone":
            raise NotFound("there is no such case")
        if verdict == b"full":
            raise InvalidInput.of("case_id", f"{HOLDS_AT_MOST} cases are on hold already; release some first")
        found = await self.held(tenant, case_id)
        if found is None:
            raise NotFound("the hold was released meanwhile")
        return found

    async def release(self, tenant: str, case_id: str, by: By = LOCAL) -> None:
        """End the hold; the case's time of retention begins anew. Raises `NotFound`."""
        if await self._hold(tenant, case_id, b"", "", by.line("case.release")) == b"gone":
            raise NotFound("the case is not on hold")

    async def _hold(self, tenant: str, case_id: str, reason: bytes, by: str, line: str) -> Any:
        times = (self._settings.case_retention_s, key_ttl_s(self._settings))
        return await self._call("hold_case", tenant, case_id, reason, by, *times, HOLDS_AT_MOST, line)

    async def held(self, tenant: str, case_id: str) -> Hold | None:
        """The hold on a case; `None` where there is none."""
        with redis_faults():
            raw = await self._client.hgetall(self._keys.of("case_hold", tenant=tenant, case=case_id))
        if not raw:
            return None
        return Hold(self._reason(tenant, case_id, raw[b"reason"]), raw[b"by"].decode(), int(raw[b"at"]))

    def _reason(self, tenant: str, case_id: str, sealed: bytes) -> str:
        """Why; nothing where that was sealed under a master key that isn't there any more."""
        try:
            key = self._ring.opening((tenant, ""), _subject(case_id), sealed)
            return key.open(sealed, *_about(tenant, case_id)).decode()
        except SealBroken:
            return ""


def _subject(case_id: str) -> str:
    return f"hold {case_id}"


def _about(tenant: str, case_id: str) -> tuple[str, ...]:
    return "hold", tenant, case_id


def signed_part(receipt: dict[str, Any]) -> bytes:
    """What of a receipt is signed: all but the signature, as JSON with sorted keys, without spaces, in ASCII."""
    told = {name: value for name, value in receipt.items() if name != "signature"}
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def is_genuine(receipt: dict[str, Any], vault: Vault) -> bool:
    """Whether this installation signed the receipt, and nothing in it was changed."""
    signature = receipt.get("signature")
    value = signature.get("value") if isinstance(signature, dict) else None
    return isinstance(value, str) and vault.has_signed(signed_part(receipt), value)
