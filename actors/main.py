"""All actors of Despacho, and when those that have a schedule are due."""

from __future__ import annotations

from actors import alerts, backup, batch, documents, embeddings, notices, reports, triage, upkeep, webhooks
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
    # In the service's time zone. periodiq never fires on weekday 0: Sunday is 7.
    Declared("reports.generate", reports.generate, schedule="0 6 * * *"),
    Declared("alerts.evaluate", alerts.evaluate, schedule="* * * * *"),
    Declared("backup.run", backup.run_backup, schedule="30 2 * * *"),
    Declared("upkeep.sweep", upkeep.sweep, schedule="*/5 * * * *"),
)


def declare_all(broker: LaneBroker) -> Toolbox:
    """Give the broker every actor; returns the tools that they share."""
    tools = Toolbox(broker.ledger, broker.settings)
    for declared in DECLARED:
        declare(broker, declared, tools)
    return tools
