"""The cases that were erased, as a folder of backups is told: a restore of an older backup leaves them out.

A backup holds the wrapped keys of cases, so what was erased after it could be read again. Backups are copied to tapes
and buckets where nobody can rewrite them on every erasure; so each erasure leaves a note beside the backups instead,
by the erasure itself where `DESPACHO_BACKUP_TO` names the folder, and again by every backup from the receipts in
Redis. A restore reads the notes beside the backup that it was given. Only a backup that is carried off alone, without
them, still has the key; how long backups are kept bounds that.

A note says tenant, case and time: ids, nothing of what was told.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

from tasks.archive import ERASURES

Whose = tuple[str, str]


class ErasureLedger:
    """The notes in a folder of backups. Every method raises `OSError` where the folder can't be reached."""

    def __init__(self, store: Path) -> None:
        self._folder = store / ERASURES

    def note(self, tenant: str, case_id: str, at_ms: int) -> None:
        """Note an erasure; the latest one of a case counts."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = hashlib.sha256(f"{tenant}\n{case_id}".encode()).hexdigest() + ".json"
        text = json.dumps({"tenant": tenant, "case_id": case_id, "erased_at_ms": at_ms})
        with tempfile.NamedTemporaryFile("w", dir=self._folder, prefix=".", delete=False) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, self._folder / name)

    def since(self, at_ms: int) -> set[Whose]:
        """The cases that were erased at this time or later. Raises `ValueError` for a note that is damaged."""
        return {whose for whose, erased_ms in self._all().items() if erased_ms >= at_ms}

    def forget_before(self, at_ms: int) -> None:
        """Drop the notes that concern no backup that is still there."""
        for path in self._paths():
            told = json.loads(path.read_text())
            if told["erased_at_ms"] < at_ms:
                path.unlink(missing_ok=True)

    def _all(self) -> dict[Whose, int]:
        notes = (json.loads(path.read_text()) for path in self._paths())
        return {(told["tenant"], told["case_id"]): int(told["erased_at_ms"]) for told in notes}

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []
