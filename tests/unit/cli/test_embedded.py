from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import redis

from cli.embedded import (
    find_binary,
    place_socket,
    remove_private_socket,
    server_spec,
    socket_url,
)


def test_the_binary_can_be_run() -> None:
    assert os.access(find_binary(), os.X_OK)


def test_the_socket_lies_in_the_data_directory(tmp_path: Path) -> None:
    assert place_socket(tmp_path) == tmp_path / "valkey.sock"
    assert os.listdir(tmp_path) == []


def test_a_long_path_gets_a_short_private_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    deep = tmp_path.joinpath(*["a-level-with-twenty-b"] * 6)
    deep.mkdir(parents=True)

    placed = place_socket(deep)

    assert len(os.fsencode(placed)) < 100
    assert stat.S_IMODE(placed.parent.stat().st_mode) == 0o700
    remove_private_socket(placed)
    assert not placed.parent.exists()


def test_bytes_count_not_letters(tmp_path: Path) -> None:
    room = 99 - len(os.fsencode(tmp_path / "valkey.sock")) - 1
    wide = tmp_path / ("ã" * max(1, room // 2 + 1))
    wide.mkdir()

    placed = place_socket(wide)

    assert placed.parent != wide
    remove_private_socket(placed)


def test_the_users_runtime_directory_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = tmp_path / "r"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr("cli.embedded.MAX_SOCKET_BYTES", len(str(runtime)) * 2 + 2)

    placed = place_socket(tmp_path / "d")

    assert placed.parent.parent == runtime
    remove_private_socket(placed)


def test_a_socket_in_the_data_directory_is_left_to_the_server(tmp_path: Path) -> None:
    placed = tmp_path / "valkey.sock"
    placed.touch()

    remove_private_socket(placed)

    assert placed.exists()


@pytest.mark.parametrize("path", ["/run/d/valkey.sock", "/with a space/ç%20?#&/valkey.sock"])
def test_the_address_names_the_same_path_to_a_client(path: str) -> None:
    client = redis.Redis.from_url(socket_url(Path(path)))

    assert client.connection_pool.connection_kwargs["path"] == path


def test_the_server_writes_every_change_and_is_not_on_the_network(tmp_path: Path) -> None:
    command = server_spec(tmp_path, tmp_path / "s", 3, tmp_path / "log").command
    options = dict(zip(command[1::2], command[2::2], strict=True))

    assert options["--port"] == "0"
    assert options["--unixsocketperm"] == "700"
    assert (options["--appendonly"], options["--appendfsync"], options["--save"]) == ("yes", "everysec", "")
    assert options["--maxmemory-policy"] == "noeviction"


def test_an_orphan_keeps_the_lock(tmp_path: Path) -> None:
    assert server_spec(tmp_path, tmp_path / "s", 17, tmp_path / "log").kept_fds == (17,)
