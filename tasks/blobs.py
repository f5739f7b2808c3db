"""The blob store: large bytes (documents, their text, large results) that don't belong into Redis.

A place is a relative path of safe segments. The folder store writes beside the target and renames, so a reader
never sees half a blob and a kill leaves at most a temporary file.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

CHUNK_BYTES = 256 << 10
EMBEDDINGS_FILE = "embeddings.json"
_SEGMENT = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")


class FolderBlobs:
    """Blobs as files below one folder, which every process of an installation shares."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, place: str) -> Path:
        """Where a blob lies. Raises `ValueError` for a place that could lead out of the folder."""
        segments = place.split("/")
        if not all(_SEGMENT.match(segment) for segment in segments):
            raise ValueError("a place is made of safe segments")
        return self.root.joinpath(*segments)

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
        """The blob a piece at a time. Raises `FileNotFoundError` at the first."""
        with self.path(place).open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def exists(self, place: str) -> bool:
        return self.path(place).is_file()

    def some_old(self, folder: str, older_than_s: float, most: int) -> Iterator[str]:
        """The places of some blobs below a folder that were written so long ago, picked at random: whoever looks
        again and again sees all of them."""
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
