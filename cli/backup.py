"""`despacho backup` and `despacho restore`: everything into a folder or a bucket while it runs, and back into an
empty place.

What is in a backup and how it comes back is the business of `tasks.backup` and `tasks.restore`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli.keys import located
from cli.reach import check_reachable
from tasks.settings import Settings

if TYPE_CHECKING:
    from cli.child import Child
    from tasks.archive import Manifest

WITHOUT_MASTER_KEY = (
    "THE MASTER KEY IS NOT IN IT. Without that key ({}) nobody can read this backup: keep a copy of it elsewhere."
)


def backup(given: argparse.Namespace, settings: Settings) -> int:
    """Write a backup, verify one or list them; returns 0. Raises `BackupFailed`, `SettingsError` if no server
    answers, and `Unavailable` if that or the bucket goes away meanwhile."""
    if given.action == "verify":
        return _verify(given.source, settings)
    if given.action == "list":
        return _list(given.to, settings)
    from tasks.backup import back_up
    from tasks.backup_stores import store_of
    from tasks.connection import connect

    os.umask(0o077)
    server = located(settings)
    store = store_of(server, given.to)
    check_reachable(server)
    with connect(server) as client:
        name, manifest = back_up(client, server, store, given.keep_days or server.backup_keep_days)
    print(f"Backed up to {store.place(name)}: {_told(manifest)}.")
    print(WITHOUT_MASTER_KEY.format(manifest.master_key_id or "none was used yet"))
    return 0


def _verify(source: str, settings: Settings) -> int:
    from tasks.archive import verified
    from tasks.backup_stores import found

    store, name = found(settings, source)
    print(f"{store.place(name)} is whole: {_told(verified(store, name))}.")
    return 0


def _list(given: str | None, settings: Settings) -> int:
    """The oldest first, one a line: where, when it was begun, and what is in it."""
    from tasks.archive import Manifest, finished
    from tasks.backup_stores import store_of
    from tasks.clock import rfc3339

    store = store_of(settings, given)
    for name in finished(store):
        manifest = Manifest.read(store, name)
        print(f"{store.place(name)}  {rfc3339(manifest.began_ms)}  {_told(manifest)}")
    return 0


def _told(manifest: Manifest) -> str:
    size = sum(part.bytes for part in manifest.parts)
    counts = manifest.counts
    named = ", ".join(f"{counts.get(kind, 0)} {word}" for kind, word in SHOWN.items())
    return f"{named}; {sum(counts.values())} entries in {size / (1 << 20):.1f} MiB"


SHOWN = {"task": "tasks", "case": "cases", "document": "documents", "file": "files", "api_key": "API keys"}


def restore(given: argparse.Namespace, settings: Settings) -> int:
    """Put a backup into the server that is set, or into a new data directory; returns 0. Raises `BackupFailed`,
    `SettingsError` and `Unavailable`."""
    from tasks.backup_stores import found
    from tasks.connection import connect
    from tasks.restore import checked
    from tasks.restore import restore as put_back

    os.umask(0o077)
    store, name = found(settings, given.source)
    manifest = checked(store, name, settings)
    with _server(settings) as server, connect(server) as client:
        restored = put_back(client, server, store, name, manifest)
    print(f"Restored {_told(manifest)}.")
    print(f"{restored.tasks} tasks are there; {restored.recovered} were running and are queued again.")
    if restored.erased:
        print(f"{restored.erased} cases that were erased after the backup stay erased.")
    return 0


@contextlib.contextmanager
def _server(settings: Settings) -> Iterator[Settings]:
    """The server that is set, or an embedded one on the data directory, for as long as it takes."""
    if "redis_url" in settings.model_fields_set:
        check_reachable(settings)
        yield settings
        return
    from cli.data_dir import LOG_DIR, claimed, prepared
    from cli.embedded import NAME, place_socket, remove_private_socket, server_spec, socket_url
    from cli.stop_requests import StopRequests
    from cli.supervisor import Supervisor

    with contextlib.closing(StopRequests()) as stop:
        stop.listen()
        data_dir = prepared(settings.data_dir)
        with claimed(data_dir, stop.pause) as lock:
            placed = place_socket(data_dir)
            supervisor = Supervisor(stop, on_change=lambda children: _note(data_dir, placed, children))
            try:
                supervisor.start(server_spec(data_dir, placed, lock, data_dir / LOG_DIR / f"{NAME}.log"))
                supervisor.wait_until_ready()
                yield settings.model_copy(update={"data_dir": data_dir, "redis_url": socket_url(placed)})
            finally:
                supervisor.stop()
                remove_private_socket(placed)


def _note(data_dir: Path, placed: Path, children: Sequence[Child]) -> None:
    """Should this be killed, the next who comes ends the server."""
    from cli.data_dir import this_process
    from cli.processes import ProcessId
    from cli.state import State, write_state

    running = {
        child.spec.name: ProcessId.of(child.pid, Path(child.spec.command[0]).name)
        for child in children
        if child.pid is not None
    }
    write_state(data_dir, State(this_process(), placed, running))
