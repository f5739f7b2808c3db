"""`despacho up` as a process of its own: the real server and stand-ins for the other processes."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from cli.admin_key import ADMIN_KEY_FILE
from cli.embedded import socket_url
from cli.processes import ProcessId
from cli.state import State, read_state
from tests.unit.cli.conditions import until

ROOT = Path(__file__).resolve().parents[2]
NAMES = {"valkey", "worker", "scheduler", "gateway"}


class Up:
    """One `despacho up` in `data_dir`; what it prints is in `said` and `complained`."""

    def __init__(self, base: Path, data_dir: Path, **environment: str) -> None:
        base.mkdir(exist_ok=True)
        self.data_dir = data_dir
        self.notes = base / "notes"
        self.began = time.monotonic()
        self._out, self._err = base / "stdout", base / "stderr"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DESPACHO_")}
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                (sys.executable, "-m", "tests.system.up_stand_ins", "up"),
                cwd=ROOT,
                env={
                    **inherited,
                    "DESPACHO_DATA_DIR": str(data_dir),
                    "DESPACHO_PORT": "0",
                    "STAND_IN_NOTES": str(self.notes),
                    **environment,
                },
                stdout=out,
                stderr=err,
            )

    @property
    def said(self) -> str:
        return self._out.read_text()

    @property
    def complained(self) -> str:
        return self._err.read_text()

    @property
    def state(self) -> State:
        state = read_state(self.data_dir)
        assert state is not None
        return state

    @property
    def children(self) -> dict[str, ProcessId]:
        return self.state.children

    def pid(self, name: str) -> int:
        return self.children[name].pid

    def ready(self) -> Up:
        until(lambda: "is ready" in self.said or self.process.poll() is not None, "an end of the start")
        assert self.process.poll() is None, self.complained
        return self

    def redis(self) -> redis.Redis:
        assert self.state.socket is not None
        return redis.Redis.from_url(socket_url(self.state.socket))

    def interrupted_again(self) -> subprocess.Popen[bytes]:
        self.process.send_signal(signal.SIGINT)
        return self.process

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


Start = Callable[..., Up]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Up] = []

    def start_one(data_dir: Path | None = None, **environment: str) -> Up:
        one = Up(tmp_path / f"up-{len(started)}", data_dir or tmp_path / "data", **environment)
        started.append(one)
        return one

    yield start_one
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.wait(timeout=20)


def living(children: dict[str, ProcessId]) -> list[str]:
    return [name for name, process in children.items() if process.alive]


def gateway_answers(up: Up) -> bool:
    url = up.said.splitlines()[0].removeprefix("Despacho is ready: ")
    try:
        urllib.request.urlopen(url, timeout=2)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def refused(up: Up) -> str:
    """What a start that must not succeed complained of; it had to be one line, soon, with exit code 2."""
    assert up.process.wait(timeout=10) == 2, up.complained
    assert time.monotonic() - up.began < 3
    assert up.complained.count("\n") == 1
    assert up.said == ""
    return up.complained


# ------------------------------------------------------------------------------------------ start and stop


def test_all_serve_when_it_says_that_it_is_ready_and_nothing_is_left_after_ctrl_c(start: Start) -> None:
    up = start().ready()
    children = up.children

    assert set(living(children)) == NAMES
    assert {f"{name} serves" for name in NAMES - {"valkey"}} <= set(up.notes.read_text().splitlines())
    assert gateway_answers(up)

    assert up.stop(signal.SIGINT) == 0
    assert living(children) == []
    assert read_state(up.data_dir) is None
    assert up.complained == ""


def test_the_admin_key_is_made_once_and_kept_for_its_owner_alone(start: Start) -> None:
    first = start().ready()
    until(lambda: first.said.count("\n") == 2, "two lines")
    key = (first.data_dir / ADMIN_KEY_FILE).read_text().strip()
    first.stop()

    second = start().ready()
    second.stop()

    assert first.said.splitlines()[1] == f"Admin API key (kept in {first.data_dir / ADMIN_KEY_FILE}): {key}"
    assert key.startswith("dsp_")
    assert stat.S_IMODE((first.data_dir / ADMIN_KEY_FILE).stat().st_mode) == 0o600
    assert len(second.said.splitlines()) == 1


def test_what_is_written_can_be_read_by_its_owner_alone(start: Start, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    start(shared).ready()

    open_to_others = [path.name for path in shared.iterdir() if path.stat().st_mode & 0o077]

    assert {path.name for path in shared.iterdir()} >= {"appendonlydir", "logs", "valkey.sock", ADMIN_KEY_FILE}
    assert open_to_others == []


def test_a_stop_ends_the_front_first_then_the_workers_then_the_server(start: Start) -> None:
    up = start().ready()

    up.stop()

    *front, last = [line for line in up.notes.read_text().splitlines() if "ended" in line]
    assert sorted(front) == ["gateway ended", "scheduler ended"]
    # The server still counted the worker's end: it was the last to go.
    assert last == "worker ended, server said :"


def test_a_worker_that_does_not_end_is_killed_when_its_drain_is_over(start: Start) -> None:
    up = start(STAND_IN_STUBBORN="1", DESPACHO_DRAIN_TIMEOUT_S="0.3").ready()
    children = up.children

    assert up.stop() == 0
    assert living(children) == []
    assert "worker did not end in its 0.3 s and was killed" in up.complained


def test_a_second_ctrl_c_hurries(start: Start) -> None:
    up = start(STAND_IN_STUBBORN="1", DESPACHO_DRAIN_TIMEOUT_S="3600").ready()
    children = up.children

    up.process.send_signal(signal.SIGINT)
    until(lambda: "worker told to end" in up.notes.read_text(), "the worker's turn to end")
    until(lambda: up.interrupted_again().poll() is not None, "a hurried end")

    assert up.process.returncode == 1
    assert living(children) == []


def test_ctrl_c_during_the_start_leaves_nothing(start: Start) -> None:
    up = start()
    until(lambda: (up.data_dir / "logs" / "valkey.log").exists(), "the first process")

    assert up.stop(signal.SIGINT) == 0
    assert up.said == ""
    assert read_state(up.data_dir) is None


# ---------------------------------------------------------------------------------------------- supervision


def test_a_dead_worker_is_started_again_and_it_is_said(start: Start) -> None:
    up = start().ready()
    before = up.pid("worker")

    os.kill(before, signal.SIGKILL)

    until(lambda: up.notes.read_text().count("worker serves") == 2, "another worker")
    assert up.pid("worker") != before
    assert "worker ended with signal 9 (SIGKILL); it is started again in 0.5 s" in up.complained


def test_a_dead_server_comes_back_with_its_data_and_the_others_stay(start: Start) -> None:
    up = start().ready()
    up.redis().set("case", "kept")
    before = up.children

    os.kill(before["valkey"].pid, signal.SIGKILL)

    until(lambda: up.pid("valkey") != before["valkey"].pid and up.children["valkey"].alive, "another server")
    until(lambda: "valkey is ready" in (up.data_dir / "logs" / "despacho.log").read_text(), "its answer")
    assert up.redis().get("case") == b"kept"
    assert {name: up.pid(name) for name in NAMES - {"valkey"}} == {
        name: process.pid for name, process in before.items() if name != "valkey"
    }


# ------------------------------------------------------------------------------------------- what was killed


def test_after_kill_9_of_the_parent_the_next_start_finds_the_data_and_no_orphan(start: Start) -> None:
    killed = start().ready()
    killed.redis().set("case", "kept")
    orphans = killed.children

    killed.process.kill()
    killed.process.wait()
    following = start().ready()

    assert living(orphans) == []
    assert following.redis().get("case") == b"kept"
    assert following.stop() == 0


def test_stubborn_leftovers_of_a_killed_parent_are_ended_by_the_next_start(start: Start) -> None:
    killed = start(STAND_IN_STUBBORN="1").ready()
    orphans = killed.children

    killed.process.kill()
    killed.process.wait()
    until(lambda: living(orphans) == ["worker"], "only the worker that ignores SIGTERM")
    start().ready()

    assert living(orphans) == []


# ------------------------------------------------------------------------------------------------- refusals


def test_a_second_start_on_the_same_directory_is_refused(start: Start) -> None:
    first = start().ready()

    complaint = refused(start())

    assert f"{first.data_dir} is used by Despacho already (process {first.process.pid})" in complaint
    assert set(living(first.children)) == NAMES
    assert gateway_answers(first)


def test_a_port_in_use_is_refused_before_anything_starts(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        up = start(DESPACHO_PORT=str(port))
        complaint = refused(up)

    assert f"127.0.0.1:{port} is in use" in complaint
    assert "--port" in complaint
    assert not (up.data_dir / "logs" / "valkey.log").exists()


def test_a_directory_that_cannot_be_written_is_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")

    complaint = refused(start(tmp_path / "file" / "data"))

    assert "can't be written" in complaint
    assert "--data-dir" in complaint


def test_a_wrong_setting_is_refused_by_name(start: Start) -> None:
    assert "DESPACHO_THREADS" in refused(start(DESPACHO_THREADS="many"))


def test_a_redis_that_does_not_answer_is_refused_without_telling_its_password(start: Start) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"redis://:s3cret@127.0.0.1:{unused.getsockname()[1]}/0"
        complaint = refused(start(DESPACHO_REDIS_URL=url))

    assert "DESPACHO_REDIS_URL" in complaint
    assert "s3cret" not in complaint


# ------------------------------------------------------------------------------------------- odd directories


@pytest.mark.parametrize("name", ["with a space", "deep/" + "/".join(["level-of-twenty-byte"] * 8), "ação-é-ñ"])
def test_any_directory_will_do(start: Start, tmp_path: Path, name: str) -> None:
    up = start(tmp_path / name).ready()
    placed = up.state.socket
    up.redis().set("case", "kept")

    assert up.stop() == 0
    assert placed is not None
    assert len(os.fsencode(placed)) < 100
    assert not placed.exists()
    assert placed.parent == up.data_dir or not placed.parent.exists()


def test_another_redis_is_used_where_one_is_named(start: Start, tmp_path: Path) -> None:
    server = start(tmp_path / "server").ready()
    assert server.state.socket is not None

    guest = start(tmp_path / "guest", DESPACHO_REDIS_URL=socket_url(server.state.socket)).ready()

    assert set(living(guest.children)) == NAMES - {"valkey"}
    assert guest.stop() == 0
    assert server.redis().get("workers-ended") == b"1"
