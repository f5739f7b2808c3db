"""Tasks as they are stored: payload, metadata and result sealed, each bound to its task, case and tenant.

Knows keys from `case_keys`, ciphers from `sealing`, and nothing of Redis.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from pydantic_core import from_json

from tasks.batch_counts import recounted
from tasks.case_keys import Keyring, Whose
from tasks.errors import CaseRekeyed
from tasks.record import Task, compact_json
from tasks.sealing import SEALED, CaseKey, DataKey, SealBroken, file_key_id
from tasks.submission import NewTask

NOTHING = "{}"


@dataclass(frozen=True, slots=True)
class TaskSeal:
    """The key of one task, and what its values are bound to."""

    key: DataKey
    tenant: str
    case_id: str
    task_id: str

    def seal(self, plain: bytes, kind: str) -> bytes:
        return self.key.seal(plain, *self._about(kind))

    def open(self, sealed: bytes, kind: str) -> bytes:
        """Raises `SealBroken`; what an older release wrote in clear is given back as it is."""
        return self.key.open(sealed, *self._about(kind))

    def seal_file(self, chunks: Iterable[bytes], place: str) -> Iterator[bytes]:
        """What the task leaves in the blob store, a piece at a time."""
        return self.key.seal_file(chunks, *self._about(place))

    def open_file(self, sealed: Iterable[bytes], place: str) -> Iterator[bytes]:
        """Raises `SealBroken`."""
        return self.key.open_file(sealed, *self._about(place))

    def _about(self, kind: str) -> tuple[str, ...]:
        return (kind, self.tenant, self.case_id, self.task_id)


class SealedTasks:
    """Seals tasks for one call of `submit`, and knows the keys that the call has to name."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring
        self._used: dict[Whose, CaseKey] = {}
        self._fresh: set[Whose] = set()

    def arguments(self, task: NewTask) -> list[str | int | bytes]:
        """One task in the order in which `submit.lua` reads it. Raises `CaseRekeyed`."""
        payload, metadata = self._bodies(task)
        return [
            task.task_id,
            task.name,
            task.queue,
            task.priority.value,
            task.tenant,
            task.case_id,
            task.parent_id,
            "" if task.eta_ms is None else task.eta_ms,
            "" if task.delay_ms is None else task.delay_ms,
            task.options,
            payload,
            metadata,
            "1" if task.held else "",
            task.callback,
        ]

    def _bodies(self, task: NewTask) -> tuple[bytes | str, bytes | str]:
        """Payload and metadata. What says nothing needs no key."""
        if task.payload == NOTHING and not task.metadata and not task.case_id:
            return NOTHING, ""
        sealer, whose = self._key_of(task).sealer(), (task.tenant, task.case_id, task.task_id)
        metadata = sealer.seal(task.metadata.encode(), "metadata", *whose) if task.metadata else ""
        return sealer.seal(self._whole(task), "payload", *whose), metadata

    def key_arguments(self) -> list[str | bytes]:
        """Each case whose key was used: tenant, case, the key as it is kept, and whether it is a new one."""
        return [
            part
            for whose, key in self._used.items()
            for part in (*whose, key.wrapped, "1" if whose in self._fresh else "")
        ]

    def are_kept(self, replayed: bool) -> None:
        """The call went through: its new keys count, unless nothing was stored."""
        if not replayed:
            for whose in self._fresh:
                self._ring.remember(whose, self._used[whose])

    def _key_of(self, task: NewTask) -> DataKey:
        if not task.case_id:
            return self._ring.vault.task_key(task.tenant, task.task_id)
        key = self._case_key((task.tenant, task.case_id), may_be_fresh=not task.read_under).data
        if task.read_under and task.read_under != key.key_id:
            raise CaseRekeyed("the case was erased meanwhile")
        return key

    def _case_key(self, whose: Whose, *, may_be_fresh: bool = True) -> CaseKey:
        used = self._used.get(whose)
        if used is not None:
            return used
        key = self._ring.known(whose)
        if key is None:
            if not may_be_fresh:
                raise CaseRekeyed("the case was erased meanwhile")
            key = self._ring.fresh(whose)
            self._fresh.add(whose)
        self._used[whose] = key
        return key

    def _whole(self, task: NewTask) -> bytes:
        """The payload's JSON, and on a second line the texts of other cases, sealed with the keys of theirs."""
        if not task.parts:
            return task.payload.encode()
        parts = {
            case_id: base64.b64encode(self._part(task, case_id, text)).decode()
            for case_id, text in task.parts.items()
        }
        return f"{task.payload}\n{compact_json(parts)}".encode()

    def _part(self, task: NewTask, case_id: str, text: str) -> bytes:
        key = self._case_key((task.tenant, case_id)).data
        return key.seal(text.encode(), "part", task.tenant, case_id, task.task_id)


def open_payload(payload: bytes, seal: TaskSeal) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A payload, and the texts of other cases that came with it, still sealed. Raises `SealBroken` and
    `ValueError`."""
    body, _, parts = seal.open(payload, "payload").partition(b"\n")
    found = from_json(parts) if parts else {}
    return from_json(body), {case_id: base64.b64decode(part) for case_id, part in found.items()}


def open_part(sealed: bytes, key: DataKey, tenant: str, case_id: str, task_id: str) -> bytes:
    """The text of one case that came with a task of another. Raises `SealBroken`."""
    return key.open(sealed, "part", tenant, case_id, task_id)


# --------------------------------------------------------------------------------------------- records


def sealed_values(tasks: Iterable[Task]) -> Iterator[tuple[Whose, bytes]]:
    """What has to be opened with the keys of cases."""
    for task in tasks:
        if task.case_id:
            for value in task.sealed.values():
                yield (task.tenant, task.case_id), value


def opened(task: Task, ring: Keyring) -> Task:
    """The record with its metadata and result, as far as their key is known: what was erased is not there."""
    if not task.sealed:
        return recounted(task)
    found: dict[str, Any] = {}
    for kind, value in task.sealed.items():
        try:
            found[kind] = from_json(seal_of(task, ring, value).open(value, kind))
        except SealBroken:
            continue
    return recounted(replace(task, sealed={}, **found))


def seal_of(task: Task, ring: Keyring, sealed: bytes) -> TaskSeal:
    """What opens a value of a task. Raises `SealBroken`."""
    key = ring.opening((task.tenant, task.case_id or ""), task.task_id, sealed)
    return TaskSeal(key, task.tenant, task.case_id or "", task.task_id)


def open_file_of(task: Task, ring: Keyring, sealed: Iterable[bytes], place: str) -> Iterator[bytes]:
    """What a task left in the blob store, a piece at a time; in clear where an older release wrote it. Raises
    `SealBroken`."""
    source = iter(sealed)
    first = next(source, b"")
    whole = chain([first], source)
    key_id = file_key_id(first)
    return whole if key_id is None else seal_of(task, ring, SEALED + key_id).open_file(whole, place)
