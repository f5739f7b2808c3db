"""A backup of an installation while it runs: records and logs, cases, wrapped keys, trails, reports and documents.

THE MASTER KEY IS NEVER IN A BACKUP. The keys of cases are, wrapped with it; API keys are hashes. Whoever loses
`master.key` has a backup that nobody can read: keep it elsewhere, and not beside the backups.

What consistent means here. Every record is read in one step, with its log, payload and result, so it is one that was
true at one moment of the backup. A `SCAN` returns every key that was there from its begin to its end, so each task
that was acknowledged before the backup began is in it, unless it was forgotten meanwhile. Nothing else that moves is
copied: lanes, messages, delayed tasks, dead letters and every index are made anew by the restore, from the records
alone, so that they can't contradict them. A batch that was at work is read again at the end, the parent before its
children, so that a parent that has ended has children that have; and deliveries of what ended meanwhile are looked up
by name. The keys of cases, and what lists documents, are read after all that they open or list. Of a trail, stream
and head are read in one transaction, after all notes that were waiting are chained. Files come last: a document that
was deleted meanwhile is listed without its bytes.

Nobody is kept waiting: keys are read in small steps. Memory is bounded by a step of keys, the largest trail, and the
ids of the batches that are at work.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from itertools import islice
from typing import Any, Final, cast

import redis

from tasks.archive import ArchiveWriter, BackupFailed, Manifest, finished, remove, remove_unfinished
from tasks.at_work import AtWork, is_at_work
from tasks.audit_chain import extend
from tasks.backup_stores import BackupStore
from tasks.blobs import BLOB_FOLDERS, Blobs, blobs_of
from tasks.clock import now_ms, rfc3339
from tasks.erasure_ledger import ErasureLedger
from tasks.errors import DespachoError
from tasks.keys import KEYS, Keys
from tasks.record import PACKED_FIELDS
from tasks.redis_faults import redis_faults
from tasks.scripts import Caller
from tasks.settings import Settings

KEYS_A_STEP = 200
FINAL = (b"succeeded", b"failed", b"cancelled")
DAY_MS = 86_400_000

MADE_ANEW: Final = frozenset(
    {"lane", "messages", "delayed_messages", "dead", "dead_messages", "delayed", "expiring", "children", "held"}
    | {"by_status", "by_name", "by_case"}
)
"""What a restore makes from the records."""
OF_THE_MOMENT: Final = frozenset(
    {"acks", "heartbeats", "worker", "chores", "session", "ticket", "rate", "blob_guard", "audit_pending"}
    | {"breaker", "breakers", "alerts", "alert_notices", "alert_slot", "alert_telling", "alerts_at", "schedulers"}
    | {"replay", "replay_waiting", "replay_going", "replay_groups", "replays"}
    | {"limited", "parked", "parked_of_case", "slots", "slots_of_case", "next_slot"}
    | {"last_backup", "at_work", "restoring", "analysed", "shared_vector", "shared_vectors", "vectors_of_case"}
)
"""What means nothing after a restore, or is worked out again; whoever was logged in to the console logs in again."""
READ_BY_NAME: Final = frozenset({"seq", "audit", "audit_head", "audit_state"})
"""What is read at the end, in an order of its own."""

READ_LAST: Final = frozenset(
    {"case_key", "case_documents", "blob_users", "about", "case_holds", "case_vectors", "api_keys", "reports"}
)
"""What lists other keys, or opens them, is read after all of those: nothing is there whose key or place isn't."""

READS: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "string": lambda pipe, name: pipe.get(name),
    "hash": lambda pipe, name: pipe.hgetall(name),
    "set": lambda pipe, name: pipe.smembers(name),
    "list": lambda pipe, name: pipe.lrange(name, 0, -1),
    "zset": lambda pipe, name: pipe.zrange(name, 0, -1, withscores=True),
    "stream": lambda pipe, name: pipe.xrange(name),
}

Report = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """Keys whose names begin alike: what they are called in the manifest, and their type in Redis."""

    name: str
    type: str
    is_copied: bool

    @property
    def is_last(self) -> bool:
        return self.name in READ_LAST


def _kinds() -> dict[str, Kind]:
    left_out = MADE_ANEW | OF_THE_MOMENT | READ_BY_NAME
    kinds: dict[str, Kind] = {}
    for key in KEYS:
        first = key.pattern.partition(":")[0]
        kinds.setdefault(first, Kind(key.name, key.type, key.name not in left_out))
    return kinds


KINDS: Final = _kinds()
"""By the first word of a key's name. A kind that is listed nowhere above is copied."""


def back_up(
    client: redis.Redis, settings: Settings, store: BackupStore, keep_days: int, report: Report = lambda _: None
) -> tuple[str, Manifest]:
    """Write a backup into a store, and remove those that are older than they are kept; returns its name. How it went
    is told by `last_backup`. `report` hears now and then how many entries are written.

    Raises `BackupFailed` and `Unavailable`, also where it is the bucket that fails; then nothing is left of it, and
    no older one is removed."""
    try:
        remove_unfinished(store, settings.namespace, _at_work(client, settings), DAY_MS / 1_000)
        name, manifest = _Backup(client, settings, store, report).write()
        prune(store, settings.namespace, manifest.began_ms - keep_days * DAY_MS)
    except DespachoError as error:
        _tell(client, settings, ok=False, error=str(error))
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        problem = f"the backup in {store.place('')} failed ({why})."
        _tell(client, settings, ok=False, error=problem)
        raise BackupFailed(problem) from error
    _tell(client, settings, ok=True, error=None)
    return name, manifest


def _at_work(client: redis.Redis, settings: Settings) -> Callable[[str], bool]:
    return partial(is_at_work, client, Keys(settings.namespace))


def _tell(client: redis.Redis, settings: Settings, *, ok: bool, error: str | None) -> None:
    told = {"at": rfc3339(now_ms()), "ok": ok, "error": error and error[:500]}
    with suppress(redis.RedisError):
        client.set(Keys(settings.namespace).of("last_backup"), json.dumps(told))


def last_backup(client: redis.Redis, settings: Settings) -> dict[str, Any] | None:
    """How the last backup went: `at` (RFC 3339), `ok`, and `error`, what it failed of or `None`; `None` where there
    was no backup yet. Raises `Unavailable`."""
    with redis_faults():
        told = cast(bytes | None, client.get(Keys(settings.namespace).of("last_backup")))
    return None if told is None else dict(json.loads(told))


def prune(store: BackupStore, namespace: str, before_ms: int) -> list[str]:
    """Remove the backups of an installation that began before that, but never the newest; returns those."""
    ours = {name: Manifest.read(store, name) for name in finished(store)}
    known = [(name, manifest) for name, manifest in ours.items() if manifest.namespace == namespace]
    old = [name for name, manifest in known[:-1] if manifest.began_ms < before_ms]
    for name in old:
        remove(store, name)
    left = [manifest.began_ms for name, manifest in ours.items() if name not in old]
    if left:
        ErasureLedger(store).forget_before(min(left))
    return old


class _Backup:
    def __init__(self, client: redis.Redis, settings: Settings, store: BackupStore, report: Report) -> None:
        self._client = client
        self._settings = settings
        self._keys = Keys(settings.namespace)
        self._head = len(settings.namespace) + 1
        self._store = store
        self._report = report
        self._began_ms = now_ms()
        self._batches: set[str] = set()
        self._deliveries: set[str] = set()
        self._erased: dict[tuple[str, str], int] = {}

    def write(self) -> tuple[str, Manifest]:
        name = self._name()
        with (
            AtWork(self._client, self._keys, name),
            ArchiveWriter(self._store, name) as archive,
            redis_faults(),
        ):
            self._archive = archive
            self._drain_trails()
            self._copy_all(is_last=False)
            self._copy_again()
            self._copy_all(is_last=True)
            self._copy([self._keys.of("seq")])
            self._copy_trails()
            self._copy_files()
            self._note_erasures()
            manifest = archive.finish(
                version=_version(),
                namespace=self._settings.namespace,
                began_ms=self._began_ms,
                ended_ms=now_ms(),
                master_key_id=self._master_key_id(),
            )
        return name, manifest

    def _name(self) -> str:
        moment = dt.datetime.fromtimestamp(self._began_ms / 1_000, dt.UTC)
        digits = f"{moment:%Y%m%dT%H%M%S}{self._began_ms % 1_000:03d}Z"
        return f"despacho-{self._settings.namespace}-{digits}"

    def _master_key_id(self) -> str:
        return cast(bytes, self._client.get(self._keys.of("master_key_id")) or b"").decode()

    # ---------------------------------------------------------------------------------------------- keys

    def _copy_all(self, *, is_last: bool) -> None:
        for names in self._scanned(is_last=is_last):
            self._copy(names)

    def _scanned(self, *, is_last: bool) -> Iterator[list[str]]:
        names = self._client.scan_iter(match=f"{self._settings.namespace}:*", count=KEYS_A_STEP)
        wanted = (name.decode() for name in cast(Iterable[bytes], names))
        copied = (name for name in wanted if self._is_copied(name, is_last=is_last))
        while some := list(islice(copied, KEYS_A_STEP)):
            yield some

    def _kind(self, name: str) -> Kind | None:
        return KINDS.get(name[self._head :].partition(":")[0])

    def _is_copied(self, name: str, *, is_last: bool) -> bool:
        kind = self._kind(name)
        return kind is not None and kind.is_copied and kind.is_last is is_last

    def _copy(self, names: Sequence[str], *, at_once: bool = False) -> None:
        pipe = self._client.pipeline(transaction=at_once)
        for name in names:
            READS[self._type(name)](pipe, name)
            pipe.pexpiretime(name)
        answers = pipe.execute()
        for name, value, expires in zip(names, answers[::2], answers[1::2], strict=True):
            # Nothing, where it expired or was forgotten since it was listed.
            if value:
                self._write(name, value, expires)
        self._report(self._archive.counts.total())

    def _type(self, name: str) -> str:
        kind = self._kind(name)
        return "" if kind is None else kind.type

    def _write(self, name: str, value: Any, expires: int) -> None:
        kind = cast(Kind, self._kind(name))
        if kind.name == "task":
            self._look_at(value)
        if kind.name == "erasure":
            self._remember_erasure(name, value)
        short = name[self._head :].encode()
        expiry = str(expires).encode() if expires > 0 else b""
        row = [b"key", short, kind.type.encode(), expiry, *parts_of(kind.type, value)]
        self._archive.write("case-keys" if kind.name == "case_key" else "records", kind.name, row)

    def _look_at(self, task: Mapping[bytes, bytes]) -> None:
        """What has to be read again at the end."""
        is_final = task.get(b"status") in FINAL
        if not is_final and (parent := task.get(b"parent")):
            self._batches.add(parent.decode())
        if is_final and b"deliveries" in task and _finished_ms(task) >= self._began_ms:
            self._deliveries |= set(task[b"deliveries"].decode().split(","))

    # --------------------------------------------------------------------------------------------- again

    def _copy_again(self) -> None:
        """Later entries count: see `tasks/restore.py`."""
        batches = tuple(self._batches)
        for parent in batches:
            self._copy([self._keys.of("task", id=parent), self._keys.of("ended", id=parent)])
            children = cast(list[bytes], self._client.zrange(self._keys.of("children", id=parent), 0, -1))
            self._copy_tasks(child.decode() for child in children)
        self._copy_tasks(self._deliveries)

    def _copy_tasks(self, ids: Iterable[str]) -> None:
        names = (self._keys.of("task", id=id_) for id_ in ids)
        while some := list(islice(names, KEYS_A_STEP)):
            self._copy(some)

    # -------------------------------------------------------------------------------------------- trails

    def _drain_trails(self) -> None:
        caller = Caller(self._client)
        while extend(self._client, caller, self._settings):
            pass

    def _copy_trails(self) -> None:
        self._copy([self._keys.of("audit_state"), self._keys.of("audited")])
        for tenant in sorted(cast(set[bytes], self._client.smembers(self._keys.of("audited")))):
            whose = {"tenant": tenant.decode()}
            self._copy([self._keys.of("audit_head", **whose), self._keys.of("audit", **whose)], at_once=True)

    # --------------------------------------------------------------------------------------------- files

    def _copy_files(self) -> None:
        blobs = blobs_of(self._settings)
        for folder in BLOB_FOLDERS:
            for place in blobs.all(folder):
                with suppress(FileNotFoundError):
                    self._copy_file(blobs, place)

    def _copy_file(self, blobs: Blobs, place: str) -> None:
        """A file is written under another name first, so whoever opens one has it whole, also if it is deleted."""
        is_first = True
        for chunk in blobs.chunks(place):
            self._archive.write("files", "file" if is_first else "file_chunk", [b"file", place.encode(), chunk])
            is_first = False
        if is_first:
            self._archive.write("files", "file", [b"file", place.encode(), b""])
        self._report(self._archive.counts.total())

    # ------------------------------------------------------------------------------------------ erasures

    def _remember_erasure(self, name: str, told: Mapping[bytes, bytes]) -> None:
        prefix = self._keys.of("erasure", tenant="", case="")[:-1]
        tenant, _, case_id = name.removeprefix(prefix).partition(":")
        self._erased[tenant, case_id] = int(told.get(b"began", b"0"))

    def _note_erasures(self) -> None:
        ledger = ErasureLedger(self._store)
        for (tenant, case_id), at_ms in self._erased.items():
            ledger.note(tenant, case_id, at_ms)


def parts_of(kind: str, value: Any) -> list[bytes]:
    """A value of Redis as a row of byte strings, from which `tasks/restore.py` writes it again."""
    if kind == "string":
        return [value]
    if kind == "hash":
        return [part for pair in value.items() for part in pair]
    if kind == "zset":
        return [part for member, score in value for part in (member, repr(float(score)).encode())]
    if kind == "stream":
        return [part for id_, fields in value for part in _stream_entry(id_, fields)]
    return list(value)


def _stream_entry(id_: bytes, fields: Mapping[bytes, bytes]) -> list[bytes]:
    flat = [part for pair in fields.items() for part in pair]
    return [id_, str(len(flat)).encode(), *flat]


def _finished_ms(task: Mapping[bytes, bytes]) -> int:
    packed = task.get(b"packed")
    if packed is None:
        return int(task.get(b"finished") or 0)
    lines = packed.split(b"\n", len(PACKED_FIELDS) - 1)
    return int(lines[PACKED_FIELDS.index("finished")] or 0)


def _version() -> str:
    try:
        return metadata.version("despacho")
    except metadata.PackageNotFoundError:
        return "unknown"
