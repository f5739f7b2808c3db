"""`despacho up`: Despacho on one machine, from an empty directory to a server that answers, and back.

The sequence alone; each step is a module of its own.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from actors.engines.extras import check_extras
from cli.admin_key import AdminKey, first_admin_key
from cli.child import Child, ChildSpec, Stage
from cli.crew import Crew
from cli.data_dir import LOG_DIR, claimed, prepared, this_process
from cli.embedded import NAME, place_socket, remove_private_socket, server_spec, socket_url
from cli.logs import log, supervision_logged
from cli.port import address_to_open, free_port
from cli.processes import ProcessId
from cli.program import program, worker
from cli.reach import check_reachable
from cli.state import State, write_state
from cli.stop_requests import Stopped, StopRequests
from cli.supervisor import Supervisor
from tasks.master_key import load_vault
from tasks.settings import Settings

Program = Callable[[Settings, Path], Sequence[ChildSpec]]


def up(settings: Settings, program: Program = program) -> int:
    """Run Despacho until a signal stops it; returns 0 then, or 1 if the stop was hurried.

    Raises `SettingsError` when a setting, what it asks for, the port or the directory doesn't allow it, and
    `StartFailed` when a process doesn't come up. Either way nothing is left running.
    """
    # Here too, or workers would be started in vain.
    check_extras(settings)
    # Clients' words are in the documents and in the server's file: whatever we or our children write is private.
    os.umask(0o077)
    with contextlib.closing(StopRequests()) as stop:
        stop.listen()
        data_dir = prepared(settings.data_dir)
        with (
            contextlib.suppress(Stopped),
            supervision_logged(data_dir / LOG_DIR, settings.log_format),
            claimed(data_dir, stop.pause) as lock,
        ):
            settings = settings.model_copy(update={"data_dir": data_dir, "port": free_port(settings)})
            # Made before anybody needs it, and checked before anything starts.
            load_vault(settings)
            _run(_Machine(settings, lock, stop), program)
        return 1 if stop.hurried else 0


def _run(machine: _Machine, program: Program) -> None:
    try:
        key = machine.bring_up(program)
        if not machine.stop.asked:
            _say_ready(machine.settings, key)
        machine.watch()
    finally:
        machine.take_down()


def _say_ready(settings: Settings, key: AdminKey | None) -> None:
    log.info("ready: %s", address_to_open(settings))
    _say(f"Despacho is ready: {address_to_open(settings)}")
    if key is not None:
        _say(f"Admin API key (kept in {key.path}): {key.secret}")


def _say(line: str) -> None:
    try:
        print(line, flush=True)
    except OSError:
        # Whoever read this has gone (`despacho up | head -1`); that is no reason to stop what runs.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Machine:
    """One run of Despacho in a directory that is ours: the server, the processes and what is noted of them."""

    def __init__(self, settings: Settings, lock: int, stop: StopRequests) -> None:
        self.settings = settings
        self.stop = stop
        self.supervisor = Supervisor(stop, on_change=self._note)
        self._lock = lock
        self._data_dir = settings.data_dir
        self._logs = settings.data_dir / LOG_DIR
        self._socket: Path | None = None

    def bring_up(self, program: Program) -> AdminKey | None:
        """Start everything and wait until all of it serves. The admin key is returned when it was made just now."""
        self._find_redis()
        if self.stop.asked:
            return None
        self.supervisor.start(*program(self.settings, self._logs))
        make_key = first_admin_key(self.settings)
        self.supervisor.wait_until_ready()
        return None if self.stop.asked else make_key()

    def watch(self) -> None:
        """Until a stop is asked for. Where workers come and go by themselves, see to that as well."""
        if self.settings.workers == "auto" and not self.stop.asked:
            crew = Crew(self.settings, self.supervisor, partial(worker, self.settings, self._logs))
            self.supervisor.watch(crew.tend)
        else:
            self.supervisor.watch()

    def take_down(self) -> None:
        self.supervisor.stop()
        remove_private_socket(self._socket)

    def _find_redis(self) -> None:
        if "redis_url" in self.settings.model_fields_set:
            check_reachable(self.settings)
        else:
            self._start_server()

    def _start_server(self) -> None:
        self._socket = place_socket(self._data_dir)
        server = server_spec(self._data_dir, self._socket, self._lock, self._logs / f"{NAME}.log")
        self.supervisor.start(server)
        self.supervisor.wait_until_ready()
        self.settings = self.settings.model_copy(update={"redis_url": socket_url(self._socket)})

    def _note(self, children: Sequence[Child]) -> None:
        running = {
            child.spec.name: ProcessId.of(child.pid, _lasting_name(child.spec))
            for child in children
            if child.pid is not None
        }
        write_state(self._data_dir, State(this_process(), self._socket, running))


def _lasting_name(spec: ChildSpec) -> str:
    """The server keeps its binary's name on its command line; a Python process may give itself another title."""
    return Path(spec.command[0]).name if spec.stage is Stage.SERVER else ""
