"""A backup or a restore in a process of its own that kills itself, as `kill -9` would, at a point that has a name.

    python -m tests.integration.killed_backup <point> [<backup>]

The settings come from the environment.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from tasks import archive
from tasks.backup import back_up
from tasks.backup_stores import BucketStore, FolderStore, found, store_of
from tasks.blobs import BucketBlobs, FolderBlobs
from tasks.connection import connect
from tasks.restore import _Restore, checked, restore
from tasks.restoring import RestoreMark
from tasks.settings import Settings


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def then_die(does: Callable[..., Any]) -> Callable[..., None]:
    def does_and_dies(*arguments: Any, **named: Any) -> None:
        does(*arguments, **named)
        die()

    return does_and_dies


def after_a_part() -> None:
    for store in (FolderStore, BucketStore):
        store.keep = then_die(store.keep)  # type: ignore[method-assign]


def before_the_manifest() -> None:
    archive.Manifest.encode = die  # type: ignore[method-assign,assignment]


def after_a_file() -> None:
    for blobs in (FolderBlobs, BucketBlobs):
        blobs.write = after_a_document(blobs.write)  # type: ignore[method-assign]


def after_a_document(write: Callable[..., int]) -> Callable[..., int]:
    def writes(self: Any, place: str, chunks: Any) -> int:
        size = write(self, place, chunks)
        if place.startswith("documents/"):
            die()
        return size

    return writes


def before_the_lists() -> None:
    _Restore._list_records = die  # type: ignore[method-assign,assignment]


def before_the_mark_goes() -> None:
    RestoreMark._remove = die  # type: ignore[method-assign]


POINTS = {
    f.__name__: f for f in (after_a_part, before_the_manifest, after_a_file, before_the_lists, before_the_mark_goes)
}


def main() -> None:
    point, *source = sys.argv[1:]
    POINTS[point]()
    settings = Settings.load()
    with connect(settings) as client:
        if source:
            store, name = found(settings, source[0])
            restore(client, settings, store, name, checked(store, name, settings))
        else:
            back_up(client, settings, store_of(settings), 14)


if __name__ == "__main__":
    main()
