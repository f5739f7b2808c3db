"""Upkeep: forgets what is older than its retention, with the files that belong to it, and mends what has gone astray.

What can go astray, and how it is found, is the business of `tasks.inspection`.
"""

from __future__ import annotations

from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.blobs import results_folder
from tasks.inspection import Inspection, pause_for
from tasks.payloads import UpkeepPayload, UpkeepResult

FILES_A_SWEEP = 2_000
UNNEEDED_AFTER_S = 3_600.0
"""A file is written before its document is: younger ones are left alone."""
MEMBERS_A_SWEEP = 100_000
"""Of each index of ended tasks; a sweep comes every few minutes, and the next one looks elsewhere."""


def sweep(run: Run, payload: UpkeepPayload, tools: Toolbox) -> UpkeepResult:  # noqa: ARG001
    """Both in small steps, so that nobody waits for a long script."""
    tools.ledger.fold_totals()
    expired = _expire(run, tools)
    _delete_unneeded(tools)
    run.report(50, f"{expired} tarefas antigas apagadas")
    mended = _mend(tools)
    run.report(99, f"{mended} desvios corrigidos")
    return UpkeepResult(expired=expired, mended=mended)


def _expire(run: Run, tools: Toolbox) -> int:
    expired = 0
    while some := tools.ledger.expired():
        # Files first: a kill between the two leaves a record that is found again, not a file that nobody knows of.
        tools.blobs.delete_folders([results_folder(tenant, task_id) for task_id, tenant in some.items() if tenant])
        expired += tools.ledger.expire(some)
        run.report(25, f"{expired} tarefas antigas apagadas")
    return expired


def _delete_unneeded(tools: Toolbox) -> None:
    """A case that was not changed for its time of retention goes from Redis in silence; so do its documents here."""
    for folder in ("documents", "texts"):
        for place in tools.blobs.some_old(folder, UNNEEDED_AFTER_S, FILES_A_SWEEP):
            tools.cases.delete_unneeded(place, tools.blobs)


def _mend(tools: Toolbox) -> int:
    pause_s = pause_for(tools.settings.heartbeat_timeout_s)
    return len(Inspection(tools.ledger, pause_s, MEMBERS_A_SWEEP).run(mend=True).confirmed)
