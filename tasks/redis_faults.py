"""What redis-py raises when the server is away or can't take writes just now, told as one error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.exceptions import BusyLoadingError, OutOfMemoryError, ReadOnlyError

from tasks.errors import Unavailable

AWAY = (
    redis.ConnectionError,
    redis.TimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    OutOfMemoryError,
)
"""What redis-py raises when the server can't be reached or can't take writes just now."""

NOT_NOW = ("OOM", "MISCONF", "NOREPLICAS", "BUSY", "MASTERDOWN", "LOADING", "READONLY", "CLUSTERDOWN", "TRYAGAIN")
"""What a server says first when it can't take this just now: its memory or disk is full, it starts, a script is
long. Each passes by itself."""


@contextmanager
def redis_faults() -> Iterator[None]:
    """Tells a Redis that is away or can't take writes as `Unavailable`."""
    try:
        yield
    except AWAY as error:
        raise Unavailable(type(error).__name__) from error
    except redis.ResponseError as error:
        code = str(error).removeprefix("ERR ").partition(" ")[0]
        if code not in NOT_NOW:
            raise
        raise Unavailable(code) from error
