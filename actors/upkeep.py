"""Upkeep: forgets what is older than its retention, with the files that belong to it."""

from __future__ import annotations

from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.blobs import results_folder
from tasks.payloads import UpkeepPayload, UpkeepResult


def sweep(run: Run, payload: UpkeepPayload, tools: Toolbox) -> UpkeepResult:  # noqa: ARG001
    """Expire ended tasks in small steps, so that nobody waits for a long script."""
    expired = 0
    while some := tools.ledger.expired():
        # Files first: a kill between the two leaves a record that is found again, not a file that nobody knows of.
        for task_id, tenant in some.items():
            if tenant:
                tools.blobs.delete_folder(results_folder(tenant, task_id))
        expired += tools.ledger.expire(some)
        run.report(50, f"{expired} tarefas antigas apagadas")
    return UpkeepResult(expired=expired)
