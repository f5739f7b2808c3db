"""All actors of Despacho. When those that come by themselves are due is in `tasks/timetable.py`."""

from __future__ import annotations

from actors import alerts, backup, batch, documents, embeddings, notices, replays, reports, triage, upkeep, webhooks
from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from middleware.broker import LaneBroker

DECLARED = (
    Declared("triage.process_async", triage.process),
    Declared("documents.analyze_async", documents.analyze),
    Declared("embeddings.generate_async", embeddings.generate),
    Declared("batch.process_cases", batch.process_cases),
    Declared("batch.process_case", batch.process_case),
    Declared("webhooks.deliver", webhooks.deliver),
    Declared("notices.send", notices.send),
    Declared("reports.generate", reports.generate),
    Declared("alerts.evaluate", alerts.evaluate),
    Declared("backup.run", backup.run_backup),
    Declared("dead_letters.replay", replays.replay),
    Declared("upkeep.sweep", upkeep.sweep),
)


def declare_all(broker: LaneBroker) -> Toolbox:
    """Give the broker every actor; returns the tools that they share."""
    tools = Toolbox(broker.ledger, broker.settings)
    for declared in DECLARED:
        declare(broker, declared, tools)
    return tools
