"""The form of a backup: a folder of compressed parts and a manifest that says what they hold.

A part is a gzip file of entries; an entry is a row of byte strings, each behind its length. The manifest is written
last and the folder gets its name after that, so a backup that was cut off is never taken for one. What the entries
mean is the business of `tasks/backup.py` and `tasks/restore.py`; nothing here asks Redis.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, Self

from pydantic import TypeAdapter

from tasks.errors import DespachoError

FORMAT = 1
MANIFEST = "manifest.json"
ERASURES = "erasures"
"""Beside the backups of a folder: the cases that were erased, see `tasks/erasure_ledger.py`."""
PART_BYTES = 256 << 20
"""Of entries, before they are compressed."""
WRITTEN_AT_ONCE = 1 << 20
LONGEST_ENTRY = 1 << 31
"""Lengths are checked before they are believed."""
LEVEL = 1
"""What clients tell is sealed, and doesn't shrink; names and logs shrink at the lowest level already."""
_NAME = re.compile(r"^despacho-[A-Za-z0-9_-]{1,32}-\d{8}T\d{9}Z$")
_UNFINISHED = ".unfinished-"

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
    def read(cls, folder: Path) -> Self:
        """Raises `BackupFailed` where there is no backup, a broken one, or one of a newer form."""
        try:
            told = json.loads((folder / MANIFEST).read_bytes())
            if isinstance(told["format"], int) and told["format"] > FORMAT:
                raise BackupFailed(
                    f"{folder} has format {told['format']}, and this Despacho reads formats up to {FORMAT}. "
                    f"Use Despacho {told.get('version', 'of that time')} or newer."
                )
            return TypeAdapter(cls).validate_python(told)
        except FileNotFoundError:
            raise BackupFailed(
                f"{folder} is no finished backup: it has no {MANIFEST}. Name a folder that `despacho backup` made."
            ) from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BackupFailed(f"{folder / MANIFEST} can't be read ({type(error).__name__}).") from None


class ArchiveWriter:
    """Writes one backup. Used in a `with`: what is not finished by `finish` is removed at its end."""

    def __init__(self, store: Path, name: str) -> None:
        self._final = store / name
        self._folder = store / (_UNFINISHED + name)
        self._open: dict[str, _PartWriter] = {}
        self._parts: list[Part] = []
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise BackupFailed(f"{self._folder} can't be made ({error.strerror}).") from None
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._open.values():
            part.abandon()
        shutil.rmtree(self._folder, ignore_errors=True)

    def write(self, group: str, kind: str, entry: Entry) -> None:
        """Add an entry to the part of its group; one of a kind that is counted."""
        part = self._open.get(group)
        if part is None:
            number = sum(1 for one in self._parts if one.name.startswith(f"{group}-")) + 1
            part = self._open[group] = _PartWriter(self._folder / f"{group}-{number:04d}.gz")
        part.write(entry)
        self.counts[kind] += 1
        if part.written >= PART_BYTES:
            self._parts.append(part.finish())
            del self._open[group]

    def finish(self, **told: Any) -> tuple[Path, Manifest]:
        """Close the parts, write the manifest, and give the folder its name."""
        self._parts += [part.finish() for part in self._open.values()]
        self._open.clear()
        counts = dict(sorted(self.counts.items()))
        manifest = Manifest(format=FORMAT, counts=counts, parts=tuple(self._parts), **told)
        with (self._folder / MANIFEST).open("xb") as file:
            file.write(manifest.encode())
            _onto_the_disk(file)
        _sync_folder(self._folder)
        os.rename(self._folder, self._final)
        _sync_folder(self._final.parent)
        return self._final, manifest


class _PartWriter:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("xb")
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
        _onto_the_disk(self._file)
        self._file.close()
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Part(self._path.name, digest, self._path.stat().st_size, self._entries)

    def abandon(self) -> None:
        self._file.close()


def _onto_the_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# ----------------------------------------------------------------------------------------------- reading


def verified(folder: Path) -> Manifest:
    """The manifest of a backup whose every part is as it was written. Raises `BackupFailed`."""
    manifest = Manifest.read(folder)
    for part in manifest.parts:
        if Path(part.name).name != part.name:
            raise BackupFailed(f"{folder} names a part outside of itself: {part.name!r}.")
        try:
            with (folder / part.name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise BackupFailed(f"{folder / part.name} can't be read ({error.strerror}).") from None
        if digest != part.sha256:
            raise BackupFailed(f"{folder / part.name} was changed or damaged. Restore from another backup.")
    counted = sum(1 for _ in entries(folder, manifest))
    if counted != sum(manifest.counts.values()):
        raise BackupFailed(f"{folder} holds {counted} entries, and its manifest says otherwise.")
    return manifest


def entries(folder: Path, manifest: Manifest) -> Iterator[Entry]:
    """Every entry, part by part, in the order in which it was written. Raises `BackupFailed`."""
    for part in manifest.parts:
        try:
            with gzip.open(folder / part.name, "rb") as unzipped, BufferedReader(unzipped, WRITTEN_AT_ONCE) as file:
                yield from _entries(file)
        except (OSError, EOFError, ValueError) as error:
            raise BackupFailed(f"{folder / part.name} can't be read ({type(error).__name__}).") from None


def _entries(file: BufferedReader[Any]) -> Iterator[Entry]:
    while head := file.read(4):
        yield [_exactly(file, int.from_bytes(_exactly(file, 4), "big")) for _ in range(int.from_bytes(head, "big"))]


def _exactly(file: BufferedReader[Any], size: int) -> bytes:
    value = file.read(size) if size < LONGEST_ENTRY else b""
    if len(value) != size:
        raise ValueError("an entry is cut off")
    return value


def finished(store: Path) -> list[Path]:
    """The finished backups of a folder, the oldest first."""
    if not store.is_dir():
        return []
    return sorted((p for p in store.iterdir() if _NAME.match(p.name) and (p / MANIFEST).is_file()), key=_time_of)


def _time_of(folder: Path) -> str:
    return folder.name.rpartition("-")[2]


def remove(folders: Iterable[Path]) -> None:
    """Remove backups: first the manifest, so that half of one is never taken for a whole one."""
    for folder in folders:
        (folder / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def remove_unfinished(store: Path, older_than_s: float) -> None:
    """Remove what a backup left that was killed so long ago."""
    for folder in store.glob(f"{_UNFINISHED}*"):
        if folder.stat().st_mtime < time.time() - older_than_s:
            shutil.rmtree(folder, ignore_errors=True)
