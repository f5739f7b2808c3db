"""The body of a gateway process: uvicorn over `create_app`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
from contextlib import suppress
from types import FrameType

import uvicorn

from gateway.app import create_app
from gateway.bridge import Bridge
from gateway.connections import raise_file_limit
from gateway.protocol import configure
from tasks import tracing
from tasks.connection import connect
from tasks.errors import Unavailable
from tasks.installation import check_installation
from tasks.readiness import announce_ready
from tasks.settings import Settings

NEW_OBJECTS = 50_000


class Server(uvicorn.Server):
    """Says that it is ready when it listens, not before, and ends its streams when it is told to stop.

    An open stream would hold up the shutdown for ever, and the end of the application's lifespan comes only after
    it: so the streams end with the signal itself.
    """

    def __init__(self, config: uvicorn.Config, bridge: Bridge) -> None:
        super().__init__(config)
        self._bridge = bridge
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            announce_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._bridge.stop_watching)
        super().handle_exit(sig, frame)


def _say_nothing_of_cut_streams() -> None:
    """A stream that can't be finished is cut on purpose, so that its client knows; uvicorn takes that for a fault."""

    def is_worth_telling(record: logging.LogRecord) -> bool:
        return "without completing response" not in record.getMessage()

    logging.getLogger("uvicorn.error").addFilter(is_worth_telling)


def _check_installation(settings: Settings) -> None:
    """A gateway starts without Redis too; then it is the workers that check."""
    with suppress(Unavailable), connect(settings) as client:
        check_installation(client, settings)


def _collect_seldom() -> None:
    """All streams and requests wait while garbage is looked for: a fifth of a second where thousands watch, of whom
    nothing is garbage. What lives as long as the process needn't be looked through at all; and the first look comes
    after more new objects than an event makes that goes to all of them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, 10, 10)


def main(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Raises `SettingsError` as `check_installation` does."""
    # Before numpy is loaded, which the first search for similar cases does: its threads would only be in the way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _say_nothing_of_cut_streams()
    raise_file_limit()
    _check_installation(settings)
    tracing.switch_on("gateway", settings.traces)
    app = create_app(settings)
    _collect_seldom()
    config = configure(
        app,
        settings.request_timeout_s,
        host=settings.host,
        port=settings.port,
        # A net below the bridge, which ends its streams by itself.
        timeout_graceful_shutdown=2,
    )
    server = Server(config, app.state.services.bridge)
    server.run()
    tracing.switch_off()
    return 0 if server.started else 1
