"""What Kubernetes asks a worker: `GET /livez` (503 where only a new process helps) and `GET /readyz` (503 where it
takes no tasks), each with the reason. One question at a time, and little patience with whoever asks slowly: this is
no API."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from pydantic_core import to_json

from tasks.errors import SettingsError

log = logging.getLogger(__name__)
PATIENCE_S = 1.0


def answer_probes(host: str, port: int, questions: Mapping[str, Callable[[], str]]) -> HTTPServer:
    """Answer on a port from now on: a path's question gives a reason, or nothing where all is well.

    Raises `SettingsError` where the port can't be had.
    """

    class Answers(BaseHTTPRequestHandler):
        timeout = PATIENCE_S

        def do_GET(self) -> None:
            ask = questions.get(self.path)
            if ask is None:
                self.send_error(404)
                return
            reason = ask()
            body = to_json({"status": "unavailable" if reason else "ok", "reasons": [reason] if reason else []})
            self.send_response(503 if reason else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            log.debug("probe: " + format, *args)

    try:
        server = _Quiet((host, port), Answers)
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"DESPACHO_PROBE_PORT {port} can't be listened on: {error}. Set it to a free port, or unset it."
        ) from None
    Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return server


class _Quiet(HTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        log.debug("a probe from %s was not answered", client_address, exc_info=True)
