"""A proxy for HTTP that cuts connections: after so many bytes of what the server answers, each of the next."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from threading import Thread
from typing import Self


class CuttingProxy:
    """Each of the next connections is cut after its number of bytes, 0: before the first, though the request has
    arrived; those after them pass. `cuts` counts."""

    def __init__(self, port: int, cut_after: Iterable[int] = ()) -> None:
        self.cuts = 0
        self._port = port
        self._cut_after = deque(cut_after)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                most = self._cut_after.popleft() if self._cut_after else None
                Thread(target=self._serve, args=(client, most), daemon=True).start()

    def _serve(self, client: socket.socket, most: int | None) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            Thread(target=_pump, args=(client, server), daemon=True).start()
            with suppress(OSError):
                self._answer(server, client, most)
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket, most: int | None) -> None:
        while chunk := server.recv(1 << 16):
            if most is not None and len(chunk) >= most:
                client.sendall(chunk[:most])
                self.cuts += 1
                return
            client.sendall(chunk)
            most = None if most is None else most - len(chunk)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(1 << 16):
            target.sendall(chunk)
