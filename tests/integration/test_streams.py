"""The live streams to the letter of the contract: ids, what a returning client gets, resets, tickets, refusals."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx
import pytest
import redis

import gateway.events
from gateway.bridge import BEHIND_AT_MOST
from tasks.api_keys import ApiKeys
from tasks.ids import new_id
from tasks.ledger import Ledger
from tasks.reader import Reader
from tasks.record import SEQ_PER_MS, Task
from tasks.settings import Settings
from tasks.submission import NewTask
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway
from tests.integration.stories import a_task, begun, fetched, ledger_for, status
from tests.integration.test_events import Told, names, until, watching

TENANT = "acme"
FIELDS = {"task_id", "task_name", "case_id", "status", "progress", "progress_message", "attempt", "at"}
DAY_MS = 86_400_000


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings) -> Ledger:
    return ledger_for(client, settings)


def in_case(case_id: str = "case-1") -> NewTask:
    return a_task(tenant=TENANT, kwargs={"case_id": case_id})


def run_to_its_end(ledger: Ledger, task: NewTask) -> None:
    ledger.submit([task])
    hold = begun(ledger, task)
    ledger.progress(hold, 50, "metade")
    ledger.succeed(hold, '{"ok":true}')


def take(events: Iterator[Told], count: int) -> list[Told]:
    return [next(events) for _ in range(count)]


def ids(told: list[Told]) -> list[int]:
    return [int(event.id) for event in told]


def back(api: Client, path: str, last_id: str, count: int) -> list[Told]:
    with watching(api, path, last_id) as events:
        return take(events, count)


# ------------------------------------------------------------------------------------- what an event is


def test_every_event_has_an_id_and_all_its_fields(api: Client, ledger: Ledger) -> None:
    task = in_case()
    run_to_its_end(ledger, task)

    with watching(api, f"/api/tasks/{task.task_id}/events") as events:
        *told, end = until(events, "end")

    assert ids(told) == sorted(set(ids(told)))
    assert end.id == told[-1].id
    for event in told:
        assert event.data.keys() >= FIELDS
        assert isinstance(event.data["progress"], float)
        assert ("result" in event.data) is (event is told[-1])
    assert told[-1].data["result"] == {"ok": True}
    assert told[-1].data["progress"] == 100


def test_a_stream_asks_for_quick_reconnects_and_says_that_it_lives(
    api: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.events, "KEEP_ALIVE_S", 0.1)
    task = in_case()
    ledger.submit([task])

    with api.stream("GET", f"/api/tasks/{task.task_id}/events") as answer:
        lines = answer.iter_lines()
        first = [next(lines) for _ in range(2)]
        rest = [next(lines) for _ in range(10)]

    assert first == ["retry: 1000", ""]
    assert rest[0].startswith("id: ")
    assert rest[4:] == [": keep-alive", ""] * 3
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"


def test_the_tasks_of_a_case_are_told_in_one_order(api: Client, ledger: Ledger) -> None:
    tasks = [in_case() for _ in range(3)]
    ledger.submit(tasks)
    holds = {started.hold.task_id: started.hold for started in fetched(ledger)}
    with watching(api, "/api/v2/triage/stream/case-1") as events:
        told = take(events, 6)
        for percent in (10, 20):
            for hold in holds.values():
                ledger.progress(hold, percent, "")
        told += take(events, 6)
        for hold in holds.values():
            ledger.succeed(hold, "{}")
        told += take(events, 3)

    assert ids(told) == sorted(set(ids(told)))
    assert {event.data["task_id"] for event in told} == set(holds)
    # Of progress only the latest is kept.
    kept = told[:6] + told[9:]
    assert back(api, "/api/api/v2/triage/stream/case-1", "", len(kept)) == kept
    for number, event in enumerate(kept[:-1]):
        assert back(api, "/api/v2/triage/stream/case-1", event.id, len(kept) - number - 1) == kept[number + 1 :]


def test_a_long_history_of_a_case_is_told_whole(api: Client, ledger: Ledger) -> None:
    tasks = [in_case() for _ in range(450)]
    ledger.submit(tasks)

    told = back(api, "/api/v2/triage/stream/case-1", "", 450)

    assert [event.data["task_id"] for event in told] == [task.task_id for task in tasks]
    assert back(api, "/api/v2/triage/stream/case-1", told[9].id, 440) == told[10:]


@pytest.mark.parametrize("path", ["/api/v2/triage/stream/case-1", "/api/events?scope=all"])
def test_what_happens_while_the_history_is_read_is_told_in_its_place(
    api: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    tasks = [in_case(), a_task(tenant="rival", kwargs={"case_id": "case-2"}) if "all" in path else in_case()]
    ledger.submit(tasks)
    holds = [started.hold for started in fetched(ledger)]
    reading, reading_newest, happened, last = Reader.tasks, Reader.newest_seq, list[int](), in_case()

    def happens() -> None:
        """Of a task that was read, and then of one that was not."""
        if not happened:
            happened.append(1)
            # The newest task is read first.
            for hold in reversed(holds):
                ledger.hand_back(hold)
            ledger.submit([last])

    async def read_one_by_one(self: Reader, task_ids: Sequence[str]) -> list[Task]:
        found = []
        for task_id in task_ids:
            found += await reading(self, [task_id])
            happens()
        return found

    async def read_newest(self: Reader) -> int:
        moment = await reading_newest(self)
        if "all" in path:
            happens()
        return moment

    monkeypatch.setattr(Reader, "tasks", read_one_by_one)
    monkeypatch.setattr(Reader, "newest_seq", read_newest)
    told = list[Told]()
    with watching(api, path) as events:
        while not told or told[-1].data["task_id"] != last.task_id:
            told.append(next(events))

    assert ids(told) == sorted(set(ids(told)))
    assert [event.data["status"] for event in told] == ["queued"] * 2 + ["running"] * 2 + ["queued"] * 3


def test_an_older_failure_is_not_told_with_a_newer_ones_error(api: Client, ledger: Ledger) -> None:
    task = in_case()
    ledger.submit([task])
    for run in (1, 2):
        hold = begun(ledger, task, run)
        ledger.retry(hold, 0, {"type": f"Error{run}", "message": "", "attempt": run, "at": 0, "retryable": True})
        wait_until(lambda: ledger.do_chores() and status(ledger, task.task_id) == "queued", "the retry is due")

    told = back(api, f"/api/tasks/{task.task_id}/events", "", 7)

    retrying = [event.data.get("error", {}).get("type") for event in told if event.event == "retrying"]
    assert retrying == [None, "Error2"]


# -------------------------------------------------------------------------------------- who comes back


def test_after_the_end_there_is_nothing_to_come_back_for(api: Client, ledger: Ledger) -> None:
    task = in_case()
    run_to_its_end(ledger, task)
    path = f"/api/tasks/{task.task_id}/events"
    with watching(api, path) as events:
        last = until(events, "end")[-1].id

    for method in ("GET", "HEAD"):
        assert api.request(method, path, headers={"Last-Event-ID": last}).status_code == 204
        assert api.request(method, path, params={"last_event_id": last}).status_code == 204
    # A number that came later, of another task, says the same.
    other = in_case()
    ledger.submit([other])
    newer = back(api, f"/api/tasks/{other.task_id}/events", "", 1)[0].id
    assert api.get(path, headers={"Last-Event-ID": newer}).status_code == 204


def test_a_task_that_is_run_again_goes_on_where_it_ended(api: Client, ledger: Ledger) -> None:
    task = in_case()
    ledger.submit([task])
    path = f"/api/tasks/{task.task_id}/events"
    ledger.cancel(task.task_id)
    with watching(api, path) as events:
        last = until(events, "end")[-1].id

    ledger.requeue(task.task_id)

    with watching(api, path, last) as events:
        assert next(events).event == "queued"
        ledger.cancel(task.task_id)
        assert names(until(events, "end")) == ["cancelled", "end"]


def test_the_header_counts_where_the_query_says_otherwise(api: Client, ledger: Ledger) -> None:
    task = in_case()
    run_to_its_end(ledger, task)
    path = f"/api/tasks/{task.task_id}/events"
    with watching(api, path) as events:
        told = until(events, "end")

    # An EventSource repeats the query that its page gave it, and sends the header of what came since.
    with watching(api, f"{path}?last_event_id={told[0].id}", told[2].id) as events:
        assert until(events, "end") == told[3:]


@pytest.mark.parametrize("wrong", ["x", "-1", "1.5", "0x10", "9" * 17, "1 2", "%D9%A1"])
@pytest.mark.parametrize("path", ["/api/events", "/api/v2/triage/stream/case-1", "task"])
def test_an_id_that_no_event_can_have_is_refused(api: Client, ledger: Ledger, path: str, wrong: str) -> None:
    if path == "task":
        task = in_case()
        ledger.submit([task])
        path = f"/api/tasks/{task.task_id}/events"

    answers = [api.get(f"{path}?last_event_id={wrong.replace(' ', '%20')}")]
    if "%" not in wrong:
        answers.append(api.get(path, headers={"Last-Event-ID": wrong}))

    for answer in answers:
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "Last-Event-ID"


def test_an_id_that_was_never_given_resets_the_stream(api: Client, ledger: Ledger) -> None:
    task = in_case()
    run_to_its_end(ledger, task)
    unknown = str((int(time.time() * 1_000) + DAY_MS) * SEQ_PER_MS)
    counts = {
        f"/api/tasks/{task.task_id}/events": 4,
        "/api/v2/triage/stream/case-1": 4,
        "/api/events": 3,
        "/api/events?scope=all": 3,
    }
    for path, count in counts.items():
        reset, *told = back(api, path, unknown, 1 + count)

        assert (reset.event, reset.id) == ("reset", "0")
        assert reset.data["reason"] == "unknown"
        assert reset.data["last_event_id"] == unknown
        assert "Forget" in reset.data["detail"]
        assert told == back(api, path, reset.id, count) == back(api, path, "", count)


# ----------------------------------------------------------------------------------- older than what is kept


def test_a_log_that_lost_its_middle_resets_who_was_there(api: Client, ledger: Ledger) -> None:
    task = in_case()
    ledger.submit([task])
    path = f"/api/tasks/{task.task_id}/events"
    with watching(api, path) as events:
        told = take(events, 1)
        for run in range(1, 201):
            ledger.hand_back(begun(ledger, task, run))
            told += take(events, 2)

    reset, *snapshot = back(api, path, told[1].id, 100)
    assert (reset.event, reset.data["reason"]) == ("reset", "trimmed")
    assert snapshot[0] == told[0]
    kept = told[told.index(snapshot[1]) :]
    assert snapshot[1:] == kept[: len(snapshot) - 1]
    # Exactly up to where it is kept, nobody is told to forget anything.
    lost = told[told.index(snapshot[1]) - 1]
    assert back(api, path, lost.id, len(kept)) == kept
    assert back(api, path, told[told.index(lost) - 1].id, 1)[0].event == "reset"
    assert back(api, "/api/v2/triage/stream/case-1", told[1].id, 1)[0].event == "reset"
    assert "trimmed" not in api.get(f"/api/tasks/{task.task_id}/log").text


def test_who_comes_back_to_a_case_after_its_tasks_expired_starts_anew(
    api: Client, ledger: Ledger, settings: Settings
) -> None:
    run_to_its_end(ledger, in_case())
    kept_since = int(time.time() * 1_000) - settings.retention_s * 1_000

    older, newer = (str((kept_since + minutes * 60_000) * SEQ_PER_MS) for minutes in (-1, 1))

    assert names(back(api, "/api/v2/triage/stream/case-1", older, 2)) == ["reset", "demo_queued"]
    assert names(back(api, "/api/v2/triage/stream/case-1", newer, 1)) == ["demo_queued"]


def test_a_case_of_more_tasks_than_can_be_told_resets_who_comes_back(
    api: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.reader.CASE_TASKS_AT_MOST", 2)
    monkeypatch.setattr("tasks.reader.CHUNK", 1)
    ledger.submit([in_case() for _ in range(4)])
    path = "/api/v2/triage/stream/case-1"

    first, second = back(api, path, "", 2)

    reset, *snapshot = back(api, path, first.id, 3)
    assert (reset.event, snapshot) == ("reset", [first, second])


def test_who_comes_back_to_a_tenants_stream_too_late_starts_anew(
    api: Client, ledger: Ledger, client: redis.Redis
) -> None:
    for _ in range(4):
        run_to_its_end(ledger, in_case())
    told = back(api, "/api/events", "", 12)
    assert back(api, "/api/events", told[0].id, 11) == told[1:]
    client.xtrim("despacho:recent:acme", maxlen=5, approximate=False)

    for path in ("/api/events", "/api/events?scope=all"):
        reset, *snapshot = back(api, path, told[2].id, 6)
        assert (reset.event, reset.data["reason"]) == ("reset", "trimmed")
        assert snapshot == told[-5:]
        assert back(api, path, told[7].id, 4) == told[8:]


def test_a_tenants_stream_tells_more_than_it_reads_at_once(api: Client, ledger: Ledger) -> None:
    ledger.submit([in_case()])
    first = back(api, "/api/events", "", 1)[0]
    tasks = [in_case() for _ in range(1_300)]
    for at in range(0, 1_300, 650):
        ledger.submit(tasks[at : at + 650])

    told = back(api, "/api/events", first.id, 1_300)

    assert [event.data["task_id"] for event in told] == [task.task_id for task in tasks]


# ------------------------------------------------------------------------------------- slow and many


def whole_events(answer: bytes) -> list[tuple[int, dict[str, Any]]]:
    """The numbers and data of the events that came whole, out of the chunks of an HTTP answer (RFC 9112, 7.1)."""
    body = re.sub(rb"(^|\r\n)[0-9a-f]+\r\n", b"", answer.partition(b"\r\n\r\n")[2])
    lines = [event.decode().split("\n") for event in body.split(b"\n\n")[:-1] if event.startswith(b"id: ")]
    return [(int(number[4:]), json.loads(data[6:])) for number, _, data in lines]


def token_of(api: Client) -> str:
    return api.headers["authorization"].removeprefix("Bearer ")


class RawReader:
    """A client that takes only what it is told to take: its socket holds next to nothing."""

    def __init__(self, gateway: Gateway, path: str, token: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._socket.settimeout(20)
        self._socket.connect(("127.0.0.1", gateway.port))
        head = f"GET {path} HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n"
        self._socket.sendall(head.encode())
        self.text = b""

    def read_until(self, mark: bytes) -> None:
        while mark not in self.text:
            chunk = self._socket.recv(65_536)
            assert chunk, f"the answer ended without it: {self.text[:200]!r}"
            self.text += chunk

    def read_to_the_end(self) -> list[tuple[int, dict[str, Any]]]:
        """Everything, to the cut: the events that came whole."""
        deadline = time.monotonic() + 20
        try:
            while chunk := self._socket.recv(65_536):
                self.text += chunk
                # A stream that is open is never silent for long.
                assert time.monotonic() < deadline, "the stream was not cut"
        except ConnectionResetError:
            pass
        return whole_events(self.text)

    def close(self) -> None:
        self._socket.close()


def watchers(api: Client) -> int:
    found = re.search(r"^despacho_stream_watchers(?:{.*})? (\d+)", api.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_a_client_that_takes_nothing_is_cut_and_misses_nothing(
    api: Client, gateway: Gateway, ledger: Ledger, client: redis.Redis
) -> None:
    path, channel = "/api/v2/triage/stream/case-1", "despacho:events:case:acme:case-1"
    gateway.keeps_little_for_its_clients()
    slow = RawReader(gateway, path, token_of(api))
    with closing(slow), watching(api, path) as quick:
        slow.read_until(b"retry")
        wait_until(lambda: client.pubsub_numsub(channel)[0][1] == 1, "both watch")
        tasks: list[NewTask] = []
        told: list[Told] = []

        def is_cut_by_more() -> bool:
            more = [in_case() for _ in range(200)]
            ledger.submit(more)
            tasks.extend(more)
            told.extend(take(quick, len(more)))
            return watchers(api) == 1

        wait_until(is_cut_by_more, "the client that takes nothing is cut")
        assert [event.data["task_id"] for event in told] == [task.task_id for task in tasks]
        got = slow.read_to_the_end()

    assert len(got) < len(tasks)
    assert got == [(int(event.id), event.data) for event in told[: len(got)]]
    # A case of so many tasks is more than can be told anew; the tenant's stream has them all.
    rest = told[len(got) :]
    again = back(api, "/api/events", str(got[-1][0]), len(rest))
    assert [(event.id, event.data) for event in again] == [(event.id, event.data) for event in rest]


def test_a_burst_cuts_nobody_who_reads(api: Client, ledger: Ledger) -> None:
    tasks = [in_case() for _ in range(3 * BEHIND_AT_MOST)]

    def submit_all() -> None:
        for at in range(0, len(tasks), 1_000):
            ledger.submit(tasks[at : at + 1_000])

    with watching(api, "/api/events") as events, ThreadPoolExecutor(1) as others:
        submitted = others.submit(submit_all)
        told = take(events, len(tasks))
        submitted.result()

    assert [event.data["task_id"] for event in told] == [task.task_id for task in tasks]


# ----------------------------------------------------------------------------------------- tickets


def ticket(api: Client, path: str) -> str:
    answer = api.post("/api/stream-tickets", json={"path": path})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["ticket"])


@pytest.fixture
def stranger(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=20) as stranger:
        yield stranger


def test_a_ticket_is_good_for_a_minute_and_from_its_first_use_for_an_hour(
    api: Client, stranger: httpx.Client, ledger: Ledger, client: redis.Redis
) -> None:
    task = in_case()
    run_to_its_end(ledger, task)
    path = f"/api/tasks/{task.task_id}/events"
    answer = api.post("/api/stream-tickets", json={"path": path}).json()
    (name,) = client.scan_iter("despacho:ticket:*")
    assert 55 < client.ttl(name) <= 60
    assert answer["expires_at"].endswith("Z")
    assert answer["ticket"].encode() not in name

    assert stranger.get(path, params={"ticket": answer["ticket"]}).status_code == 200
    assert 3_590 < client.ttl(name) <= 3_600
    client.expire(name, 1_000)
    for _ in range(3):
        last = {"ticket": answer["ticket"], "last_event_id": "0"}
        assert stranger.get(path, params=last).status_code == 200
    assert client.ttl(name) <= 1_000, "reconnects prolong nothing"
    client.delete(name)
    assert stranger.get(path, params={"ticket": answer["ticket"]}).status_code == 401


def test_a_ticket_opens_its_own_path_alone(api: Client, stranger: httpx.Client, ledger: Ledger) -> None:
    task, other = in_case("a@b~c"), in_case()
    for each in (task, other):
        run_to_its_end(ledger, each)
    of_task = {"ticket": ticket(api, f"/api/tasks/{task.task_id}/events")}

    assert stranger.get(f"/api/tasks/{task.task_id}/events", params=of_task).status_code == 200
    for path in (
        f"/api/tasks/{other.task_id}/events",
        f"/api/tasks/{task.task_id}",
        f"/api/tasks/{task.task_id}/result",
        "/api/events",
        "/api/v2/triage/stream/a@b~c",
    ):
        assert stranger.get(path, params=of_task).status_code == 401, path

    # However the client spells it: a case id has characters that some escape.
    for spelled in ("/api/v2/triage/stream/a@b~c", "/api/v2/triage/stream/a%40b~c"):
        of_case = {"ticket": ticket(api, spelled)}
        for asked in ("/api/v2/triage/stream/a@b~c", "/api/v2/triage/stream/a%40b~c"):
            assert stranger.head(asked, params=of_case).status_code == 200
        assert stranger.head("/api/api/v2/triage/stream/a@b~c", params=of_case).status_code == 401


def test_a_ticket_has_the_rights_of_its_token(
    api: Client, gateway: Gateway, stranger: httpx.Client, keys: ApiKeys, other_tenant: Client, ledger: Ledger
) -> None:
    task = in_case()
    run_to_its_end(ledger, task)
    _, token = keys.create("reader", TENANT, ("tasks:read",))
    with Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as reader:
        reads = {"ticket": ticket(reader, "/api/events")}
    assert stranger.head("/api/events", params=reads).status_code == 200
    assert stranger.head("/api/events", params={**reads, "scope": "all"}).status_code == 403
    operates = {"ticket": ticket(api, "/api/events"), "scope": "all"}
    assert stranger.head("/api/events", params=operates).status_code == 200
    path = f"/api/tasks/{task.task_id}/events"
    assert stranger.get(path, params={"ticket": ticket(other_tenant, path)}).status_code == 404


def test_a_ticket_ends_with_its_token(
    gateway: Gateway, stranger: httpx.Client, keys: ApiKeys, ledger: Ledger
) -> None:
    key, token = keys.create("short", TENANT, ("tasks:read",))
    task = in_case()
    run_to_its_end(ledger, task)
    path = f"/api/tasks/{task.task_id}/events"
    with Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as reader:
        used, unused = ({"ticket": ticket(reader, path)} for _ in range(2))
    assert stranger.get(path, params=used).status_code == 200

    keys.revoke(key.key_id)

    assert stranger.get(path, params=used).status_code == 401
    assert stranger.get(path, params=unused).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/api/tasks",
        "/api/events?scope=all",
        "/api/tasks/t1/events/",
        "/api/tasks/t1/events?x=1",
        "/api/tasks/t1/events#x",
        "/api/tasks/a/b/events",
        "/api/v2/triage/stream/",
        "https://evil.example/api/events",
        "api/events",
        "",
    ],
)
def test_a_ticket_for_what_is_no_stream_is_refused(api: Client, path: str) -> None:
    answer = api.post("/api/stream-tickets", json={"path": path})

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "path"
    assert "/api/tasks/{task_id}/events" in error["message"]


def test_a_key_is_never_taken_from_a_url(gateway: Gateway, stranger: httpx.Client, keys: ApiKeys) -> None:
    _, token = keys.create("key", TENANT, ("tasks:read",))

    for name in ("ticket", "token", "api_key", "access_token", "authorization"):
        for value in (token, f"Bearer {token}"):
            assert stranger.get("/api/events", params={name: value}).status_code == 401


# ------------------------------------------------------------------------------------------ refusals


def test_every_stream_answers_head_with_no_body(api: Client, ledger: Ledger) -> None:
    task = in_case()
    ledger.submit([task])
    for path in (f"/api/tasks/{task.task_id}/events", "/api/v2/triage/stream/case-1", "/api/events"):
        answer = api.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"].startswith("text/event-stream")


def test_who_may_not_watch_is_told_nothing(
    api: Client, other_tenant: Client, gateway: Gateway, stranger: httpx.Client, keys: ApiKeys, ledger: Ledger
) -> None:
    task = in_case()
    run_to_its_end(ledger, task)
    path = f"/api/tasks/{task.task_id}/events"
    _, token = keys.create("writer", TENANT, ("tasks:write",))

    assert stranger.get(path).status_code == 401
    assert api.get(f"/api/tasks/{new_id()}/events").status_code == 404
    hidden = other_tenant.get(path)
    assert (hidden.status_code, hidden.json()["type"]) == (404, "/problems/not-found")
    with Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as writer:
        for each in (path, "/api/events", "/api/v2/triage/stream/case-1"):
            assert writer.get(each).status_code == 403
    assert api.get("/api/v2/triage/stream/a%20b").status_code == 422
    assert api.get("/api/events?scope=mine").status_code == 422
    assert api.post(path).status_code == 405


def test_the_case_of_another_tenant_is_as_if_it_were_not(other_tenant: Client, ledger: Ledger) -> None:
    run_to_its_end(ledger, in_case())
    own = a_task(tenant="rival", kwargs={"case_id": "case-1"})

    with watching(other_tenant, "/api/v2/triage/stream/case-1") as events:
        ledger.submit([own])
        told = next(events)

    assert (told.event, told.data["task_id"]) == ("demo_queued", own.task_id)
