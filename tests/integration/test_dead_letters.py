"""Dead letters as operators meet them: listed and grouped over all tenants, replayed and discarded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tasks import dead_facts, dead_letters
from tasks.api_keys import ApiKeys
from tasks.audit import By
from tasks.blobs import FolderBlobs
from tasks.catalog import CATALOG
from tasks.dead_facts import Fact
from tasks.dead_letters import DeadLetters
from tasks.errors import Unavailable
from tasks.fingerprints import fingerprint
from tasks.ledger import Appetite, Ledger
from tasks.settings import Settings
from tests.integration.conftest import Client, Gateway

MARKER = "segredo-do-cliente"
PLACE = "actors.triage:process"


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings) -> Ledger:
    return Ledger(client, settings)


@pytest.fixture
def other(gateway: Gateway, keys: ApiKeys) -> Iterator[Client]:
    """A client of another tenant, without the rights of an operator."""
    _, token = keys.create("other", "outra", ("tasks:read", "tasks:write", "tasks:payload"))
    with Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as client:
        yield client


def fails(ledger: Ledger, error_type: str = "ProviderFailed", place: str = PLACE) -> str:
    """The next task fails for good; returns its id."""
    (started,) = ledger.fetch(Appetite("w-test", CATALOG.queues, 1))
    error = {
        "type": error_type,
        "message": "http 500",
        "attempt": 1,
        "at": 1_790_000_000_000,
        "retryable": False,
        "fingerprint": fingerprint(started.task_name, error_type, place),
    }
    assert ledger.fail(started.hold, error)
    return started.hold.task_id


def fail_one(api: Client, ledger: Ledger, error_type: str = "ProviderFailed", place: str = PLACE) -> str:
    task_id = api.submit(kwargs={"user_message": MARKER})
    assert fails(ledger, error_type, place) == task_id
    return task_id


def ids(api: Client, query: str = "") -> list[str]:
    answer = api.get(f"/api/dead-letters{query}")
    assert answer.status_code == 200, answer.text
    return [letter["task_id"] for letter in answer.json()["dead_letters"]]


def test_dead_letters_of_all_tenants_are_listed_newest_first(
    api: Client, other: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_facts, "READ_AT_ONCE", 2)
    first = fail_one(api, ledger)
    second = fail_one(other, ledger, "TimeLimitExceeded")
    third = fail_one(api, ledger)

    assert ids(api) == [third, second, first]
    assert ids(api, "?error_type=TimeLimitExceeded") == [second]
    assert ids(api, "?queue=documents") == []
    page = api.get("/api/dead-letters?limit=2").json()
    rest = api.get("/api/dead-letters", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [letter["task_id"] for letter in page["dead_letters"] + rest["dead_letters"]] == [third, second, first]
    assert [letter["tenant"] for letter in page["dead_letters"]] == ["acme", "outra"]
    assert MARKER not in api.get("/api/dead-letters").text
    assert other.get("/api/dead-letters").status_code == 403


def test_groups_count_what_failed_of_the_same(api: Client, other: Client, ledger: Ledger) -> None:
    crashed = [fail_one(api, ledger), fail_one(other, ledger), fail_one(api, ledger)]
    elsewhere = fail_one(api, ledger, place="actors.batch:process_case")

    found = api.get("/api/dead-letters/groups").json()

    assert found["is_all"]
    assert [(group["count"], group["task_ids"]) for group in found["groups"]] == [
        (3, crashed[::-1]),
        (1, [elsewhere]),
    ]
    one = found["groups"][0]["fingerprint"]
    assert ids(api, f"?fingerprint={one}") == crashed[::-1]


def test_one_is_replayed_and_told_in_the_trail_of_its_tenant(api: Client, other: Client, ledger: Ledger) -> None:
    task_id = fail_one(other, ledger)

    answer = api.post(f"/api/dead-letters/{task_id}/replay")

    assert answer.status_code == 202
    assert other.record(task_id)["status"] == "queued"
    assert ids(api) == []
    assert api.post(f"/api/dead-letters/{task_id}/replay").status_code == 409
    trail = api.get("/api/audit?tenant=outra&action=dead_letter.replay").json()["entries"]
    assert [entry["outcome"] for entry in trail] == ["refused", "queued"]
    assert other.post(f"/api/dead-letters/{task_id}/replay").status_code == 403


def test_a_replay_is_bound_to_the_record_that_was_seen(api: Client, ledger: Ledger) -> None:
    task_id = fail_one(api, ledger)
    seen = api.get(f"/api/tasks/{task_id}").headers["ETag"]
    (letter,) = api.get("/api/dead-letters").json()["dead_letters"]
    assert letter["etag"] == seen
    assert api.post(f"/api/tasks/retry/{task_id}").status_code == 202
    assert fails(ledger) == task_id

    answer = api.post(f"/api/dead-letters/{task_id}/replay", headers={"If-Match": seen})

    assert answer.status_code == 412
    assert ids(api) == [task_id]


def test_a_replay_that_is_sent_again_does_nothing_twice(
    api: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, *_ = [fail_one(api, ledger) for _ in range(5)]
    path, key = f"/api/dead-letters/{one}/replay", {"Idempotency-Key": "k-1"}
    assert "Idempotent-Replayed" not in api.post(path, headers=key).headers
    again = api.post(path, headers=key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert fails(ledger) == one

    # A replay of many is cut short after two of them, one of which fails again before it is sent again.
    monkeypatch.setattr(dead_letters, "AT_ONCE", 2)
    is_replayed, met = DeadLetters._is_replayed, list[str]()

    async def cut_short(self: DeadLetters, letter: Fact, by: By) -> bool:
        met.append(letter.task_id)
        if len(met) > 2:
            raise Unavailable("gone")
        return await is_replayed(self, letter, by)

    group, many = {"queue": "triage"}, {"Idempotency-Key": "k-2"}
    with monkeypatch.context() as patched:
        patched.setattr(DeadLetters, "_is_replayed", cut_short)
        assert api.post("/api/dead-letters/replay", json=group, headers=many).status_code == 503
    failed_again = fails(ledger)
    first = api.post("/api/dead-letters/replay", json=group, headers=many)
    assert (first.json(), ids(api)) == ({"replayed": 5}, [failed_again])
    repeated = api.post("/api/dead-letters/replay", json=group, headers=many)
    assert (repeated.json(), repeated.headers["Idempotent-Replayed"]) == ({"replayed": 5}, "true")
    other_body = api.post("/api/dead-letters/replay", json={"queue": "documents"}, headers=many)
    assert (other_body.status_code, ids(api)) == (422, [failed_again])


def test_a_group_is_replayed_and_nothing_else(api: Client, other: Client, ledger: Ledger) -> None:
    wanted = [fail_one(api, ledger), fail_one(other, ledger)]
    left = fail_one(api, ledger, "TimeLimitExceeded")
    (group,) = api.get("/api/dead-letters/groups?error_type=ProviderFailed").json()["groups"]

    answer = api.post("/api/dead-letters/replay", json={"fingerprint": group["fingerprint"]})

    assert answer.json() == {"replayed": 2}
    assert ids(api) == [left]
    assert {api.record(wanted[0])["status"], other.record(wanted[1])["status"]} == {"queued"}
    refused = api.post("/api/dead-letters/replay", json={})
    assert refused.status_code == 422


def test_hundreds_are_replayed_each_once(api: Client, ledger: Ledger) -> None:
    orders = [{"task_name": "triage.process_async", "args": ["c"], "kwargs": {"user_message": "oi"}}] * 450
    assert api.post("/api/tasks/bulk", json={"tasks": orders}).status_code == 202
    for _ in orders:
        fails(ledger)

    answer = api.post("/api/dead-letters/replay", json={"queue": "triage"})

    assert answer.json() == {"replayed": 450}
    assert api.get("/api/tasks/stats").json()["statuses"]["queued"] == 450


def test_a_discarded_one_is_gone_with_its_files(
    api: Client, ledger: Ledger, client: redis.Redis, settings: Settings
) -> None:
    task_id = fail_one(api, ledger)
    blobs = FolderBlobs(settings.data_dir / "blobs")
    place = f"results/acme/{task_id}/1.json"
    blobs.write(place, [b"{}"])

    assert api.delete(f"/api/dead-letters/{task_id}").status_code == 204

    assert ids(api) == []
    assert api.get(f"/api/tasks/{task_id}").status_code == 404
    assert not blobs.exists(place)
    assert not [key for key in client.scan_iter("*") if task_id.encode() in key]
    assert api.delete(f"/api/dead-letters/{task_id}").status_code == 404


def test_only_what_failed_is_discarded_and_nothing_of_a_case_on_hold(api: Client, ledger: Ledger) -> None:
    waiting = api.submit()
    assert api.delete(f"/api/dead-letters/{waiting}").status_code == 409
    assert fails(ledger) == waiting
    api.put("/api/cases/case-1", json={"conversation_history": [{"role": "client", "content": "oi"}]})
    assert api.put("/api/cases/case-1/hold", json={"reason": "processo"}).status_code == 200

    answer = api.delete(f"/api/dead-letters/{waiting}")

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/on-hold")
    assert ids(api) == [waiting]
    assert api.delete("/api/cases/case-1/hold").status_code == 204
