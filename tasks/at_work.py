"""Says that somebody is at work on something long: a key that he keeps alive, and that ends soon after him.

Without it nobody could tell what a killed backup has left from what another one is writing just now; a file's time
can't, where a large part is on its way to a bucket. Backups don't exclude each other; restores do.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Self

import redis

from tasks.keys import Keys
from tasks.redis_faults import redis_faults

LEASE_S = 60
RENEWED_S = 15


class AtWork:
    """Used in a `with`, for as long as it takes. Raises `Unavailable`; and `alone`, what was given, where another one
    is at work on the same."""

    def __init__(self, client: redis.Redis, keys: Keys, what: str, alone: Exception | None = None) -> None:
        self._client = client
        self._key = keys.of("at_work", what=what)
        self._alone = alone
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="at-work", daemon=True)

    def __enter__(self) -> Self:
        with redis_faults():
            is_ours = self._client.set(self._key, 1, ex=LEASE_S, nx=self._alone is not None)
        if self._alone is not None and not is_ours:
            raise self._alone
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        with suppress(redis.RedisError):
            self._client.delete(self._key)

    def _renew(self) -> None:
        while not self._is_over.wait(RENEWED_S):
            with suppress(redis.RedisError):
                self._client.set(self._key, 1, ex=LEASE_S)


def is_at_work(client: redis.Redis, keys: Keys, what: str) -> bool:
    """Whether somebody is at work on it, or was so within the last minute. Raises `Unavailable`."""
    with redis_faults():
        return bool(client.exists(keys.of("at_work", what=what)))
