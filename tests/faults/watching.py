"""Watchers as browsers are: they read a stream, come back with the id of the last event when it breaks, and stop at
its end. Hundreds of them live in one event loop of their own, while a test breaks things."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
BACK_AFTER_S = (0.02, 0.3)
Port = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Heard:
    """One event as it was told."""

    seq: int
    name: str
    task_id: str


@dataclass(eq=False)
class Watching:
    """One watcher of one path; `heard` is all that it was told, in that order, over all its connections."""

    path: str
    token: str
    heard: list[Heard] = field(default_factory=list)
    connects: int = 0
    ended: bool = False
    refusals: list[int] = field(default_factory=list)
    last_id: str = ""

    async def watch(self, port: Port) -> None:
        while not self.ended:
            # Whatever was cut: a connection that is refused, an answer that is broken off, one that never came.
            with suppress(OSError, EOFError, ValueError, TimeoutError):
                await self._once(port())
            await asyncio.sleep(random.uniform(*BACK_AFTER_S))

    async def _once(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(self._request().encode())
            status = int((await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1])
            self.connects += 1
            if status == 204:
                self.ended = True
            elif status == 200:
                await self._read(reader)
            else:
                self.refusals.append(status)
        finally:
            writer.close()

    def _request(self) -> str:
        back = f"Last-Event-ID: {self.last_id}\r\n" if self.last_id else ""
        return f"GET {self.path} HTTP/1.1\r\nHost: faults\r\nAuthorization: Bearer {self.token}\r\n{back}\r\n"

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """To the last chunk (RFC 9112, 7.1) or to the cut, which may be within one."""
        rest = b""
        while left := int(await reader.readline(), 16):
            while left > 0 and (part := await reader.read(left)):
                left -= len(part)
                rest = self._hear_whole(rest + part)
            await reader.readexactly(2)

    def _hear_whole(self, text: bytes) -> bytes:
        """Take the events that came whole; what is left is none yet."""
        *events, rest = text.split(b"\n\n")
        for event in events:
            self._hear(event.decode())
        return rest

    def _hear(self, event: str) -> None:
        lines = dict(line.partition(": ")[::2] for line in event.split("\n"))
        if "id" not in lines:
            return
        self.last_id = lines["id"]
        if lines["event"] == "end":
            self.ended = True
            return
        task_id = json.loads(lines["data"]).get("task_id", "")
        self.heard.append(Heard(int(lines["id"]), lines["event"], task_id))


class Hall:
    """The event loop in which all watch, in a thread of its own."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._begun: list[Any] = []
        self.watchings: list[Watching] = []

    def watch(self, path: str, token: str, count: int) -> None:
        for _ in range(count):
            watching = Watching(path, token)
            self.watchings.append(watching)
            self.begin(watching.watch(self._port))

    def begin(self, step: Coroutine[Any, Any, Any]) -> None:
        # Kept, because the loop itself doesn't: a task that waits for a stream is garbage else.
        self._begun.append(asyncio.run_coroutine_threadsafe(step, self._loop))

    def call(self, step: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(30)

    def close(self) -> None:
        self.call(_end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


async def _end_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Cutter:
    """A TCP proxy that cuts every connection after some bytes, wherever in an event that is."""

    def __init__(self, port: Port, bytes_between: tuple[int, int], seed: int) -> None:
        self.port = 0
        self.cuts = 0
        self._port = port
        self._bytes_between = bytes_between
        self._random = random.Random(seed)
        self._serving: set[Any] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        # Kept as long as it serves: see `Hall.begin`.
        serving = asyncio.current_task()
        self._serving.add(serving)
        try:
            # A callback of asyncio's own can't bear a task that was cancelled.
            with suppress(OSError, EOFError, asyncio.CancelledError):
                await self._pass_on(client, to_client, self._random.randint(*self._bytes_between))
        finally:
            self._serving.discard(serving)
            to_client.close()

    async def _pass_on(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter, left: int) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._port())
        try:
            to_server.write(await client.readuntil(b"\r\n\r\n"))
            while left > 0 and (chunk := await server.read(left)):
                to_client.write(chunk)
                left -= len(chunk)
            await to_client.drain()
            self.cuts += left <= 0
        finally:
            to_server.close()
