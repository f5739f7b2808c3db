"""Marks an installation that a restore is at work on, so that half of one is never served and can be begun again.

The mark lies in Redis and in the blob store, under one random id. Whoever restores again empties both, the blob store
only where it has the same mark: then a restore found it empty, and all that is in it is that restore's. What is done
last is told first (`is_placed`), so that a mark that was left behind costs nothing that has come back whole.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from itertools import islice
from typing import cast

import redis

from tasks.archive import BackupFailed
from tasks.blobs import BLOB_FOLDERS, Blobs
from tasks.errors import SettingsError
from tasks.keys import Keys
from tasks.redis_faults import redis_faults

MARK = WORK = "restoring"
KEYS_A_STEP = 1_000


def check_whole(client: redis.Redis, keys: Keys) -> None:
    """Raises `SettingsError` where a restore was begun and isn't over: nothing may serve then. And `Unavailable`."""
    with redis_faults():
        backup = cast(bytes | None, client.hget(keys.of("restoring"), "backup"))
    if backup is not None:
        place = backup.decode()
        raise SettingsError(
            f"this Redis holds half of a restore: that of {place} is still at work, or was cut off. Wait for it, or "
            f"run `despacho restore {place}` again: it begins anew."
        )


def blobs_are_free(blobs: Blobs) -> bool:
    """Whether the blob store is empty, or holds what a restore has left."""
    return blobs.exists(MARK) or blobs.is_empty()


class RestoreMark:
    """The mark of one restore. Its methods raise as Redis and the blob store do."""

    def __init__(self, client: redis.Redis, keys: Keys, blobs: Blobs) -> None:
        self._client = client
        self._keys = keys
        self._key = keys.of("restoring")
        self._blobs = blobs

    def clear_half(self) -> None:
        """Empty what a restore has left that was cut off. Raises `BackupFailed` for blobs that aren't known to be
        its own, and where it had come to its end."""
        told = cast(dict[bytes, bytes], self._client.hgetall(self._key))
        id_ = told.get(b"id", b"")
        if b"placed" in told:
            self._remove(id_)
            raise BackupFailed(
                "the restore that was cut off here had come to its end, and only its mark was left. It is removed: "
                "the installation is whole, start it."
            )
        if self._blobs_mark() not in (b"", id_) or (not self._blobs_mark() and not self._blobs.is_empty()):
            raise BackupFailed(
                f"{self._blobs.where()} holds files, and not those of the restore that was cut off here; a restore "
                "overwrites nothing. Name an empty place, or move them away."
            )
        if told:
            self._empty()

    def _blobs_mark(self) -> bytes:
        return self._blobs.read(MARK) if self._blobs.exists(MARK) else b""

    def _empty(self) -> None:
        for folder in BLOB_FOLDERS:
            self._blobs.delete_folder(folder)
        self._blobs.delete(MARK)
        names = cast(Iterable[bytes], self._client.scan_iter(match=f"{self._keys.namespace}:*", count=KEYS_A_STEP))
        kept = {self._key.encode(), self._keys.of("at_work", what=WORK).encode()}
        others = (name for name in names if name not in kept)
        while some := list(islice(others, KEYS_A_STEP)):
            self._client.unlink(*some)
        self._client.unlink(self._key)

    def begin(self, place: str) -> None:
        """Mark both, Redis first, before anything is written."""
        id_ = secrets.token_hex(16)
        self._client.hset(self._key, mapping={"id": id_, "backup": place})
        self._blobs.write(MARK, [id_.encode()])

    def end(self) -> None:
        """All is written: let it serve."""
        id_ = cast(bytes | None, self._client.hget(self._key, "id")) or b""
        self._client.hset(self._key, "placed", 1)
        self._remove(id_)

    def _remove(self, id_: bytes) -> None:
        if self._blobs_mark() == id_:
            self._blobs.delete(MARK)
        self._client.unlink(self._key)
