"""The form of a backup: compressed parts and a manifest that says what they hold, in a folder of a store.

A part is a gzip file of entries; an entry is a row of byte strings, each behind its length. The manifest is written
last and is there whole or not at all, so a backup that was cut off is never taken for one. What the entries mean is
the business of `tasks/backup.py` and `tasks/restore.py`, and where they lie that of `tasks/backup_stores.py`; nothing
here asks Redis.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from io import BufferedReader, RawIOBase
from typing import Any, BinaryIO, Self, cast

from pydantic import TypeAdapter

from tasks.backup_stores import BackupStore
from tasks.errors import DespachoError

FORMAT = 1
MANIFEST = "manifest.json"
ERASURES = "erasures"
"""Beside the backups of a store: the cases that were erased, see `tasks/erasure_ledger.py`."""
PART_BYTES = 256 << 20
"""Of entries, before they are compressed."""
WRITTEN_AT_ONCE = 1 << 20
LONGEST_ENTRY = 1 << 31
"""Lengths are checked before they are believed."""
LEVEL = 1
"""What clients tell is sealed, and doesn't shrink; names and logs shrink at the lowest level already."""
_NAME = re.compile(r"^despacho-(?P<namespace>[A-Za-z0-9_-]{1,32})-\d{8}T\d{9}Z$")
_DAMAGED = (OSError, EOFError, ValueError, zlib.error)

Entry = Sequence[bytes]


class BackupFailed(DespachoError):
    """A backup can't be written, read or restored; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a backup: its name, SHA-256 and size in bytes, and how many entries it holds."""

    name: str
    sha256: str
    bytes: int
    entries: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. Times are in ms since 1970; `counts` says how many of each kind there are."""

    format: int
    version: str
    namespace: str
    began_ms: int
    ended_ms: int
    master_key_id: str
    counts: Mapping[str, int]
    parts: tuple[Part, ...] = field(default=())

    def encode(self) -> bytes:
        return (json.dumps(asdict(self), indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def read(cls, store: BackupStore, name: str) -> Self:
        """Raises `BackupFailed` where there is no backup, a broken one, or one of a newer form."""
        place = store.place(name)
        try:
            with store.open(f"{name}/{MANIFEST}") as file:
                told = json.loads(file.read())
            if isinstance(told["format"], int) and told["format"] > FORMAT:
                raise BackupFailed(
                    f"{place} has format {told['format']}, and this Despacho reads formats up to {FORMAT}. "
                    f"Use Despacho {told.get('version', 'of that time')} or newer."
                )
            return TypeAdapter(cls).validate_python(told)
        except (FileNotFoundError, NotADirectoryError):
            raise BackupFailed(
                f"{place} is no finished backup: it has no {MANIFEST}. Name one that `despacho backup list` shows."
            ) from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BackupFailed(f"{place}/{MANIFEST} can't be read ({type(error).__name__}).") from None


class ArchiveWriter:
    """Writes one backup. Used in a `with`: what is not finished by `finish` is removed at its end. Raises `OSError`
    and `BucketFailed` as the store does."""

    def __init__(self, store: BackupStore, name: str) -> None:
        self._store = store
        self._name = name
        self._open: dict[str, _PartWriter] = {}
        self._parts: list[Part] = []
        self._is_finished = False
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._open.values():
            part.abandon()
        if not self._is_finished:
            # Where the store is away, the next backup removes it.
            with suppress(OSError, DespachoError):
                remove(self._store, self._name)

    def write(self, group: str, kind: str, entry: Entry) -> None:
        """Add an entry to the part of its group; one of a kind that is counted."""
        part = self._open.get(group)
        if part is None:
            number = sum(1 for one in self._parts if one.name.startswith(f"{group}-")) + 1
            part = self._open[group] = _PartWriter(self._store, self._name, f"{group}-{number:04d}.gz")
        part.write(entry)
        self.counts[kind] += 1
        if part.written >= PART_BYTES:
            self._parts.append(part.finish())
            del self._open[group]

    def finish(self, **told: Any) -> Manifest:
        """Close the parts, and write the manifest."""
        self._parts += [part.finish() for part in self._open.values()]
        self._open.clear()
        counts = dict(sorted(self.counts.items()))
        manifest = Manifest(format=FORMAT, counts=counts, parts=tuple(self._parts), **told)
        self._store.put(f"{self._name}/{MANIFEST}", manifest.encode())
        self._is_finished = True
        return manifest


class _PartWriter:
    def __init__(self, store: BackupStore, backup: str, name: str) -> None:
        self._store = store
        self._place = f"{backup}/{name}"
        self._name = name
        self._file = store.create(self._place)
        # No time and no name in its head: the same entries make the same file.
        self._zip = gzip.GzipFile(filename="", mode="wb", fileobj=self._file, compresslevel=LEVEL, mtime=0)
        self._waiting = bytearray()
        self.written = 0
        self._entries = 0

    def write(self, entry: Entry) -> None:
        waiting = self._waiting
        waiting += len(entry).to_bytes(4, "big")
        for value in entry:
            waiting += len(value).to_bytes(4, "big")
            waiting += value
        self._entries += 1
        if len(waiting) >= WRITTEN_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self.written += len(self._waiting)
        self._zip.write(self._waiting)
        self._waiting = bytearray()

    def finish(self) -> Part:
        self._flush()
        self._zip.close()
        size = self._file.tell()
        self._file.seek(0)
        digest = hashlib.file_digest(cast(Any, self._file), "sha256").hexdigest()
        self._store.keep(self._place, self._file)
        return Part(self._name, digest, size, self._entries)

    def abandon(self) -> None:
        self._file.close()


# ----------------------------------------------------------------------------------------------- reading


def verified(store: BackupStore, name: str) -> Manifest:
    """The manifest of a backup whose every part is as it was written; each is read once. Raises `BackupFailed` and
    `BucketFailed`."""
    manifest = Manifest.read(store, name)
    place, counted = store.place(name), 0
    for part in manifest.parts:
        if "/" in part.name or part.name in ("", ".", ".."):
            raise BackupFailed(f"{place} names a part outside of itself: {part.name!r}.")
        counted += _count(store, name, part)
    if counted != sum(manifest.counts.values()):
        raise BackupFailed(f"{place} holds {counted} entries, and its manifest says otherwise.")
    return manifest


def _count(store: BackupStore, name: str, part: Part) -> int:
    place = store.place(f"{name}/{part.name}")
    damaged = BackupFailed(f"{place} was changed or damaged. Restore from another backup.")
    try:
        with store.open(f"{name}/{part.name}") as file:
            hashed = _Hashed(file)
            counted = sum(1 for _ in _unzipped(cast(BinaryIO, hashed)))
            hashed.drain()
    except _DAMAGED as error:
        if isinstance(error, OSError) and (error.errno or isinstance(error, FileNotFoundError)):
            raise BackupFailed(f"{place} can't be read ({error.strerror or 'it is not there'}).") from None
        raise damaged from None
    if hashed.digest() != part.sha256:
        raise damaged
    return counted


class _Hashed(RawIOBase):
    """A file whose digest is taken as it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._file.read(len(buffer))
        self._hash.update(piece)
        buffer[: len(piece)] = piece
        return len(piece)

    def drain(self) -> None:
        """Read what follows the end of the entries."""
        while self.read(WRITTEN_AT_ONCE):
            pass

    def digest(self) -> str:
        return self._hash.hexdigest()


def entries(store: BackupStore, name: str, manifest: Manifest) -> Iterator[Entry]:
    """Every entry, part by part, in the order in which it was written. Raises `BackupFailed` and `BucketFailed`."""
    for part in manifest.parts:
        try:
            with store.open(f"{name}/{part.name}") as file:
                yield from _unzipped(file)
        except _DAMAGED as error:
            place = store.place(f"{name}/{part.name}")
            raise BackupFailed(f"{place} can't be read ({type(error).__name__}).") from None


def _unzipped(file: BinaryIO) -> Iterator[Entry]:
    with gzip.open(file, "rb") as unzipped, BufferedReader(cast(RawIOBase, unzipped), WRITTEN_AT_ONCE) as whole:
        yield from _entries(whole)


def _entries(file: BufferedReader[Any]) -> Iterator[Entry]:
    while head := file.read(4):
        yield [_exactly(file, int.from_bytes(_exactly(file, 4), "big")) for _ in range(int.from_bytes(head, "big"))]


def _exactly(file: BufferedReader[Any], size: int) -> bytes:
    value = file.read(size) if size < LONGEST_ENTRY else b""
    if len(value) != size:
        raise ValueError("an entry is cut off")
    return value


def finished(store: BackupStore) -> list[str]:
    """The names of the finished backups of a store, the oldest first."""
    return sorted((name for name in _backups(store) if MANIFEST in store.names(name)), key=_time_of)


def _backups(store: BackupStore) -> list[str]:
    return [name for name in store.folders() if _NAME.match(name)]


def _time_of(name: str) -> str:
    return name.rpartition("-")[2]


def remove(store: BackupStore, name: str) -> None:
    """Remove a backup: first the manifest, so that half of one is never taken for a whole one."""
    store.delete(f"{name}/{MANIFEST}")
    store.delete_folder(name)


def remove_unfinished(store: BackupStore, namespace: str, is_at_work: Callable[[str], bool], others_s: float) -> None:
    """Remove what a backup left that was killed: of this namespace whatever nobody is at work on, of others, of whom
    we can't know, what wasn't touched for so long."""
    for name in _backups(store):
        if MANIFEST in store.names(name):
            continue
        match = _NAME.match(name)
        is_ours = match is not None and match["namespace"] == namespace
        if not is_at_work(name) if is_ours else store.changed_s(name) < time.time() - others_s:
            store.delete_folder(name)
