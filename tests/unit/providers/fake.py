"""A provider on a real socket that does, request by request, what a test tells it to."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from actors.engines.http.usage import Usage

Reply = Callable[["Handler"], None]


class FakeProvider:
    """Plays its `replies` in order, the last of them for ever, and keeps what it was asked."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.asked: list[dict[str, Any]] = []
        self.authorization: list[str | None] = []
        self.metered: list[Usage] = []
        self.released = Event()
        self.hung_up = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"fake": self}))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def next_reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    fake: FakeProvider
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.fake.asked.append({"path": self.path, **asked})
        self.fake.authorization.append(self.headers["Authorization"])
        self.close_connection = True
        with suppress(BrokenPipeError, ConnectionResetError):
            self.fake.next_reply()(self)

    def log_message(self, *_args: Any) -> None:
        pass

    def send(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


def status(code: int, **headers: str) -> Reply:
    return lambda handler: handler.send(code, b'{"error": {"message": "SECRET-OF-THE-PROVIDER"}}', **headers)


def body(raw: bytes) -> Reply:
    return lambda handler: handler.send(200, raw)


def answer(value: Any) -> Reply:
    return body(json.dumps(value).encode())


def chat(content: Any) -> Reply:
    text = content if isinstance(content, str) else json.dumps(content)
    usage = {"prompt_tokens": 11, "completion_tokens": 7}
    return answer({"choices": [{"message": {"content": text}}], "usage": usage})


def vectors(handler: Handler) -> None:
    """One vector for each text that was asked for; each text costs one token."""
    texts = handler.fake.asked[-1]["input"]
    entries = [{"index": place, "embedding": [len(text), 1]} for place, text in enumerate(texts)]
    answer({"data": entries, "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)}})(handler)


def silence(handler: Handler) -> None:
    """No answer, until the client hangs up, which is noted."""
    while not handler.fake.released.is_set():
        readable, _, _ = select.select([handler.connection], [], [], 0.02)
        if readable and not handler.connection.recv(1, socket.MSG_PEEK):
            handler.fake.hung_up.set()
            return


def silence_in_the_middle(handler: Handler) -> None:
    handler.send(200, b'{"choices": [', length=1_000)
    silence(handler)


def endless_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.fake.released.wait(0.02):
        handler.wfile.write(b"X-More: x\r\n")


def endless_continue(handler: Handler) -> None:
    while not handler.fake.released.is_set():
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def slow_503(handler: Handler) -> None:
    handler.fake.released.wait(0.15)
    handler.send(503, b"", Retry_After="0")


def cut_in_the_middle(handler: Handler) -> None:
    handler.send(200, b'{"choices": [', length=1_000)


def drip(handler: Handler) -> None:
    handler.send(200, b" ", length=100_000)
    while not handler.fake.released.wait(0.02):
        handler.wfile.write(b" ")


def huge(handler: Handler) -> None:
    handler.send(200, b"", length=1 << 40)
    while not handler.fake.released.is_set():
        handler.wfile.write(b" " * 65_536)
