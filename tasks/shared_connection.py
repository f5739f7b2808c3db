"""One connection that all requests of a process share: what they ask in the same moment goes out together, and the
answers come back in the order of the questions. It costs a fraction of a pool, where every call waits for a
connection, a packet and an answer of its own.

Made for short scripts; whoever blocks, subscribes or reads much takes a connection of the pool.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from typing import Any

import redis
from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection

log = logging.getLogger(__name__)
LATE_CHECK_S = 0.25

Pending = tuple[asyncio.Future[Any], float]


class SharedConnection:
    """Connects with its first call, and again with the first one after the connection broke.

    A call raises `redis.ConnectionError` where the connection breaks before its answer has come, and
    `redis.TimeoutError` where the answer takes longer than `answer_within_s`: then all give the connection up,
    because an answer that comes late can't be told from others.
    """

    def __init__(self, make_connection: Callable[[], AbstractConnection], answer_within_s: float) -> None:
        self._make_connection = make_connection
        self._answer_within_s = answer_within_s
        self._connecting = asyncio.Lock()
        self._line: _Line | None = None

    async def call(self, *command: Any) -> Any:
        """Send a command and wait for its answer."""
        line = self._line
        if line is None or not line.is_usable:
            line = await self._connected()
        return await line.ask(command)

    async def close(self) -> None:
        if self._line is not None:
            await self._line.give_up(redis.ConnectionError("the connection was closed"))

    async def _connected(self) -> _Line:
        async with self._connecting:
            if self._line is None or not self._line.is_usable:
                connection = self._make_connection()
                await connection.connect()  # type: ignore[no-untyped-call]
                self._line = _Line(connection, self._answer_within_s)
            return self._line


def _settle(future: asyncio.Future[Any], answer: Any) -> None:
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


class _Line:
    """One connection from its first question to its break."""

    def __init__(self, connection: AbstractConnection, answer_within_s: float) -> None:
        self.is_broken = False
        self._connection = connection
        self._answer_within_s = answer_within_s
        self._outbox: list[bytes] = []
        self._pending: deque[Pending] = deque()
        self._has_outgoing = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        steps = (self._send(), self._receive(), self._watch())
        self._tasks = [asyncio.create_task(self._until_it_breaks(step)) for step in steps]

    @property
    def is_usable(self) -> bool:
        """Not broken, and of the event loop that runs: a caller may have ended one and begun another."""
        return not self.is_broken and self._loop is asyncio.get_running_loop()

    async def ask(self, command: tuple[Any, ...]) -> Any:
        future: asyncio.Future[Any] = self._loop.create_future()
        # In C: redis-py's own packing of a command of twenty arguments takes six times as long.
        self._outbox.append(pack_command(command))
        self._pending.append((future, self._loop.time()))
        self._has_outgoing.set()
        return await future

    async def _until_it_breaks(self, step: Any) -> None:
        try:
            await step
        except (redis.RedisError, OSError) as error:
            await self.give_up(error)
        except Exception:
            # Whatever it is, nobody may wait for ever.
            log.exception("the shared connection failed")
            await self.give_up(redis.ConnectionError("the connection failed"))

    async def _send(self) -> None:
        while True:
            await self._has_outgoing.wait()
            self._has_outgoing.clear()
            outgoing, self._outbox = self._outbox, []
            await self._connection.send_packed_command(outgoing, check_health=False)

    async def _receive(self) -> None:
        while True:
            try:
                answer = await self._connection.read_response(timeout=math.inf)
            except redis.ResponseError as refusal:
                answer = refusal
            future, _ = self._pending.popleft()
            # Its request may have hung up meanwhile.
            if not future.done():
                _settle(future, answer)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LATE_CHECK_S)
            if self._pending and self._loop.time() - self._pending[0][1] > self._answer_within_s:
                raise redis.TimeoutError("no answer in time")

    async def give_up(self, error: Exception) -> None:
        """Tell everybody who still waits, and close."""
        if self.is_broken:
            return
        self.is_broken = True
        while self._pending:
            future, _ = self._pending.popleft()
            if not future.done():
                future.set_exception(error)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        await self._connection.disconnect(nowait=True)
