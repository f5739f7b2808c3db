"""A span for each request, a child of the caller's where it brought a `traceparent`. In the stack only where traces
are on. It tells the route and the status, never the path or the query.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access_log import route_of
from gateway.metrics import METHODS
from tasks import tracing
from tasks.context import present

UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked for all the time, by machines."""


class Traced:
    """Pure ASGI: a stream's span lasts as long as the stream."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNTRACED:
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        with tracing.span(method, "server", parent=_carrier(scope), http__request__method=method) as span:

            async def send_noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set(http__response__status_code=message["status"])
                    if message["status"] >= 500:
                        span.fail(str(message["status"]))
                await send(message)

            try:
                await self._app(scope, receive, send_noted)
            finally:
                _tell(span, method, scope)


def _tell(span: tracing.Span, method: str, scope: Scope) -> None:
    route, context = route_of(scope), present()
    span.name(f"{method} {route}")
    span.set(http__route=route)
    if context is not None:
        span.set(despacho__request_id=context.request_id, despacho__tenant=context.tenant)


def _carrier(scope: Scope) -> dict[str, str]:
    wanted = (b"traceparent", b"tracestate")
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in wanted}
