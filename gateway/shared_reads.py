"""Reads that many want at the same time: they are answered together, and only so many are under way at once.

Whoever asks gets what was read after it asked. So a question joins one that has not begun yet, never one that is
under way; and of the same question only one is under way, so that those who come meanwhile share the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class SharedReads:
    """`await reads.get(question, read)`: `read` is called for one of all those who ask the same question."""

    def __init__(self, at_once: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._waiting: dict[Hashable, asyncio.Task[Any]] = {}
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}

    async def get(self, question: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """The answer, or the error of the read. Who gives up waiting leaves it to the others."""
        task = self._waiting.get(question)
        if task is None:
            task = asyncio.create_task(self._answer(question, read))
            task.add_done_callback(look_at_error)
            self._waiting[question] = task
        answer: T = await asyncio.shield(task)
        return answer

    async def _answer(self, question: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        before = self._under_way.get(question)
        if before is not None:
            await asyncio.wait({before})
        async with self._places:
            task = self._under_way[question] = self._waiting.pop(question)
            try:
                return await read()
            finally:
                if self._under_way.get(question) is task:
                    del self._under_way[question]


def look_at_error(task: asyncio.Future[Any]) -> None:
    """An error that all who asked have left behind is nobody's fault to be told of."""
    if not task.cancelled():
        task.exception()
