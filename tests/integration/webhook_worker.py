"""A worker process whose triages are quick, and which delivers webhooks: to be killed."""

from __future__ import annotations

from threading import Event

from actors import webhooks
from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from middleware.broker import build_broker
from middleware.worker import LaneWorker
from tasks.settings import Settings
from tests.integration.conftest import quick_triage


def main() -> None:
    settings = Settings.load()
    broker = build_broker(settings)
    tools = Toolbox(broker.ledger, settings)
    declare(broker, Declared("triage.process_async", quick_triage), tools)
    declare(broker, Declared("webhooks.deliver", webhooks.deliver), tools)
    LaneWorker(broker, settings.threads).start()
    Event().wait()


if __name__ == "__main__":
    main()
