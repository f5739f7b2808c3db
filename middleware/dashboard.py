"""dramatiq-dashboard over our lanes: it asks a broker for its client, namespace, queues and `enqueue`, so it gets
one whose queues are the lanes."""

from __future__ import annotations

from typing import Any

from middleware.broker import LaneBroker, build_broker
from tasks.settings import Settings

THREADS = 4


class _LanesAsQueues:
    def __init__(self, broker: LaneBroker) -> None:
        self.client = broker.client
        self.namespace = broker.namespace
        self.queues = set(broker.catalog.lanes)
        self.enqueue = broker.enqueue


def dashboard_app(settings: Settings, prefix: str) -> Any | None:
    """The dashboard as an ASGI application, to be mounted at `prefix`; `None` where it isn't installed."""
    try:
        from a2wsgi import WSGIMiddleware
        from dramatiq_dashboard import DashboardApp
    except ImportError:
        return None
    lanes = _LanesAsQueues(build_broker(settings))
    return WSGIMiddleware(DashboardApp(broker=lanes, prefix=prefix), workers=THREADS)
