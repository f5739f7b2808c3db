"""The task behind a gradual replay of dead letters: it does what can be done now, and comes again."""

from __future__ import annotations

from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.errors import NotNow
from tasks.gradual_replays import ReplayBook
from tasks.payloads import ReplayPayload, ReplayResult


def replay(run: Run, payload: ReplayPayload, tools: Toolbox) -> ReplayResult:
    """Raises `NotNow` while tasks that were replayed run."""
    book = ReplayBook(tools.ledger, tools.settings)
    wait_s = book.go_on(payload.replay_id)
    found = book.read(payload.replay_id)
    if wait_s is None or found is None:
        return ReplayResult(replay_id=payload.replay_id, state="gone" if found is None else found.state)
    run.report(100 * found.replayed / found.total, f"{found.replayed} de {found.total} executadas de novo")
    raise NotNow(wait_s)
