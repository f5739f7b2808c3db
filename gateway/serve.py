"""The body of a gateway process: uvicorn over `create_app`."""

from __future__ import annotations

import socket

import uvicorn

from gateway.app import create_app
from tasks.readiness import announce_ready
from tasks.settings import Settings


class _Server(uvicorn.Server):
    """Says that it is ready when it listens, not before."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            announce_ready()


def main(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        # A net below the bridge, which ends its streams by itself.
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)
    server.run()
    return 0 if server.started else 1
