"""Upkeep: forgets what is older than its retention, with the files that belong to it."""

from __future__ import annotations

from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.payloads import UpkeepPayload, UpkeepResult


def sweep(run: Run, payload: UpkeepPayload, tools: Toolbox) -> UpkeepResult:  # noqa: ARG001
    """Expire ended tasks in small steps, so that nobody waits for a long script."""
    expired = 0
    while True:
        some, places = tools.ledger.expire()
        for place in places:
            tools.blobs.delete(place)
        expired += some
        if some == 0:
            return UpkeepResult(expired=expired, requeued=0)
        run.report(50, f"{expired} tarefas antigas apagadas")
