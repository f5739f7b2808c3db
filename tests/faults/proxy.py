"""A proxy between a process and the server that breaks its connection at a chosen moment.

A moment is a pattern in a request. What happens to a request that fits is said by a `Rule`: the request may never
arrive, or it is done and its reply is lost; the connection is cut then, or just falls silent. All else passes.
"""

from __future__ import annotations

import re
import selectors
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from threading import Lock, Thread

CHUNK = 1 << 16
LONGEST_MARK = 256


class Breaks(Enum):
    """Whether the request arrives, and what becomes of the connection."""

    LOSES_REQUEST_SILENTLY = (False, False)
    LOSES_REPLY_SILENTLY = (True, False)
    LOSES_REQUEST = (False, True)
    LOSES_REPLY = (True, True)

    @property
    def arrives(self) -> bool:
        return self.value[0]

    @property
    def cuts(self) -> bool:
        return self.value[1]


@dataclass
class Rule:
    """Strikes at every `every`-th request that fits, `most` times."""

    moment: re.Pattern[bytes]
    breaks: Breaks
    every: int = 1
    most: int = 1
    struck: int = 0
    _seen: int = 0
    _lock: Lock = field(default_factory=Lock)

    def strikes(self, request: bytes) -> bool:
        if not self.moment.search(request):
            return False
        with self._lock:
            self._seen += 1
            if self.struck >= self.most or self._seen % self.every:
                return False
            self.struck += 1
            return True


class Proxy:
    """Listens on a socket in `folder`; each connection has a thread."""

    def __init__(self, folder: Path, server: Path) -> None:
        path = folder / "p"
        self.url = f"unix://{path}"
        self.rules: list[Rule] = []
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(256)
        self._open: set[socket.socket] = set()
        Thread(target=self._accept, daemon=True).start()

    def rule(self, moment: re.Pattern[bytes], breaks: Breaks, every: int = 1, most: int = 1) -> Rule:
        rule = Rule(moment, breaks, every, most)
        self.rules.append(rule)
        return rule

    def close(self) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.add(client)
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        with client, server, suppress(OSError):
            # A server that is down refuses, and so does the proxy then.
            server.connect(str(self._server))
            self._pass_on(client, server)
        self._open.discard(client)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        """Until either side ends or a rule cuts. A caller waits for its reply before it asks again, so the next
        reply after a request belongs to it."""
        request, lost = b"", None
        with selectors.DefaultSelector() as selector:
            for side in (client, server):
                selector.register(side, selectors.EVENT_READ)
            while True:
                for ready, _ in selector.select():
                    chunk = ready.fileobj.recv(CHUNK)  # type: ignore[union-attr]
                    if not chunk:
                        return
                    if ready.fileobj is server:
                        if lost is None:
                            client.sendall(chunk)
                            request = b""
                        elif lost.breaks.cuts:
                            return
                        continue
                    request = request[-LONGEST_MARK:] + chunk
                    lost = lost or next((rule for rule in self.rules if rule.strikes(request)), None)
                    if lost is None or lost.breaks.arrives:
                        server.sendall(chunk)
                    elif lost.breaks.cuts:
                        return
