"""dramatiq-dashboard over our lanes: it asks a broker for its client, namespace, queues and `enqueue`, so it gets
one whose queues are the lanes."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
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


def dashboard_styles() -> list[str]:
    """The hashes of the style blocks of its pages, as a Content-Security-Policy names them: it has no files."""
    pages = [template.read_text() for template in (files("dramatiq_dashboard") / "templates").iterdir()]
    styles = re.findall(r"<style>(.*?)</style>", "".join(pages), re.DOTALL)
    return [f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" for style in styles]
