"""The Python client against a real gateway, also where connections are cut."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from despacho_client import AsyncClient, Client, Event, Problem, StillRunning, Unreachable
from middleware.worker import LaneWorker
from tasks.api_keys import SCOPES, ApiKeys
from tests.cutting_proxy import CuttingProxy
from tests.described import check_item
from tests.integration.conftest import Gateway

TRIAGE = "triage.process_async"
SAID = {"user_message": "Fui demitida ontem."}


@pytest.fixture
def token(keys: ApiKeys) -> str:
    return keys.create("test", "acme", SCOPES)[1]


@pytest.fixture
def despacho(gateway: Gateway, token: str) -> Iterator[Client]:
    with Client(gateway.url, token) as despacho:
        yield despacho


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events if event.name != "progress"]


def test_a_task_is_run_and_its_record_comes_back(despacho: Client, worker: LaneWorker) -> None:
    task = despacho.run(TRIAGE, ["case-1"], SAID, priority="high", metadata={"user_id": "u1"})

    assert (task["status"], task["priority"], task["metadata"]) == ("succeeded", "high", {"user_id": "u1"})
    assert task["result"]["area"] == "trabalhista"
    assert despacho.result(task["task_id"]) == task["result"]
    assert despacho.explain(task["task_id"])["status"] == "succeeded"
    assert despacho.log(task["task_id"])["lines"] == []


def test_whoever_waits_hears_the_end_and_no_more_than_the_time_that_was_given(
    despacho: Client, worker: LaneWorker
) -> None:
    slow = despacho.submit(TRIAGE, ["case-1"], {"user_message": "devagar"})["task_id"]

    with pytest.raises(StillRunning) as told:
        despacho.wait(slow, timeout_s=0.3)
    assert told.value.task_id == slow
    despacho.cancel(slow)
    assert despacho.wait(slow)["status"] == "cancelled"
    assert despacho.retry(slow)["status"] == "queued"


def test_a_refusal_is_a_problem_with_its_fields(despacho: Client) -> None:
    with pytest.raises(Problem) as told:
        despacho.submit(TRIAGE, ["case 1"], SAID, priority="now")

    assert (told.value.status, told.value.type) == (422, "/problems/invalid-input")
    assert told.value.errors[0].field == "priority"
    assert told.value.request_id
    with pytest.raises(Problem, match="404"):
        despacho.task("no-such-task")


def test_a_watched_task_is_told_from_its_first_event_to_its_last(despacho: Client, worker: LaneWorker) -> None:
    task_id = despacho.submit(TRIAGE, ["case-1"], SAID)["task_id"]

    events = list(despacho.watch(task_id))

    assert names(events) == ["queued", "running", "succeeded"]
    assert events[-1].status == "succeeded"
    assert events[-1].progress == 100
    for event in events:
        check_item("watchTask", dict(event.data))
    # and who comes back after that hears nothing, and it ends
    assert list(despacho.watch(task_id, last_event_id=events[-1].id)) == []


@pytest.mark.parametrize("cut_after", [[0], [400], [900, 900], [0, 300, 700, 1_100, 0, 1_500]])
def test_a_watcher_whose_connection_is_cut_misses_nothing_and_hears_nothing_twice(
    gateway: Gateway, token: str, worker: LaneWorker, cut_after: list[int]
) -> None:
    with CuttingProxy(gateway.port, cut_after) as proxy, Client(proxy.url, token) as far:
        with Client(gateway.url, token) as near:
            task_id = near.submit(TRIAGE, ["case-1"], SAID)["task_id"]

        events = list(far.watch(task_id))

    assert names(events) == ["queued", "running", "succeeded"]
    ids = [int(event.id) for event in events]
    assert ids == sorted(set(ids))
    assert proxy.cuts >= 1


def test_a_gateway_that_is_started_anew_is_found_again(gateway: Gateway, token: str, worker: LaneWorker) -> None:
    with Client(gateway.url, token) as despacho:
        task_id = despacho.submit(TRIAGE, ["case-1"], SAID, countdown=2)["task_id"]
        events = despacho.watch(task_id)
        first = next(events)

        gateway.stop()
        gateway.start()

        assert names([first, *events]) == ["scheduled", "queued", "running", "succeeded"]


def test_a_submit_whose_answer_is_lost_is_queued_once(gateway: Gateway, token: str) -> None:
    with CuttingProxy(gateway.port, [0, 0, 20]) as proxy, Client(proxy.url, token) as despacho:
        accepted = despacho.submit(TRIAGE, ["case-1"], SAID)
        ids = despacho.bulk([{"task_name": TRIAGE, "args": ["case-2"], "kwargs": SAID}] * 2)

        assert [task["task_id"] for task in despacho.tasks()] == [*reversed(ids), accepted["task_id"]]
    assert proxy.cuts == 3


def test_a_cancel_whose_answer_is_lost_is_told_all_the_same(gateway: Gateway, token: str) -> None:
    with Client(gateway.url, token) as near:
        task_id = near.submit(TRIAGE, ["case-1"], SAID, countdown=600)["task_id"]

    with CuttingProxy(gateway.port, [0]) as proxy, Client(proxy.url, token) as far:
        assert far.cancel(task_id)["status"] == "cancelled"


def test_an_upload_whose_answer_is_lost_is_not_made_twice(gateway: Gateway, token: str) -> None:
    with CuttingProxy(gateway.port, [0]) as proxy, Client(proxy.url, token) as despacho:
        with pytest.raises(Unreachable):
            despacho.upload("case-1", b"PROCURA")
        despacho.put_case("case-1", [])
        assert len(despacho.get_case("case-1")["documents"]) <= 1


def test_who_is_not_there_is_given_up(token: str) -> None:
    with Client("http://127.0.0.1:9", token, retries=2) as despacho:
        with pytest.raises(Unreachable):
            despacho.stats()
        with pytest.raises(Unreachable):
            list(despacho.watch("t-1"))


def test_a_service_that_asks_for_patience_is_asked_again() -> None:
    told = httpx.Response(503, headers={"Retry-After": "0"}), httpx.Response(429), httpx.Response(200, json={})
    answers = iter(told)
    with Client("http://despacho", "t", transport=httpx.MockTransport(lambda request: next(answers))) as despacho:
        assert despacho.stats() == {}


def test_a_batch_is_paused_and_resumed(despacho: Client) -> None:
    batch_id = despacho.batch(["case-1"], ["triage"])["task_id"]

    paused = despacho.pause_batch(batch_id)["paused"]

    assert paused is not None
    assert despacho.pause_batch(batch_id)["paused"] == paused
    assert despacho.resume_batch(batch_id)["paused"] is None
    single = despacho.submit(TRIAGE, ["case-1"], SAID)["task_id"]
    with pytest.raises(Problem, match="only a batch can be paused"):
        despacho.pause_batch(single)


def test_all_pages_of_a_list_are_read(despacho: Client) -> None:
    ids = despacho.bulk([{"task_name": TRIAGE, "args": ["case-1"], "kwargs": SAID, "countdown": 600}] * 7)

    found = [task["task_id"] for task in despacho.tasks(case_id="case-1", status=["scheduled", "queued"], limit=3)]

    assert found == ids[::-1]


def test_cases_and_documents(despacho: Client, tmp_path: Path) -> None:
    case = despacho.put_case("case-1", [{"role": "client", "content": "Bom dia."}], {"channel": "web"})
    path = tmp_path / "procuração.txt"
    path.write_bytes(b"PROCURA")

    from_path = despacho.upload("case-1", path, media_type="text/plain")
    from_file = despacho.upload("case-1", io.BytesIO(b"outra"), filename="b.txt")

    assert case["metadata"] == {"channel": "web"}
    assert (from_path["filename"], from_path["media_type"]) == ("procuração.txt", "text/plain")
    documents = [document["document_id"] for document in despacho.get_case("case-1")["documents"]]
    assert documents == [from_path["document_id"], from_file["document_id"]]
    with pytest.raises(Problem, match="409"):
        despacho.similar("case-1")
    receipt = despacho.delete_case("case-1")
    assert (receipt["case_id"], receipt["counts"]["documents"]) == ("case-1", 2)
    with pytest.raises(Problem, match="404"):
        despacho.get_case("case-1")


def test_an_asynchronous_client_does_the_same(gateway: Gateway, token: str, worker: LaneWorker) -> None:
    async def story() -> None:
        with CuttingProxy(gateway.port, [0, 600, 900]) as proxy:
            async with AsyncClient(proxy.url, token) as despacho:
                accepted = await despacho.submit(TRIAGE, ["case-1"], SAID)
                events = [event async for event in despacho.watch(accepted["task_id"])]
                assert names(events) == ["queued", "running", "succeeded"]
                assert (await despacho.wait(accepted["task_id"]))["status"] == "succeeded"
                assert [task["task_id"] async for task in despacho.tasks()] == [accepted["task_id"]]
                assert (await despacho.run(TRIAGE, ["case-1"], SAID))["status"] == "succeeded"

    anyio.run(story)
