"""A Redis client whose calls an interrupt can't tear apart.

An interrupt that hit a thread between sending a command and reading its answer would leave the answer behind in the
connection, for the next caller to take as its own. So it is held back while a call is under way.
"""

from __future__ import annotations

from typing import Any

import redis
from redis.client import Pipeline

from middleware.interrupts import Interrupts
from tasks.connection import connect
from tasks.settings import Settings


class _ShieldedPipeline(Pipeline):
    interrupts: Interrupts

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        with self.interrupts.held_back():
            return list(super().execute(raise_on_error))


class ShieldedRedis(redis.Redis):
    """What a worker's threads call Redis through."""

    interrupts: Interrupts

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        with self.interrupts.held_back():
            return super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        pipeline = _ShieldedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.interrupts = self.interrupts
        return pipeline


def connect_shielded(settings: Settings, interrupts: Interrupts) -> redis.Redis:
    """A client for workers, whose calls hold interrupts back until they are done."""
    client = connect(settings, ShieldedRedis)
    assert isinstance(client, ShieldedRedis)
    client.interrupts = interrupts
    return client
