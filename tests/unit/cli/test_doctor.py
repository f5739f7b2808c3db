"""`despacho doctor` against a server with something wrong in it, staged by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from cli.doctor import WORDS, report
from cli.main import main
from tasks.inspection import Find, Findings, Kind
from tasks.ledger import Appetite, Ledger
from tasks.settings import Settings
from tasks.submission import NewTask, Order, check

Said = pytest.CaptureFixture[str]


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Its address is set in the environment; live workers would be heard of at once."""
    monkeypatch.setenv("DESPACHO_REDIS_URL", settings.redis_url)
    monkeypatch.setenv("DESPACHO_HEARTBEAT_TIMEOUT_S", "1")
    return Ledger(client, settings)


def a_triage(ledger: Ledger) -> NewTask:
    task = check(Order("triage.process_async", kwargs={"case_id": "c-1"}), ledger.catalog)
    ledger.submit([task])
    return task


def lose(ledger: Ledger, task: NewTask) -> None:
    ledger.client.delete(ledger.keys.of("lane", lane=f"{task.queue}.{task.priority}"))


def test_a_server_with_nothing_wrong_is_well(ledger: Ledger, capsys: Said) -> None:
    a_triage(ledger)

    assert main(["doctor"]) == 0

    assert capsys.readouterr().out == "All is well.\n"


def test_what_is_astray_is_shown_and_left(ledger: Ledger, capsys: Said) -> None:
    task = a_triage(ledger)
    lose(ledger, task)

    assert main(["doctor"]) == 1
    first = capsys.readouterr().out
    assert main(["doctor"]) == 1

    assert first.splitlines() == [
        f"1 queued, but in no lane or without a message ({task.task_id})",
        "1 found. `despacho doctor --fix` puts them right.",
    ]
    assert capsys.readouterr().out == first


def test_what_is_astray_is_mended_on_request(ledger: Ledger, capsys: Said) -> None:
    task = a_triage(ledger)
    lose(ledger, task)

    assert main(["doctor", "--fix"]) == 1
    mended = capsys.readouterr().out
    assert main(["doctor"]) == 0

    assert mended.splitlines() == [
        f"1 queued, but in no lane or without a message: queued again ({task.task_id})",
        "1 found and mended.",
    ]
    (started,) = ledger.fetch(Appetite("w-1", ["triage"], 5))
    assert started.hold.task_id == task.task_id


def test_without_a_server_the_remedy_is_named(tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESPACHO_REDIS_URL", raising=False)

    assert main(["doctor", "--data-dir", str(tmp_path)]) == 2

    assert f"no Despacho runs in the data directory {tmp_path}" in capsys.readouterr().err


def test_every_kind_has_its_words() -> None:
    assert set(WORDS) == set(Kind)


def test_a_few_ids_are_shown_and_none_of_them_can_write_to_the_terminal() -> None:
    finds = tuple(Find(Kind.STRAY, subject, "lane", "") for subject in ("\x1b[2J", "\udcff", "a", "b"))

    first, last = report(Findings(finds, ()), mended=False)

    assert first == r"4 ids in a lane without a record (\x1b[2J, \udcff, a, ...)"
    assert last.startswith("4 found.")


def test_what_could_not_be_looked_through_is_said_and_is_no_fault() -> None:
    unchecked = Find(Kind.UNCHECKED, "t-1", "", "")

    first, last = report(Findings((), (unchecked,)), mended=True)

    assert first == "1 queued in a lane too long to be looked through (t-1)"
    assert last == "All is well."
