"""The nightly backup, where `DESPACHO_BACKUP_TO` names a folder or a bucket.

What a backup is, and what it leaves out, is the business of `tasks.backup`.
"""

from __future__ import annotations

from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.backup import back_up
from tasks.backup_stores import store_of
from tasks.payloads import BackupPayload, BackupResult


def run_backup(run: Run, payload: BackupPayload, tools: Toolbox) -> BackupResult:  # noqa: ARG001
    """Write it, telling how far it is: so a wish to cancel is heard."""
    settings = tools.settings
    if settings.backup_to is None:
        return BackupResult()
    name, manifest = back_up(
        tools.ledger.client,
        settings,
        store_of(settings),
        settings.backup_keep_days,
        lambda written: run.report(50, f"{written} entradas gravadas"),
    )
    size = sum(part.bytes for part in manifest.parts)
    return BackupResult(name=name, entries=sum(manifest.counts.values()), bytes=size)
