"""What a gateway process asks of its connections beyond uvicorn: room for thousands of them, little of the kernel's
memory for what a slow client hasn't taken, and a way to cut one that takes nothing any more.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ABORT = "abort"
OPEN_FILES = 65_536
UNSENT_BYTES = 64 * 1024
"""What the kernel takes of a response before the client has: with megabytes of it, a slow client would seem quick."""
BACKLOG = 4_096
"""Connections that may wait to be accepted: after a restart all who watch come back in the same second."""


class Connection(HttpToolsProtocol):
    """uvicorn's own protocol, whose requests can have their connection cut (`abort_of`)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, ABORT: transport.abort}
        _bound_unsent(transport)


def _bound_unsent(transport: asyncio.Transport) -> None:
    """See tcp(7), TCP_NOTSENT_LOWAT; where there is no such thing, the kernel's own bounds hold."""
    option, known = getattr(socket, "TCP_NOTSENT_LOWAT", None), transport.get_extra_info("socket")
    if option is None or known is None or known.family not in (socket.AF_INET, socket.AF_INET6):
        return
    # uvloop's own kind of socket sets no options.
    same = socket.socket(known.family, socket.SOCK_STREAM, fileno=known.fileno())
    try:
        with suppress(OSError):
            same.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)
    finally:
        same.detach()


def abort_of(request: Request) -> Callable[[], None]:
    """Cuts the connection of a request without a word more; does nothing under a server that has no such thing."""
    state: dict[str, Any] = request.scope.get("state", {})
    abort: Callable[[], None] = state.get(ABORT, lambda: None)
    return abort


def raise_file_limit() -> None:
    """As many open files as the system allows this process, up to what it may ever need: each watcher is one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
