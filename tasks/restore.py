"""A restore: puts a backup into an empty installation, and makes anew from the records what a backup leaves out.

Everything is checked before anything is written: that the installation is empty, that every part is as it was
written, that the master key is the one that the backup's case keys lie under. Keys keep the day on which they expire;
what has expired since stays away. Cases that were erased after the backup was made come back without their key, so
nothing of them can be read, and what is left of them is erased again.

A task whose run the backup cut off is queued again, and its log says `recovered`; a delayed one keeps its time. What
a restore leaves that was cut off is marked (`tasks/restoring.py`): nothing serves it, and the next one empties it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain, groupby, islice
from typing import Any, Final, TypeVar, cast

import redis

from tasks.archive import BackupFailed, Entry, Manifest, entries, verified
from tasks.at_work import AtWork
from tasks.backup import KINDS, OF_THE_MOMENT
from tasks.backup_stores import BackupStore
from tasks.blobs import blobs_of
from tasks.clock import now_ms
from tasks.erasure_ledger import ErasureLedger, Whose
from tasks.errors import NotFound
from tasks.keys import Keys
from tasks.master_key import FILE_NAME, load_vault
from tasks.redis_faults import redis_faults
from tasks.restoring import WORK, RestoreMark, blobs_are_free
from tasks.scripts import Caller
from tasks.settings import PREFIX, Settings

T = TypeVar("T")
KEYS_A_STEP = 200
PARTS_A_COMMAND = 1_000
"""Arguments of one command: a long list or set is written in pieces."""
PAGE = 1_000
HARMLESS: Final = OF_THE_MOMENT | {"master_key_id", "cursor_key", "paused"}
"""What a process leaves that only looked at an empty server."""
WITHOUT_ITS_KEY = frozenset({"case_key", "case_hold", "erasure"})
"""What of an erased case isn't even written."""
_WRITES = {"hash": "HSET", "set": "SADD", "list": "RPUSH", "zset": "ZADD"}


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it: tasks that are there again, those whose run was cut off, cases that stay erased."""

    tasks: int
    recovered: int
    erased: int


def check_empty_blobs(settings: Settings) -> None:
    """Raises `BackupFailed` where the blob store holds files of an installation."""
    blobs = blobs_of(settings)
    if not blobs_are_free(blobs):
        remedy = (
            f"Set {PREFIX}BLOBS to an empty prefix."
            if settings.blobs
            else "Name an empty data directory with --data-dir, or move this one away."
        )
        raise BackupFailed(f"{blobs.where()} holds files, and a restore overwrites nothing. {remedy}")


def check_master_key_of(manifest: Manifest, settings: Settings) -> None:
    """Raises `BackupFailed` where the master key that a backup needs is not there; none is made."""
    needed = manifest.master_key_id
    if not needed:
        return
    remedy = (
        f"The backup needs the master key {needed}, and holds none itself: copy {FILE_NAME} of the installation that "
        f"was backed up to {settings.data_dir / FILE_NAME}, or name it with {PREFIX}MASTER_KEY or "
        f"{PREFIX}MASTER_KEY_FILE."
    )
    is_set = settings.master_key is not None or settings.master_key_file is not None
    if not is_set and not (settings.data_dir.expanduser() / FILE_NAME).exists():
        raise BackupFailed(f"there is no master key. {remedy}")
    vault = load_vault(settings)
    if not vault.is_master(bytes.fromhex(needed)):
        raise BackupFailed(f"the master key that is set is {vault.master.key_id.hex()}. {remedy}")


def checked(store: BackupStore, name: str, settings: Settings) -> Manifest:
    """All that can be checked without a server: the parts, the blob store, the master key. Raises `BackupFailed`,
    `BucketFailed` and `SettingsError`."""
    manifest = verified(store, name)
    check_empty_blobs(settings)
    check_master_key_of(manifest, settings)
    return manifest


def restore(client: redis.Redis, settings: Settings, store: BackupStore, name: str, manifest: Manifest) -> Restored:
    """Put a backup that was `checked` into a server that is empty, or holds half of a restore, which is removed
    first. Raises `BackupFailed` and `Unavailable`."""
    keys = Keys(settings.namespace)
    another = BackupFailed(
        "another restore is at work in this Redis, or was killed a moment ago. Wait a minute, then try again."
    )
    with AtWork(client, keys, WORK, alone=another), redis_faults():
        mark = RestoreMark(client, keys, blobs_of(settings))
        mark.clear_half()
        _check_empty_server(client, settings)
        mark.begin(store.place(name))
        restored = _Restore(client, settings, store, name, manifest).run()
        mark.end()
        return restored


def _check_empty_server(client: redis.Redis, settings: Settings) -> None:
    for raw in client.scan_iter(match=f"{settings.namespace}:*", count=1_000):
        name = cast(bytes, raw).decode(errors="replace").removeprefix(f"{settings.namespace}:")
        kind = KINDS.get(name.partition(":")[0])
        if kind is None or kind.name not in HARMLESS:
            raise BackupFailed(
                f"the server already holds an installation in the namespace {settings.namespace!r} ({name!r}), and a "
                f"restore overwrites nothing. Set {PREFIX}REDIS_URL to an empty one, or {PREFIX}NAMESPACE to another."
            )


class _Restore:
    def __init__(
        self, client: redis.Redis, settings: Settings, store: BackupStore, name: str, manifest: Manifest
    ) -> None:
        self._client = client
        self._settings = settings
        self._keys = Keys(settings.namespace)
        self._call = Caller(client)
        self._store = store
        self._name = name
        self._manifest = manifest
        self._blobs = blobs_of(settings)
        self._now_ms = now_ms()
        self._erased = self._erased_since()

    def run(self) -> Restored:
        self._write_all()
        self._drop_dangling_idempotency()
        tasks = self._list_records()
        parents = self._parents()
        self._in_steps("restore_families", ["count"], parents)
        recovered = self._place_live()
        self._in_steps("restore_families", ["go on"], parents)
        erased = asyncio.run(self._erase_again())
        return Restored(tasks, recovered, erased)

    def _erased_since(self) -> set[Whose]:
        try:
            return ErasureLedger(self._store).since(self._manifest.began_ms)
        except (OSError, ValueError, KeyError) as error:
            raise BackupFailed(
                f"the erasures beside {self._store.place(self._name)} can't be read ({type(error).__name__}). "
                "Without them a case that was erased could come back, so nothing is restored."
            ) from None

    # ------------------------------------------------------------------------------------------- writing

    def _write_all(self) -> None:
        for what, some in groupby(entries(self._store, self._name, self._manifest), key=lambda entry: entry[0]):
            if what == b"file":
                self._write_files(some)
            else:
                self._write_keys(some)

    def _write_keys(self, rows: Iterable[Entry]) -> None:
        wanted = (row for row in rows if self._is_wanted(row))
        while some := list(islice(wanted, KEYS_A_STEP)):
            pipe = self._client.pipeline(transaction=False)
            for row in some:
                self._write_key(pipe, row)
            pipe.execute()

    def _is_wanted(self, row: Entry) -> bool:
        _, name, _, expires, *_ = row
        if expires and int(expires) <= self._now_ms:
            return False
        first, _, rest = name.decode().partition(":")
        if first not in WITHOUT_ITS_KEY:
            return True
        tenant, _, case_id = rest.partition(":")
        return (tenant, case_id) not in self._erased

    def _write_key(self, pipe: Any, row: Entry) -> None:
        _, short, kind, expires, *parts = row
        name = f"{self._settings.namespace}:{short.decode()}"
        # What was read again stands in the place of what was read before.
        pipe.delete(name)
        for command in _commands(name, kind.decode(), parts):
            pipe.execute_command(*command)
        if expires:
            pipe.pexpireat(name, int(expires))

    def _write_files(self, rows: Iterable[Entry]) -> None:
        for place, chunks in groupby(rows, key=lambda row: row[1]):
            try:
                self._blobs.write(place.decode(), (chunk for _, _, chunk in chunks))
            except (OSError, ValueError) as error:
                raise BackupFailed(f"{place!r} can't be written ({error}).") from None

    # ------------------------------------------------------------------------------------------- listing

    def _ids(self, kind: str) -> Iterator[str]:
        prefix = self._keys.of(kind, id="")
        for name in self._client.scan_iter(match=f"{prefix}*", count=1_000):
            yield cast(bytes, name).decode().removeprefix(prefix)

    def _list_records(self) -> int:
        # Twice where a scan gives an id twice; it is listed once all the same.
        return sum(self._in_steps("restore_records", [], self._ids("task")))

    def _in_steps(self, script: str, head: Sequence[Any], ids: Iterable[str]) -> list[int]:
        return [int(self._call(script, self._settings.namespace, [*head, *some])) for some in _steps(ids)]

    def _parents(self) -> list[str]:
        """Whoever has children, and whoever runs: a batch may have been read before its first child was."""
        return list(dict.fromkeys(chain(self._ids("children"), self._live("running"))))

    def _tenants(self) -> list[str]:
        return sorted(member.decode() for member in cast(set[bytes], self._client.smembers(self._keys.of("tenants"))))

    def _live(self, status: str) -> Iterator[str]:
        """In the order in which they were submitted."""
        names = [self._keys.of("by_status", tenant=tenant, status=status) for tenant in self._tenants()]
        return (id_ for _, id_ in merge(*(self._members(name) for name in names)))

    def _members(self, name: str) -> Iterator[tuple[float, str]]:
        """Page by page, of an index that doesn't change meanwhile."""
        for start in range(0, self._client.zcard(name), PAGE):
            page = self._client.zrange(name, start, start + PAGE - 1, withscores=True)
            yield from ((score, id_.decode()) for id_, score in cast(list[tuple[bytes, float]], page))

    def _place_live(self) -> int:
        # What ran goes to the head of its lane one by one: the first of them last.
        running, retention = list(self._live("running")), self._settings.retention_s * 1_000
        for status in ("queued", "scheduled", "retrying"):
            self._in_steps("restore_live", [retention], self._live(status))
        return sum(self._in_steps("restore_live", [retention], reversed(running)))

    def _drop_dangling_idempotency(self) -> None:
        """A key whose task isn't in the backup would tell a client who asks again that all is well."""
        prefix = self._keys.of("idempotency", tenant="", digest="")[:-1]
        for names in _steps(self._client.scan_iter(match=f"{prefix}*", count=1_000)):
            pipe = self._client.pipeline(transaction=False)
            for name in names:
                pipe.hget(name, "ids")
            for name, ids in zip(names, pipe.execute(), strict=True):
                keys = [self._keys.of("task", id=id_) for id_ in (ids or b"").decode().split(",") if "-" in id_]
                if keys and self._client.exists(*keys) < len(keys):
                    self._client.delete(name)

    # ------------------------------------------------------------------------------------------- erasing

    async def _erase_again(self) -> int:
        from tasks.service import TaskService

        if not self._erased:
            return 0
        service, erased = TaskService.connect(self._settings), 0
        erasure = service.erasure(self._blobs)
        try:
            for tenant, case_id in sorted(self._erased):
                try:
                    await erasure.erase(tenant, case_id)
                except NotFound:
                    continue
                erased += 1
            return erased
        finally:
            await service.close()


def _commands(name: str, kind: str, parts: list[bytes]) -> Iterator[Sequence[Any]]:
    if kind == "string":
        yield "SET", name, parts[0]
    elif kind == "stream":
        yield from _stream_commands(name, parts)
    elif kind == "zset":
        for some in _steps(parts, PARTS_A_COMMAND):
            # A member and its score; the command has them the other way round.
            yield "ZADD", name, *chain.from_iterable(zip(some[1::2], some[::2], strict=True))
    elif kind in _WRITES:
        for some in _steps(parts, PARTS_A_COMMAND):
            yield _WRITES[kind], name, *some
    else:
        raise BackupFailed(f"the backup holds a key of the unknown type {kind!r}.")


def _stream_commands(name: str, parts: list[bytes]) -> Iterator[Sequence[Any]]:
    at = 0
    while at < len(parts):
        id_, length = parts[at], int(parts[at + 1])
        yield "XADD", name, id_, *parts[at + 2 : at + 2 + length]
        at += 2 + length


def _steps(items: Iterable[T], size: int = KEYS_A_STEP) -> Iterator[list[T]]:
    remaining = iter(items)
    while some := list(islice(remaining, size)):
        yield some
