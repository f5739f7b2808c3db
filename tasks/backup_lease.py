"""Says that somebody is at work on a backup: a key that its writer keeps alive, and that ends soon after him.

Without it nobody could tell what a killed backup has left from what another one is writing just now; a file's time
can't, where a large part is on its way to a bucket. Backups don't exclude each other.
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


class BackupLease:
    """Used in a `with`, for as long as a backup is written."""

    def __init__(self, client: redis.Redis, keys: Keys, name: str) -> None:
        self._client = client
        self._key = keys.of("backup_at_work", backup=name)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="backup-lease", daemon=True)

    def __enter__(self) -> Self:
        with redis_faults():
            self._client.set(self._key, 1, ex=LEASE_S)
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


def is_at_work(client: redis.Redis, keys: Keys, name: str) -> bool:
    """Whether somebody writes this backup, or did so within the last minute. Raises `Unavailable`."""
    with redis_faults():
        return bool(client.exists(keys.of("backup_at_work", backup=name)))
