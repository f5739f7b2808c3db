"""A client's server for webhooks, on a real socket with real TLS, that behaves as a test wants it to; and a verifier
of signatures that was written from the text of Standard Webhooks alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import trustme

Reply = Callable[["Handler"], None]


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def is_signed_with(self, secret: str) -> bool:
        """Whether one of the signatures is of this secret, and the time is of now: a receiver's check."""
        assert secret.startswith("whsec_")
        assert abs(time.time() - int(self.headers["webhook-timestamp"])) < 300
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        mac = hmac.new(base64.b64decode(secret[6:]), content, hashlib.sha256).digest()
        expected = base64.b64encode(mac).decode()
        given = [each.split(",", 1) for each in self.headers["webhook-signature"].split(" ")]
        return any(version == "v1" and hmac.compare_digest(value, expected) for version, value in given)


class Receiver:
    """Plays its `replies` in order, the last of them for ever, and keeps what it `received`."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.replies: list[Reply] = [status(200)]
        self.received: list[Received] = []
        self.sent = 0
        self.released = Event()
        self._server = ThreadingHTTPServer((host, port), type("Bound", (Handler,), {"receiver": self}))
        self._server.daemon_threads = True
        self._server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
        if tls is not None:
            # The handshake is the handler's, so that a client which breaks off holds up no other.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = int(self._server.server_address[1])
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def next_reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    receiver: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.receiver.received.append(Received(self.path, dict(self.headers.items()), body))
        self.close_connection = True
        self.receiver.next_reply()(self)

    def do_GET(self) -> None:
        raise AssertionError("nobody asks a receiver for anything")

    def log_message(self, *_args: Any) -> None:
        pass

    def send(self, code: int, body: bytes = b"", length: int | None = None, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


def authority(folder: Path) -> tuple[trustme.CA, Path]:
    """A certificate authority of this test alone, and the file that trusts it."""
    ca, bundle = trustme.CA(), folder / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    return ca, bundle


def served_as(ca: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    return context


# ------------------------------------------------------------------------------------------------ replies


def status(code: int, **headers: str) -> Reply:
    return lambda handler: handler.send(code, b"SECRET-OF-THE-RECEIVER", **headers)


def silence(handler: Handler) -> None:
    handler.receiver.released.wait(30)


def drip_of_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.receiver.released.wait(0.02):
        handler.wfile.write(b"X-More: x\r\n")


def endless_continue(handler: Handler) -> None:
    while not handler.receiver.released.is_set():
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def huge_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Huge: ")
    while not handler.receiver.released.is_set():
        handler.wfile.write(b"x" * 65_536)


def nonsense(handler: Handler) -> None:
    handler.wfile.write(b"\x00\xffNOT HTTP\r\n\r\n")


def reset(handler: Handler) -> None:
    handler.connection.close()


def drip_of_a_body(handler: Handler) -> None:
    handler.send(200, b" ", length=100_000)
    while not handler.receiver.released.wait(0.02):
        handler.wfile.write(b" ")


def huge_body(handler: Handler) -> None:
    handler.send(200, length=1 << 40)
    while not handler.receiver.released.is_set():
        handler.wfile.write(b" " * 65_536)
        handler.receiver.sent += 65_536


def cut_in_the_body(handler: Handler) -> None:
    handler.send(200, b"{", length=1_000)


def endless_chunks(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not handler.receiver.released.is_set():
        handler.wfile.write(b"1000\r\n" + b"x" * 4_096 + b"\r\n")
