from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from cli import data_dir as module
from cli.child import Child
from cli.data_dir import claimed, prepared, this_process
from cli.embedded import answers, place_socket, server_spec
from cli.processes import ProcessId
from cli.state import State, read_state, write_state
from tasks.errors import SettingsError
from tests.unit.cli.conditions import pause, until
from tests.unit.cli.stand_ins import STAY, python


def test_a_directory_is_made_for_this_user_alone(tmp_path: Path) -> None:
    made = prepared(tmp_path / "a" / "b")

    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert (made / "logs").is_dir()


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert prepared(Path("here")) == tmp_path / "here"


@pytest.mark.parametrize("path", ["file/data", "file", "/proc/despacho"])
def test_what_cannot_be_written_is_refused_in_one_line(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError, match=r"can't be written \(.+\)\. Name another .*DESPACHO_DATA_DIR") as refusal:
        prepared(tmp_path / path)

    assert "\n" not in str(refusal.value)


def test_the_owner_is_noted_while_the_directory_is_claimed(tmp_path: Path) -> None:
    with claimed(tmp_path, pause):
        state = read_state(tmp_path)
        assert state is not None
        assert state.supervisor == this_process()

    assert read_state(tmp_path) is None


def test_a_second_owner_is_refused_at_once(tmp_path: Path) -> None:
    with claimed(tmp_path, pause):
        began = time.monotonic()
        with pytest.raises(SettingsError, match="used by Despacho already"), claimed(tmp_path, pause):
            pass
        assert time.monotonic() - began < 1


def test_after_the_end_the_next_owner_may_come(tmp_path: Path) -> None:
    with claimed(tmp_path, pause):
        pass

    with claimed(tmp_path, pause) as lock:
        assert os.fstat(lock)


def test_a_holder_that_cannot_be_told_is_not_waited_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNKNOWN_PATIENCE_S", 0.2)
    with claimed(tmp_path, pause):
        (tmp_path / "despacho.state.json").unlink()

        with pytest.raises(SettingsError, match="a process that can't be told"), claimed(tmp_path, pause):
            pass


def dead_supervisor() -> ProcessId:
    with subprocess.Popen(python(STAY)) as process:
        known = ProcessId.of(process.pid, "")
        process.kill()
    return known


def test_an_orphaned_server_that_holds_the_lock_is_ended_first(tmp_path: Path) -> None:
    directory = prepared(tmp_path / "data")
    orphan = orphaned_server(directory)
    known = ProcessId.of(orphan.pid or 0, "valkey-server")
    write_state(directory, State(dead_supervisor(), place_socket(directory), {"valkey": known}))

    with claimed(directory, pause):
        assert not known.alive

    until(lambda: orphan.reap() is not None, "the orphan's end")


def orphaned_server(directory: Path) -> Child:
    """A server that holds the lock while no supervisor does."""
    with claimed(directory, pause) as lock:
        server = Child(server_spec(directory, place_socket(directory), lock, directory / "log"))
        server.start()
    until(lambda: answers(place_socket(directory)), "the server")
    return server


def test_leftovers_are_ended_although_the_lock_is_free(tmp_path: Path) -> None:
    with subprocess.Popen(python(STAY), start_new_session=True) as left:
        write_state(tmp_path, State(dead_supervisor(), None, {"worker-1": ProcessId.of(left.pid, "")}))

        with claimed(tmp_path, pause):
            assert left.wait(timeout=5) == -signal.SIGTERM


def test_the_private_socket_of_a_killed_owner_is_cleared_away(tmp_path: Path) -> None:
    private = tmp_path / "despacho-x1y2"
    private.mkdir()
    (private / "valkey.sock").touch()
    write_state(tmp_path, State(dead_supervisor(), private / "valkey.sock", {}))

    with claimed(tmp_path, pause):
        assert not private.exists()
