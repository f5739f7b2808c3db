"""Live streams, read as an EventSource reads them: what happened first, then what happens, once and in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import httpx
import pytest
import redis

from middleware.worker import LaneWorker
from tasks.api_keys import ApiKeys
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway


@dataclass
class Told:
    """One event as a browser would hand it to its listener."""

    event: str
    id: str
    data: dict[str, Any]


def read(answer: httpx.Response) -> Iterator[Told]:
    event, last_id, data = "message", "", ""
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name == "id":
            last_id = value
        elif name == "data":
            data = value
        elif line == "" and data:
            yield Told(event, last_id, json.loads(data))
            event, data = "message", ""


@contextmanager
def watching(api: Client, path: str, last_id: str = "") -> Iterator[Iterator[Told]]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with api.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield read(answer)


def until(events: Iterator[Told], name: str) -> list[Told]:
    told = []
    for event in events:
        told.append(event)
        if event.event == name:
            return told
    pytest.fail(f"the stream ended before {name}: {[event.event for event in told]}")


def names(told: list[Told]) -> list[str]:
    return [event.event for event in told]


def test_a_task_is_watched_from_its_beginning_to_its_end(api: Client, worker: LaneWorker) -> None:
    task_id = api.submit(countdown=0.3)
    with watching(api, f"/api/tasks/{task_id}/events") as events:
        told = until(events, "end")

    assert names(told) == ["scheduled", "queued", "running", "progress", "progress", "succeeded", "end"]
    progress = [event.data["progress"] for event in told[:-1]]
    assert progress == sorted(progress)
    assert told[-2].data["result"]["area"] == "trabalhista"
    assert told[-2].data["status"] == "succeeded"
    assert [int(event.id) for event in told] == sorted(int(event.id) for event in told)


def test_who_comes_after_the_end_is_told_what_happened(api: Client, worker: LaneWorker) -> None:
    task_id = api.submit()
    api.until(task_id, "succeeded")

    with watching(api, f"/api/tasks/{task_id}/events") as events:
        told = until(events, "end")

    assert names(told) == ["queued", "running", "progress", "succeeded", "end"]
    with watching(api, f"/api/tasks/{task_id}/events", told[0].id) as events:
        assert names(until(events, "end")) == ["running", "progress", "succeeded", "end"]
    headers = {"Last-Event-ID": told[-2].id}
    assert api.get(f"/api/tasks/{task_id}/events", headers=headers).status_code == 204
    assert api.get(f"/api/tasks/{task_id}/events", params={"last_event_id": told[-2].id}).status_code == 204


def test_a_failure_is_told_with_its_error(api: Client, worker: LaneWorker) -> None:
    retries = {"max_retries": 1, "min_backoff_s": 0.01}
    task_id = api.submit(kwargs={"user_message": "falhe"}, retry_config=retries)

    with watching(api, f"/api/tasks/{task_id}/events") as events:
        told = until(events, "end")

    steps = [name for name in names(told) if name not in ("progress", "queued")]
    assert steps == ["running", "retrying", "running", "failed", "end"]
    assert told[-2].data["error"]["type"] == "RuntimeError"
    assert "eta" in next(event for event in told if event.event == "retrying").data


def test_a_case_is_watched_under_the_names_of_its_kinds(api: Client, worker: LaneWorker) -> None:
    with watching(api, "/api/api/v2/triage/stream/case-7") as events:
        api.submit(args=["case-7"])
        api.submit("embeddings.generate_async", args=[], kwargs={"texts": ["a"]})
        told = until(events, "triage_completed")

    assert set(names(told)) == {"triage_queued", "triage_processing", "triage_completed"}
    steps = [event.data["progress"] for event in told if event.event == "triage_processing"]
    assert steps in ([0, 25, 75], [0, 75])  # of the progress made before the stream began, only the latest is kept
    assert {event.data["case_id"] for event in told} == {"case-7"}
    with watching(api, "/api/v2/triage/stream/case-7", told[-2].id) as events:
        assert next(events).event == "triage_completed"


def test_all_tasks_of_a_tenant_are_watched_and_none_of_anothers(
    api: Client, other_tenant: Client, worker: LaneWorker
) -> None:
    first = api.submit()
    api.until(first, "succeeded")
    with watching(api, "/api/events") as events:
        other_tenant.submit()
        second = api.submit()
        told: list[Told] = []
        while not told or told[-1].data["task_id"] != second or told[-1].event != "succeeded":
            told.append(next(events))

    assert {event.data["task_id"] for event in told} == {first, second}
    assert [e.event for e in told if e.data["task_id"] == first] == ["queued", "running", "succeeded"]
    ends = [event for event in told if event.event == "succeeded"]
    assert all(event.data["result"]["engine"] == "quick" for event in ends)


def test_an_operator_watches_all_tenants(
    api: Client, other_tenant: Client, keys: ApiKeys, gateway: Gateway, worker: LaneWorker
) -> None:
    first = api.submit()
    api.until(first, "succeeded")
    with watching(api, "/api/events?scope=all") as events:
        second = other_tenant.submit()
        told: list[Told] = []
        while not told or told[-1].data["task_id"] != second or told[-1].event != "succeeded":
            told.append(next(events))

    assert {event.data["task_id"] for event in told} == {first, second}
    _, token = keys.create("reader", "acme", ("tasks:read",))
    with Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as reader:
        assert reader.get("/api/events?scope=all").status_code == 403


def test_many_watch_over_one_connection(
    api: Client, gateway: Gateway, worker: LaneWorker, client: redis.Redis
) -> None:
    # Paused, so that nothing happens before all of them watch: of progress, who comes later hears the latest only.
    api.post("/api/queues/triage/pause")
    task_id = api.submit()
    all_watch = Barrier(21, timeout=60)

    def watch(_: int) -> list[str]:
        path = f"/api/tasks/{task_id}/events"
        client = Client(base_url=gateway.url, headers=dict(api.headers), timeout=60)
        with client as watcher, watching(watcher, path) as events:
            first = next(events)
            all_watch.wait()
            return names([first, *until(events, "end")])

    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(watch, number) for number in range(20)]
        all_watch.wait()
        channel = f"despacho:events:task:{task_id}"
        assert client.pubsub_numsub(channel)[0][1] == 1, "one subscription serves them all"
        api.post("/api/queues/triage/resume")
        stories = [future.result() for future in futures]

    assert stories == [["queued", "running", "progress", "progress", "succeeded", "end"]] * 20
    wait_until(lambda: client.pubsub_numsub(channel)[0][1] == 0, "the last to leave ends the subscription")


def test_a_cut_connection_to_redis_loses_no_event(api: Client, worker: LaneWorker, client: redis.Redis) -> None:
    task_id = api.submit(kwargs={"user_message": "devagar"})
    with watching(api, f"/api/tasks/{task_id}/events") as events:
        until(events, "progress")
        for connection in client.client_list(_type="pubsub"):
            client.client_kill_filter(_id=connection["id"])
        api.delete(f"/api/tasks/{task_id}")
        told = until(events, "end")

    assert names(told)[-2:] == ["cancelled", "end"]
    ids = [int(event.id) for event in told[:-1]]
    assert ids == sorted(set(ids))


def test_a_stream_does_not_hold_up_the_shutdown(api: Client, gateway: Gateway) -> None:
    task_id = api.submit(countdown=60)
    with watching(api, f"/api/tasks/{task_id}/events") as events:
        assert next(events).event == "scheduled"
        assert gateway._server is not None
        gateway._server.handle_exit(15, None)
        with pytest.raises((StopIteration, httpx.HTTPError)):
            next(events)


def test_a_head_request_does_not_stream(api: Client) -> None:
    task_id = api.submit()

    assert api.head(f"/api/tasks/{task_id}/events").status_code == 200


def test_a_last_event_id_that_is_none_is_refused(api: Client) -> None:
    task_id = api.submit()

    assert api.get(f"/api/tasks/{task_id}/events", headers={"Last-Event-ID": "x"}).status_code == 422
