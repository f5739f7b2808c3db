"""The blob store: large bytes (documents, their text, large results) that don't belong into Redis.

A place is a relative path of safe segments. The folder store writes beside the target and renames, so a reader
never sees half a blob and a kill leaves at most a temporary file. A bucket does the same for installations whose
processes share no folder. Both may wait for a disk or a network: a process that serves many asks in a thread.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from tasks.settings import PREFIX, Settings

if TYPE_CHECKING:
    from tasks.bucket import Bucket, Found

FOLDER = "blobs"
"""Below the data directory."""
BLOB_FOLDERS = ("documents", "texts", "results")

CHUNK_BYTES = 256 << 10
SHORT_BYTES = 1 << 20
EMBEDDINGS_FILE = "embeddings.json"
_SEGMENT = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")


class Blobs(Protocol):
    """Blobs by their places. Every method raises `ValueError` for a place that isn't made of safe segments; those of
    a bucket raise `BucketFailed`, and those of a folder `OSError`."""

    def where(self) -> str:
        """How the store is called in messages."""

    def write(self, place: str, chunks: Iterable[bytes]) -> int:
        """Store the chunks, replacing what was there; returns the size in bytes."""

    def read(self, place: str) -> bytes:
        """The whole blob. Raises `FileNotFoundError`."""

    def chunks(self, place: str) -> Iterator[bytes]:
        """The blob a piece at a time. Raises `FileNotFoundError` at the first."""

    def exists(self, place: str) -> bool:
        """Whether there is such a blob."""

    def all(self, folder: str) -> Iterator[str]:
        """The places of all blobs below a folder."""

    def some_old(self, folder: str, older_than_s: float, most: int) -> Iterator[str]:
        """The places of some blobs below a folder that were written so long ago: whoever looks again and again sees
        all of them."""

    def is_empty(self) -> bool:
        """Whether there is no blob at all."""

    def delete(self, place: str) -> None:
        """Forget a blob; one that is gone already is no error."""

    def delete_folder(self, place: str) -> None:
        """Forget every blob below a place."""

    def delete_folders(self, places: Sequence[str]) -> None:
        """The same of many places: cheaper where they lie beside each other."""


def blobs_of(settings: Settings) -> Blobs:
    """The blob store of an installation. Raises `SettingsError` for a bucket that can't be used as it is set."""
    if settings.blobs is None:
        return FolderBlobs(settings.data_dir.expanduser() / FOLDER)
    from tasks.bucket import Bucket

    return BucketBlobs(Bucket.of(settings, settings.blobs, f"{PREFIX}BLOBS"))


def check_blobs(settings: Settings) -> None:
    """Ask a bucket for anything at all, before a process says that it is ready. Raises `BucketFailed`."""
    if settings.blobs is not None:
        from tasks.bucket import Bucket

        Bucket.of(settings, settings.blobs, f"{PREFIX}BLOBS").check()


def _segments(place: str) -> list[str]:
    segments = place.split("/")
    if not all(_SEGMENT.match(segment) for segment in segments):
        raise ValueError("a place is made of safe segments")
    return segments


class FolderBlobs:
    """Blobs as files below one folder, which every process of an installation shares."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, place: str) -> Path:
        """Where a blob lies. Raises `ValueError` for a place that could lead out of the folder."""
        return self.root.joinpath(*_segments(place))

    def where(self) -> str:
        return str(self.root)

    def write(self, place: str, chunks: Iterable[bytes]) -> int:
        """Store the chunks, replacing what was there; returns the size in bytes."""
        target = self.path(place)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as file:
            try:
                size = sum(file.write(chunk) for chunk in chunks)
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, target)
            except BaseException:  # also an interrupted run leaves no half of a file behind
                Path(file.name).unlink(missing_ok=True)
                raise
        return size

    def read(self, place: str) -> bytes:
        """The whole blob. Raises `FileNotFoundError`."""
        return self.path(place).read_bytes()

    def chunks(self, place: str) -> Iterator[bytes]:
        with self.path(place).open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def exists(self, place: str) -> bool:
        return self.path(place).is_file()

    def all(self, folder: str) -> Iterator[str]:
        for path in _shuffled_files(self.path(folder)):
            yield path.relative_to(self.root).as_posix()

    def is_empty(self) -> bool:
        return not any(path.is_file() for path in self.root.rglob("*"))

    def some_old(self, folder: str, older_than_s: float, most: int) -> Iterator[str]:
        """Picked at random."""
        latest = time.time() - older_than_s
        for path in islice(_shuffled_files(self.path(folder)), most):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < latest:
                    yield path.relative_to(self.root).as_posix()

    def delete(self, place: str) -> None:
        """Forget a blob; one that is gone already is no error."""
        self.path(place).unlink(missing_ok=True)

    def delete_folder(self, place: str) -> None:
        """Forget every blob below a place."""
        shutil.rmtree(self.path(place), ignore_errors=True)

    def delete_folders(self, places: Sequence[str]) -> None:
        for place in places:
            self.delete_folder(place)


def _shuffled_files(folder: Path) -> Iterator[Path]:
    """The files below a folder, each folder's in an order of its own, temporary ones left out."""
    try:
        inside = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    random.shuffle(inside)
    for path in inside:
        if path.is_dir():
            yield from _shuffled_files(path)
        elif _SEGMENT.match(path.name):
            yield path


class BucketBlobs:
    """Blobs as objects below a prefix of a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._seen: dict[str, str] = {}

    def where(self) -> str:
        return self._bucket.address

    def write(self, place: str, chunks: Iterable[bytes]) -> int:
        """What is long goes into a nameless file first: nothing is sent of what breaks off."""
        name = _name(place)
        with tempfile.SpooledTemporaryFile(SHORT_BYTES) as file:
            file.writelines(chunks)
            size = file.tell()
            file.seek(0)
            self._bucket.put(name, file.read() if size <= SHORT_BYTES else cast(BinaryIO, file))
        return size

    def read(self, place: str) -> bytes:
        return self._bucket.read(_name(place))

    def chunks(self, place: str) -> Iterator[bytes]:
        yield from self._bucket.chunks(_name(place))

    def exists(self, place: str) -> bool:
        return self._bucket.exists(_name(place))

    def all(self, folder: str) -> Iterator[str]:
        return (one.name for one in self._bucket.all(_name(folder)))

    def is_empty(self) -> bool:
        return next(self._bucket.all(), None) is None

    def some_old(self, folder: str, older_than_s: float, most: int) -> Iterator[str]:
        """Where the last look ended it goes on, and begins anew behind the last one."""
        latest, found = time.time() - older_than_s, 0
        for one in islice(self._from_where_it_was(folder), most):
            found += 1
            self._seen[folder] = one.name
            if one.changed_s < latest:
                yield one.name
        if found < most:
            self._seen.pop(folder, None)

    def _from_where_it_was(self, folder: str) -> Iterator[Found]:
        if folder not in self._seen and (below := self._bucket.folders(_name(folder))):
            # Processes that are started again and again would else see the first ones alone.
            self._seen[folder] = random.choice(below)
        return self._bucket.all(folder, after=self._seen.get(folder, ""))

    def delete(self, place: str) -> None:
        self._bucket.delete([_name(place)])

    def delete_folder(self, place: str) -> None:
        self._bucket.delete(one.name for one in self._bucket.all(_name(place)))

    def delete_folders(self, places: Sequence[str]) -> None:
        """Those of tasks that expire together lie beside each other, for their ids begin with their time: one walk
        over what is between the first and the last costs less than a question for each."""
        beside: dict[str, set[str]] = defaultdict(set)
        for place in places:
            above, _, last = _name(place).rpartition("/")
            beside[above].add(last)
        for above, lasts in beside.items():
            self._bucket.delete(self._below(above, lasts))

    def _below(self, above: str, lasts: set[str]) -> Iterator[str]:
        first, last = min(lasts), max(lasts)
        for one in self._bucket.all(above, after=f"{above}/{first}"):
            folder = one.name.removeprefix(f"{above}/").partition("/")[0]
            if folder > last:
                return
            if folder in lasts:
                yield one.name


def _name(place: str) -> str:
    return "/".join(_segments(place))


def document_place(tenant: str, digest: str) -> str:
    """The bytes of a document; the same bytes of one tenant lie there once. The digest is a keyed one: it tells
    nothing of the bytes to who sees the folder."""
    return f"documents/{tenant}/{digest[:2]}/{digest}"


def text_place(tenant: str, document_id: str) -> str:
    """The text that was read out of a document."""
    return f"texts/{tenant}/{document_id}.txt"


def analysis_place(tenant: str, document_id: str) -> str:
    """What a document came to when it was last read (`tasks/analyses.py`)."""
    return f"texts/{tenant}/{document_id}.json"


def read_places(tenant: str, document_id: str) -> tuple[str, ...]:
    """Everything that was read out of a document: it goes with it."""
    return text_place(tenant, document_id), analysis_place(tenant, document_id)


def results_folder(tenant: str, task_id: str) -> str:
    """Where everything that a task leaves in the blob store lies."""
    return f"results/{tenant}/{task_id}"


def result_place(tenant: str, task_id: str, name: str) -> str:
    """A result that is too large for Redis."""
    return f"{results_folder(tenant, task_id)}/{name}"
