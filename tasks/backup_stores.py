"""Where backups lie: a folder, or a bucket of an S3-compatible store. What they are made of is the business of
`tasks/archive.py`; here are files by names of two parts, `<backup>/<file>`, and nothing more.

Both hold the one promise that an archive rests on: `put` writes a whole file or none, so that a manifest that is
there is whole. A part of a backup may be half written when its writer dies; without a manifest nobody looks at it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from tasks.settings import PREFIX, Settings

if TYPE_CHECKING:
    from tasks.bucket import Bucket

FOLDER = "backups"
"""Below the data directory, where nothing else is set."""
READ_AT_ONCE = 1 << 20


class BackupStore(Protocol):
    """Files of backups. Methods raise `OSError` where the folder can't be used, and `BucketFailed` where the bucket
    can't; one that reads raises `FileNotFoundError`."""

    def place(self, name: str) -> str:
        """How a file or a backup is called in messages."""

    def folders(self) -> list[str]:
        """The folders: backups, finished or not."""

    def names(self, folder: str) -> list[str]:
        """The files of a folder, by their last parts."""

    def changed_s(self, folder: str) -> float:
        """When something in a folder was last written, in seconds since 1970; 0 of an empty one."""

    def create(self, name: str) -> BinaryIO:
        """A file to be written and read, which `keep` makes last. One that is only closed may leave a piece."""

    def keep(self, name: str, file: BinaryIO) -> None:
        """Make a file of `create` last, and close it."""

    def put(self, name: str, content: bytes) -> None:
        """Write a small file, in the place of the one that was there: whole, or not at all."""

    def open(self, name: str) -> BinaryIO:
        """A file to be read from its begin to its end."""

    def delete(self, name: str) -> None:
        """Forget a file; one that is gone already is no error."""

    def delete_folder(self, folder: str) -> None:
        """Forget a folder with all its files."""


def store_of(settings: Settings, given: str | None = None) -> BackupStore:
    """Where the backups are: as given, or as set, or in a folder in the data directory. Raises `SettingsError`."""
    wanted = given or settings.backup_to
    if wanted is None:
        return FolderStore(settings.data_dir.expanduser().absolute() / FOLDER)
    from tasks.bucket import Bucket, is_bucket

    if is_bucket(wanted):
        return BucketStore(Bucket.of(settings, wanted.rstrip("/"), f"{PREFIX}BACKUP_TO"))
    return FolderStore(Path(wanted).expanduser().absolute())


def found(settings: Settings, source: str) -> tuple[BackupStore, str]:
    """The store and the name of the one backup at an address. Raises `SettingsError`."""
    from tasks.bucket import is_bucket

    if is_bucket(source):
        above, _, name = source.rstrip("/").rpartition("/")
        return store_of(settings, above), name
    path = Path(source).expanduser().absolute()
    return FolderStore(path.parent), path.name


class FolderStore:
    """Backups as folders of one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def place(self, name: str) -> str:
        return str(self._root / name)

    def folders(self) -> list[str]:
        return [path.name for path in self._root.iterdir() if path.is_dir()] if self._root.is_dir() else []

    def names(self, folder: str) -> list[str]:
        below = self._root / folder
        return [path.name for path in below.iterdir() if path.is_file()] if below.is_dir() else []

    def changed_s(self, folder: str) -> float:
        below = self._root / folder
        times = []
        for path in (below, *(below / name for name in self.names(folder))):
            with suppress(FileNotFoundError):
                times.append(path.stat().st_mtime)
        return max(times, default=0.0)

    def create(self, name: str) -> BinaryIO:
        path = self._root / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path.open("x+b")

    def keep(self, name: str, file: BinaryIO) -> None:  # noqa: ARG002
        with file:
            _onto_the_disk(file)

    def put(self, name: str, content: bytes) -> None:
        path = self._root / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            file.write(content)
            _onto_the_disk(cast(BinaryIO, file))
        os.replace(file.name, path)
        _sync_folder(path.parent)
        _sync_folder(self._root)

    def open(self, name: str) -> BinaryIO:
        return (self._root / name).open("rb")

    def delete(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)

    def delete_folder(self, folder: str) -> None:
        shutil.rmtree(self._root / folder, ignore_errors=True)


def _onto_the_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class BucketStore:
    """Backups as objects below a prefix. A part is written into a nameless file of this machine first, which goes
    with its process, and then sent."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def place(self, name: str) -> str:
        return f"{self._bucket.address}/{name}"

    def folders(self) -> list[str]:
        return [folder.rstrip("/") for folder in self._bucket.folders()]

    def names(self, folder: str) -> list[str]:
        return [one.name.rpartition("/")[2] for one in self._bucket.all(folder)]

    def changed_s(self, folder: str) -> float:
        return max((one.changed_s for one in self._bucket.all(folder)), default=0.0)

    def create(self, name: str) -> BinaryIO:  # noqa: ARG002
        return cast(BinaryIO, tempfile.TemporaryFile())

    def keep(self, name: str, file: BinaryIO) -> None:
        with file:
            file.seek(0)
            self._bucket.put(name, file)

    def put(self, name: str, content: bytes) -> None:
        self._bucket.put(name, content)

    def open(self, name: str) -> BinaryIO:
        return cast(BinaryIO, BufferedReader(_Pieces(self._bucket.chunks(name)), READ_AT_ONCE))

    def delete(self, name: str) -> None:
        self._bucket.delete([name])

    def delete_folder(self, folder: str) -> None:
        self._bucket.delete(one.name for one in self._bucket.all(folder))


class _Pieces(RawIOBase):
    """Pieces that come one after another, as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
