"""The cases that were erased, as a folder of backups is told: a restore of an older backup leaves them out.

A backup holds the wrapped keys of cases, so what was erased after it could be read again. Backups are copied to tapes
and buckets where nobody can rewrite them on every erasure; so each erasure leaves a note beside the backups instead,
by the erasure itself where `DESPACHO_BACKUP_TO` names the place, and again by every backup from the receipts in
Redis. A restore reads the notes beside the backup that it was given. Only a backup that is carried off alone, without
them, still has the key; how long backups are kept bounds that.

A note says tenant, case and time: ids, nothing of what was told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from tasks.archive import ERASURES
from tasks.backup_stores import BackupStore

Whose = tuple[str, str]


class ErasureLedger:
    """The notes in a store of backups. Every method raises `OSError` or `BucketFailed` where it can't be reached."""

    def __init__(self, store: BackupStore) -> None:
        self._store = store

    def note(self, tenant: str, case_id: str, at_ms: int) -> None:
        """Note an erasure; the latest one of a case counts."""
        name = hashlib.sha256(f"{tenant}\n{case_id}".encode()).hexdigest() + ".json"
        told = {"tenant": tenant, "case_id": case_id, "erased_at_ms": at_ms}
        self._store.put(f"{ERASURES}/{name}", json.dumps(told).encode())

    def since(self, at_ms: int) -> set[Whose]:
        """The cases that were erased at this time or later. Raises `ValueError` for a note that is damaged."""
        return {(told["tenant"], told["case_id"]) for _, told in self._all() if int(told["erased_at_ms"]) >= at_ms}

    def forget_before(self, at_ms: int) -> None:
        """Drop the notes that concern no backup that is still there."""
        for place, told in self._all():
            if told["erased_at_ms"] < at_ms:
                self._store.delete(place)

    def _all(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name in sorted(self._store.names(ERASURES)):
            if name.endswith(".json"):
                with self._store.open(f"{ERASURES}/{name}") as file:
                    yield f"{ERASURES}/{name}", json.loads(file.read())
