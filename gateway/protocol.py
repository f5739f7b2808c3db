"""One HTTP connection that nobody can hold open or fill up: uvicorn's, with a time and a size for what it waits for.

uvicorn waits for ever for the head of a request and for its body, and keeps heads and trailers of any length in
memory. How far a request has come is looked at here on a timer per connection, so one that comes as it should costs
nothing. A body gets the more time the more of it has come: a steady slow line is no attack. Nor does uvicorn ever
give up a client that reads nothing: what is yet to be sent is kept for it, also when the connection was closed.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from enum import Enum, auto
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.connections import BACKLOG, Connection
from gateway.problem_kinds import BAD_REQUEST, HEAD_TOO_LARGE, REQUEST_TIMEOUT, Kind
from gateway.security_headers import HEADERS

LARGEST_HEAD = 64 << 10
"""Bytes of a request line with its headers; also of what a chunked body has around its data, beside as much again as
that data."""
LARGEST_REST = 1 << 20
"""Bytes of a body that are still taken, and thrown away, when the request was answered without it."""
SLOWEST_BYTES_PER_S = 4_096
"""A body that comes faster than this never takes too long."""


class Await(Enum):
    """What the connection waits for."""

    REQUEST = auto()
    HEAD = auto()
    BODY = auto()
    REST = auto()
    ANSWER = auto()


class GuardedProtocol(Connection):
    """Extends `data_received` and the callbacks of the parser; all else is `Connection`'s and uvicorn's."""

    patience_s = 20.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._awaits = Await.REQUEST
        self._since = self.loop.time()
        # Bytes of the request: those of its body, and all others.
        self._body = self._others = 0
        self._began_now = False
        self._unsent, self._unsent_since = 0, self._since
        self._timer = self.loop.call_later(self.patience_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    # ------------------------------------------------------------------------------- what comes is counted

    def data_received(self, data: bytes) -> None:
        self._began_now = False
        self._others += len(data)
        super().data_received(data)
        if self._began_now:
            # How much of this was an earlier request's is not known, and it is little.
            self._others = 0
        if self._others > LARGEST_HEAD + self._body and self._awaits is not Await.ANSWER:
            self._refuse_what_is_around()
        if self._awaits is Await.REST and self._body > LARGEST_REST:
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._began_now = True
        self._body = 0
        if self._awaits is Await.ANSWER:
            # It comes before the answer to the one before: its time begins now.
            self._since = self.loop.time()
        self._awaits = Await.HEAD

    def on_header(self, name: bytes, value: bytes) -> None:
        # What comes behind a body is not read by anybody here, so it is not kept.
        if self._awaits is Await.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._begin_to_await(Await.BODY)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        self._others -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._begin_to_await(Await.REQUEST if self._awaits is Await.REST else Await.ANSWER)

    def on_response_complete(self) -> None:
        if self._awaits is Await.BODY:
            self._body = 0
            self._begin_to_await(Await.REST)
        elif self._awaits is Await.ANSWER and not self.pipeline:
            self._begin_to_await(Await.REQUEST)
        super().on_response_complete()

    def _begin_to_await(self, what: Await) -> None:
        self._awaits = what
        self._since = self.loop.time()

    # ------------------------------------------------------------------------ what doesn't come is given up

    def _look(self) -> None:
        now = self.loop.time()
        if self._awaits is Await.ANSWER or self.flow.read_paused:
            # It is for us to go on.
            self._since = now
        allowed_s = self._body / SLOWEST_BYTES_PER_S if self._awaits is Await.BODY else 0.0
        until = self._since + self.patience_s + allowed_s
        if self._reads_nothing(now):
            self.transport.abort()
        elif now >= until:
            self._give_up()
        following = until if now < until else now + self.patience_s
        self._timer = self.loop.call_at(min(following, now + self.patience_s), self._look)

    def _reads_nothing(self, now: float) -> bool:
        """Whether all this time not a byte of what is to be sent was taken."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        return now - self._unsent_since >= self.patience_s

    def _give_up(self) -> None:
        if self._awaits in (Await.HEAD, Await.BODY):
            self._refuse(REQUEST_TIMEOUT, "The request did not come in time.")
        else:
            self.transport.close()

    def _refuse_what_is_around(self) -> None:
        if self._awaits is Await.HEAD:
            self._refuse(HEAD_TOO_LARGE, f"The headers may have {LARGEST_HEAD} bytes.")
        else:
            self._refuse(BAD_REQUEST, "The body has more around its data than data.")

    def send_400_response(self, msg: str) -> None:
        self._refuse(BAD_REQUEST, msg)

    def _refuse(self, kind: Kind, detail: str) -> None:
        """Answer, where nothing was answered yet, and close; whoever handles the request hears that it is gone."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        is_handled = cycle is not None and not cycle.response_complete
        if is_handled:
            cycle.disconnected = True
            cycle.message_event.set()
        if not is_handled or not cycle.response_started:
            self.transport.write(_answer(kind, detail))
        self.transport.close()


def _answer(kind: Kind, detail: str) -> bytes:
    body = json.dumps({"type": kind.uri, "title": kind.title, "status": kind.status, "detail": detail}).encode()
    headers = {
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
        "connection": "close",
        "x-request-id": secrets.token_hex(8),
    }
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    head = b"".join(b"%b: %b\r\n" % line for line in (*lines, *HEADERS))
    return STATUS_LINE[kind.status] + head + b"\r\n" + body


def configure(app: Any, patience_s: float, **options: Any) -> Config:
    """How uvicorn serves the gateway, for real and in tests; `patience_s` is how long a request may take to come."""
    protocol = type("Protocol", (GuardedProtocol,), {"patience_s": patience_s})
    return Config(
        app,
        http=protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # The application itself believes the proxies that the settings name, and no one else.
        proxy_headers=False,
        backlog=BACKLOG,
        **options,
    )
