"""A line in the log for each request that was answered, or cut off: its route, never its path or query, which may
hold a secret or whatever else a caller put there.

Not counting: that is `metrics.CountedRequests`. Pure ASGI, so a stream's line comes when it ends.
"""

from __future__ import annotations

import logging
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.metrics import METHODS

log = logging.getLogger("despacho.access")
NO_ROUTE = "(no such route)"


class AccessLog:
    """Outside of everything that may answer, and inside of nothing but the counting."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, size = monotonic(), 0, 0

        async def send_noted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            tell(scope, status, size, 1_000 * (monotonic() - began))


def tell(scope: Scope, status: int, size: int, duration_ms: float) -> None:
    """Status 0: the client was gone before there was an answer."""
    method = scope["method"] if scope["method"] in METHODS else "other"
    fields = {
        "http_method": method,
        "http_route": route_of(scope),
        "http_status": status,
        "bytes": size,
        "duration_ms": round(duration_ms, 3),
    }
    log.info("%s %s %d in %.1f ms", method, fields["http_route"], status, duration_ms, extra={"fields": fields})


def route_of(scope: Scope) -> str:
    """The pattern of the route that a request came to, such as `/api/tasks/{task_id}`."""
    return str(getattr(scope.get("route"), "path", NO_ROUTE))
