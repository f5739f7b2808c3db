"""Gives every response its `X-Request-ID`, the caller's own where it is sane, and the headers that every response
of the service carries; a fault of ours becomes a 500 that names this id. Pure ASGI: it never holds a stream back.
"""

from __future__ import annotations

import logging
import re
import secrets

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.problems import on_fault
from gateway.rate_limits import Standing
from gateway.security_headers import SecurityHeaders
from tasks.context import REQUEST_ID, Context, begin
from tasks.settings import Settings

log = logging.getLogger(__name__)
_SANE = re.compile(REQUEST_ID.pattern.encode())


class RequestId:
    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._security = SecurityHeaders(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given(scope) or secrets.token_hex(8).encode()
        scope["request_id"] = request_id.decode()
        begin(Context(request_id=scope["request_id"]))

        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = [*message["headers"], (b"x-request-id", request_id), *_standing(scope)]
                self._security.complete(headers)
                message["headers"] = headers
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            log.debug("request %s: the client hung up", request_id)
        except Exception as error:
            if started:
                raise
            response = await on_fault(Request(scope), error)
            await response(scope, receive, send_with_id)


def _standing(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that say how the caller stands with the rate limit, where one was asked."""
    standing = scope.get("rate")
    return standing.headers() if isinstance(standing, Standing) else ()


def _given(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE.fullmatch(value):
            return bytes(value)
    return None
