"""`despacho keys` against an embedded server, found through the data directory as after `despacho up`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.admin_key import first_admin_key
from cli.data_dir import claimed, prepared, this_process
from cli.embedded import place_socket, server_spec, socket_url
from cli.main import main
from cli.state import State, write_state
from cli.stop_requests import StopRequests
from cli.supervisor import Supervisor
from tasks.settings import Settings


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv("DESPACHO_REDIS_URL", raising=False)
    stop, directory = StopRequests(), prepared(tmp_path / "data")
    supervisor = Supervisor(stop)
    placed = place_socket(directory)
    with claimed(directory, stop.pause) as lock:
        supervisor.start(server_spec(directory, placed, lock, directory / "logs" / "valkey.log"))
        supervisor.wait_until_ready()
        write_state(directory, State(this_process(), placed, {}))
        yield directory
        supervisor.stop()
    stop.close()


Said = pytest.CaptureFixture[str]


@pytest.fixture
def said(capsys: Said) -> Said:
    return capsys


def test_a_key_is_made_listed_and_revoked(data_dir: Path, said: Said) -> None:
    at = ("--data-dir", str(data_dir))

    assert main(["keys", "create", "intake app", "--tenant", "acme", "--scope", "tasks:read", *at]) == 0
    made = said.readouterr().out
    assert main(["keys", "list", *at]) == 0
    listed = said.readouterr().out
    assert main(["keys", "revoke", made.split()[1], *at]) == 0
    assert main(["keys", "list", *at]) == 0

    assert made.split()[-1].startswith("dsp_")
    assert made.split()[1] in listed
    assert made.split()[-1] not in listed
    assert listed.splitlines()[1].split()[3:5] == ["acme", "tasks:read"]
    assert listed.splitlines()[1].endswith("valid")
    assert said.readouterr().out.splitlines()[-1].endswith("revoked")


def test_a_key_may_expire(data_dir: Path, said: Said) -> None:
    main(["keys", "create", "for a week", "--expires-in-days", "7", "--data-dir", str(data_dir)])
    said.readouterr()

    main(["keys", "list", "--data-dir", str(data_dir)])

    assert said.readouterr().out.splitlines()[1].count("never") == 1


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf", "1e300", "soon"])
def test_an_odd_term_is_refused(data_dir: Path, said: Said, days: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["keys", "create", "odd", "--expires-in-days", days, "--data-dir", str(data_dir)])

    assert left.value.code == 2
    assert "--expires-in-days" in said.readouterr().err


def test_a_key_that_is_not_there_cannot_be_revoked(data_dir: Path, said: Said) -> None:
    assert main(["keys", "revoke", "nobody", "--data-dir", str(data_dir)]) == 1
    assert "there is no key nobody" in said.readouterr().err


def test_an_unknown_scope_is_refused_in_one_line(data_dir: Path, said: Said) -> None:
    assert main(["keys", "create", "odd", "--scope", "everything", "--data-dir", str(data_dir)]) == 2
    assert said.readouterr().err.count("\n") == 1


def test_without_a_server_the_remedy_is_named(tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESPACHO_REDIS_URL", raising=False)

    assert main(["keys", "list", "--data-dir", str(tmp_path)]) == 2

    assert f"no Despacho runs in the data directory {tmp_path}" in said.readouterr().err


def test_a_redis_that_is_set_goes_first(data_dir: Path, said: Said, tmp_path: Path) -> None:
    url = socket_url(data_dir / "valkey.sock")

    assert main(["keys", "list", "--data-dir", str(tmp_path / "none"), "--redis-url", url]) == 0


def test_the_admin_key_may_do_everything_and_is_made_once(data_dir: Path, said: Said) -> None:
    settings = Settings.load(data_dir=data_dir, redis_url=socket_url(data_dir / "valkey.sock"))

    first, second = first_admin_key(settings)(), first_admin_key(settings)()

    assert first is not None
    assert second is None
    assert first.path.read_text() == f"{first.secret}\n"
    main(["keys", "list", "--data-dir", str(data_dir)])
    assert "tasks:read tasks:write tasks:payload ops:read ops:write" in said.readouterr().out
