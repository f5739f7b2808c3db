"""dramatiq-dashboard over our lanes: it asks a broker for its client, namespace, queues and `enqueue`, so it gets
one whose queues are the lanes."""

from __future__ import annotations

import logging
import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from threading import local
from typing import Any

from dramatiq.common import xq_name

from middleware.broker import LaneBroker, build_broker
from tasks.errors import IllegalMove, NotFound, OnHold
from tasks.ledger import Ledger
from tasks.settings import Settings

log = logging.getLogger(__name__)
THREADS = 4


class _LanesAsQueues:
    def __init__(self, broker: LaneBroker) -> None:
        self.client = broker.client
        self.namespace = broker.namespace
        self.queues = set(broker.catalog.lanes)
        self.enqueue = broker.enqueue


class _Hands:
    """Its buttons as moves of our records, for it would move messages alone, behind their back: what it deletes is
    cancelled, a dead letter forgotten, and what it requeues it needn't delete first."""

    def __init__(self, app: Any, ledger: Ledger) -> None:
        self._app = app
        self._shown = app.iface
        self._ledger = ledger
        self._of_thread = local()
        app.iface = self

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self._of_thread.requeues = environ["PATH_INFO"].endswith("/requeue-message")
        return self._app(environ, start_response)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shown, name)

    def delete_message(self, queue: str, message_id: str) -> None:
        """`queue` is a lane, with `.DQ` or `.XQ` behind it where the message waits for its time or is dead."""
        if self._of_thread.requeues:
            return
        try:
            self._end(queue, message_id)
        except OnHold as refusal:
            log.warning("task %s was not deleted: %s", message_id, refusal)
            return
        except (NotFound, IllegalMove):
            # A message whose task is gone, or has ended: there is nothing else to tell.
            pass
        if queue == xq_name(queue):
            self._shown.delete_message(queue, message_id)

    def _end(self, queue: str, message_id: str) -> None:
        if queue == xq_name(queue):
            self._ledger.discard(message_id)
        else:
            self._ledger.cancel(message_id)


def dashboard_app(settings: Settings, prefix: str) -> Any | None:
    """The dashboard as an ASGI application, to be mounted at `prefix`; `None` where it isn't installed."""
    try:
        from a2wsgi import WSGIMiddleware
        from dramatiq_dashboard import DashboardApp
    except ImportError:
        return None
    broker = build_broker(settings)
    app = DashboardApp(broker=_LanesAsQueues(broker), prefix=prefix)
    return WSGIMiddleware(_Hands(app, broker.ledger), workers=THREADS)


def dashboard_styles() -> list[str]:
    """The hashes of the style blocks of its pages, as a Content-Security-Policy names them: it has no files."""
    pages = [template.read_text() for template in (files("dramatiq_dashboard") / "templates").iterdir()]
    styles = re.findall(r"<style>(.*?)</style>", "".join(pages), re.DOTALL)
    return [f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" for style in styles]
