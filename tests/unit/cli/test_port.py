from __future__ import annotations

import socket

import pytest

from cli.port import address_to_open, free_port
from tasks.errors import SettingsError
from tasks.settings import Settings


def test_zero_is_a_port_that_the_machine_picks() -> None:
    port = free_port(Settings.load(port=0))

    assert free_port(Settings.load(port=port)) == port


def test_a_port_that_somebody_listens_on_is_refused_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{port} is in use .*--port"):
            free_port(Settings.load(port=port))


def test_connections_of_an_earlier_run_do_not_count() -> None:
    with socket.create_server(("127.0.0.1", 0)) as earlier:
        port = earlier.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        server, _ = earlier.accept()
    # The side that closes first is left in TIME_WAIT.
    server.close()
    client.close()

    assert free_port(Settings.load(port=port)) == port


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a..b", "x" * 300])
def test_an_address_that_is_not_ours_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match="DESPACHO_HOST"):
        free_port(Settings.load(host=host, port=0))


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_the_address_to_open(host: str, shown: str) -> None:
    assert address_to_open(Settings.load(host=host, port=8000)) == shown
