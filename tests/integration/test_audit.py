"""The audit trail over a real gateway: what stands in it, that it is chained, bounded and checked."""

from __future__ import annotations

import asyncio
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import redis

from cli.main import main
from middleware.worker import LaneWorker
from tasks import scripts
from tasks.api_keys import SCOPES, ApiKeys
from tasks.audit import Head
from tasks.audit_chain import Trails, note
from tasks.ledger import Ledger
from tasks.quotas import Quotas
from tasks.service import TaskService
from tasks.settings import Settings
from tasks.webhooks import Webhooks
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway


def entries(api: Client, **query: Any) -> list[dict[str, Any]]:
    """Oldest first, as they were made."""
    answer = api.get("/api/audit", params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found[::-1]


def told(api: Client, **query: Any) -> list[tuple[str, str, list[str]]]:
    return [
        (e["action"], e["outcome"], e["ids"]) for e in entries(api, **query) if not e["action"].startswith("key.")
    ]


@pytest.fixture
def me(keys: ApiKeys, api: Client) -> str:
    return next(key.key_id for key in keys.list() if key.tenant == "acme")


def test_everything_that_changes_something_is_noted(
    api: Client, gateway: Gateway, keys: ApiKeys, me: str, client: redis.Redis
) -> None:
    task = {"task_name": "triage.process_async", "args": ["case-1"], "kwargs": {"user_message": "segredo"}}
    task_id = api.submit(countdown=60)
    bulk = api.post("/api/tasks/bulk", json={"tasks": [{**task, "countdown": 60}] * 3}).json()["task_ids"]
    again = {"Idempotency-Key": "k"}
    first = api.post("/api/tasks/queue", json=task, headers=again).json()["task_id"]
    api.post("/api/tasks/queue", json=task, headers=again)
    api.post("/api/tasks/queue", json={"task_name": "nothing"})
    api.delete(f"/api/tasks/{task_id}")
    api.delete(f"/api/tasks/{task_id}")
    api.post(f"/api/tasks/retry/{task_id}")
    api.delete("/api/tasks/nowhere")
    api.post("/api/queues/triage/pause")
    api.post("/api/queues/triage/pause")
    api.post("/api/queues/triage/resume")
    document = api.post("/api/documents", files={"file": ("a.txt", b"x")}, data={"case_id": "case-1"}).json()
    api.delete(f"/api/documents/{document['document_id']}")
    api.put("/api/cases/case-1", json={"conversation_history": [{"role": "client", "content": "segredo"}]})
    api.delete("/api/cases/case-1", headers={"X-Request-ID": "erase-1"})

    assert told(api) == [
        ("task.submit", "queued", [task_id]),
        ("task.submit", "queued", bulk),
        ("task.submit", "queued", [first]),
        ("task.submit", "replayed", [first]),
        ("task.cancel", "cancelled", [task_id]),
        ("task.cancel", "refused", [task_id]),
        ("task.retry", "queued", [task_id]),
        ("queue.pause", "paused", ["triage"]),
        ("queue.pause", "unchanged", ["triage"]),
        ("queue.resume", "resumed", ["triage"]),
        ("document.delete", "deleted", [document["document_id"]]),
        ("case.delete", "begun", ["case-1"]),
        ("case.delete", "deleted", ["case-1"]),
    ]
    last = entries(api)[-1]
    assert (last["actor"], last["tenant"], last["request_id"]) == (me, "acme", "erase-1")
    assert [entry["seq"] for entry in entries(api)] == list(range(1, len(entries(api)) + 1))
    assert "segredo" not in json.dumps(entries(api))


def test_holds_and_what_they_forbid_are_noted_without_the_reason(api: Client) -> None:
    api.put("/api/cases/case-1", json={})
    api.put("/api/cases/case-1/hold", json={"reason": "segredo"})
    assert api.delete("/api/cases/case-1").status_code == 409
    api.delete("/api/cases/case-1/hold")
    receipts = [api.delete("/api/cases/case-1").json() for _ in range(2)]

    assert receipts[0] == receipts[1]
    assert told(api) == [
        ("case.hold", "held", ["case-1"]),
        ("case.delete", "on-hold", ["case-1"]),
        ("case.release", "released", ["case-1"]),
        ("case.delete", "begun", ["case-1"]),
        ("case.delete", "deleted", ["case-1"]),
    ]
    assert "segredo" not in json.dumps(entries(api))


def test_a_move_that_is_hindered_is_noted(api: Client) -> None:
    task_id = api.submit(countdown=60)
    path, again = f"/api/tasks/{task_id}", {"Idempotency-Key": "k"}
    assert api.delete(path, headers={"If-Match": '"1-1"'}).status_code == 412
    assert [api.delete(path, headers=again).status_code for _ in range(2)] == [200, 200]
    retry, again = f"/api/tasks/retry/{task_id}", {"Idempotency-Key": "r"}
    assert [api.post(retry, headers=again).status_code for _ in range(2)] == [202, 202]

    assert [entry[:2] for entry in told(api)[1:]] == [
        ("task.cancel", "changed"),
        ("task.cancel", "cancelled"),
        ("task.cancel", "replayed"),
        ("task.retry", "queued"),
        ("task.retry", "replayed"),
    ]


def test_a_repeated_submit_that_would_be_wrong_by_now_is_noted(api: Client) -> None:
    api.put("/api/cases/case-1", json={"conversation_history": [{"role": "client", "content": "oi"}]})
    task = {"task_name": "triage.process_async", "kwargs": {"case_id": "case-1"}}
    again = {"Idempotency-Key": "k"}
    first = api.post("/api/tasks/queue", json=task, headers=again).json()["task_id"]
    api.put("/api/cases/case-1", json={"conversation_history": []})
    assert api.post("/api/tasks/queue", json=task, headers=again).json()["task_id"] == first

    assert told(api) == [("task.submit", "queued", [first]), ("task.submit", "replayed", [first])]


def test_where_webhooks_go_is_noted_without_the_address(
    api: Client, me: str, client: redis.Redis, settings: Settings
) -> None:
    webhooks, url = Webhooks(client, settings), "https://app.example/hooks?token=segredo,;"
    first = webhooks.make_secret("acme")
    assert first is not None
    assert webhooks.make_secret("acme") is None
    second = webhooks.rotate_secret("acme")
    assert api.put("/api/webhooks", json={"default_url": url}).status_code == 200
    webhooks.disable("acme", url)
    webhooks.enable("acme", url)
    webhooks.enable("acme", url)
    webhooks.set_default("acme", url)
    api.put("/api/webhooks", json={"default_url": None})

    found = [(entry["actor"], entry["action"], entry["outcome"], entry["ids"]) for entry in entries(api)]
    assert found[1:] == [
        ("cli", "webhook.secret", "created", [first.secret_id]),
        ("cli", "webhook.secret", "rotated", [second.secret_id]),
        (me, "webhook.default", "set", ["app.example:443"]),
        ("worker", "webhook.disable", "disabled", ["app.example:443"]),
        ("cli", "webhook.enable", "enabled", ["app.example:443"]),
        ("cli", "webhook.default", "set", ["app.example:443"]),
        (me, "webhook.default", "unset", []),
    ]


def test_keys_quotas_and_logins_are_noted(
    api: Client, gateway: Gateway, keys: ApiKeys, me: str, client: redis.Redis, settings: Settings
) -> None:
    key, token = keys.create("other", "acme", ("tasks:read",))
    guess = f"dsp_{key.key_id}_" + "x" * 43
    for api_key in (token, guess, "nonsense"):
        httpx.post(f"{gateway.url}/api/session", json={"api_key": api_key}, headers={"Origin": gateway.url})
    keys.revoke(key.key_id)
    Quotas(client, settings).set("acme", 7)
    Quotas(client, settings).unset("acme")

    found = [(entry["actor"], entry["action"], entry["outcome"], entry["ids"]) for entry in entries(api)]
    assert found == [
        ("cli", "key.create", "created", [me]),
        ("cli", "key.create", "created", [key.key_id]),
        (key.key_id, "session.login", "opened", []),
        (key.key_id, "session.login", "refused", []),
        ("cli", "key.revoke", "revoked", [key.key_id]),
        ("cli", "quota.set", "set", ["acme"]),
        ("cli", "quota.unset", "unset", ["acme"]),
    ]
    assert told(api, tenant="system") == [("session.login", "refused", [])]


def test_a_page_is_filtered_and_goes_on(api: Client, other_tenant: Client, me: str) -> None:
    ids = [api.submit(countdown=60) for _ in range(5)]
    other_tenant.submit(countdown=60)
    api.delete(f"/api/tasks/{ids[0]}")

    assert [entry["ids"] for entry in entries(api, action="task.cancel")] == [[ids[0]]]
    assert entries(api, actor="nobody") == []
    assert len(entries(api, actor=me, action="task.submit")) == 5
    query: dict[str, Any] = {"action": "task.submit", "limit": 2}
    pages: list[list[list[str]]] = []
    while True:
        page = api.get("/api/audit", params=query).json()
        pages.append([entry["ids"] for entry in page["entries"]])
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert list(itertools.chain.from_iterable(pages)) == [[task_id] for task_id in reversed(ids)]
    assert [len(page) for page in pages] == [2, 2, 1]
    # A cursor is for the list that it came with.
    for other in ({"action": "task.cancel"}, {"tenant": "rival"}):
        assert api.get("/api/audit", params={**query, **other}).status_code == 422

    at = entries(api)[2]["at"]
    assert {entry["at"] >= at for entry in entries(api, after=at)} == {True}
    assert {entry["at"] < at for entry in entries(api, before=at)} <= {True}
    assert len(entries(api, after=at)) + len(entries(api, before=at)) == len(entries(api))
    assert all(entry["tenant"] == "rival" for entry in entries(api, tenant="rival"))


@pytest.mark.parametrize(
    "query",
    ["limit=0", "cursor=x", "cursor=1-2", "after=soon", "tenant=*", "tenant=a%0Ab", "who=me", "tenant="],
)
def test_a_wrong_question_is_refused(api: Client, query: str) -> None:
    assert api.get(f"/api/audit?{query}").status_code == 422


def test_before_all_time_nothing_was_done(api: Client) -> None:
    api.submit()

    for before in ("1970-01-01T00:00:00Z", "0050-11-22T01:24:00-19:09", "0001-01-01T00:00:00Z"):
        assert entries(api, before=before) == []


def test_a_worker_chains_what_is_noted_within_moments(
    api: Client, worker: LaneWorker, client: redis.Redis, settings: Settings
) -> None:
    api.submit()
    wait_until(lambda: client.llen("despacho:audit_pending") == 0, "it is chained", 8)
    api.submit()
    wait_until(lambda: client.llen("despacho:audit_pending") == 0, "the next is chained too", 4)

    verdict = Trails(client, settings).verify("acme")
    assert verdict.broken is None
    assert verdict.checked == 3


def test_many_chain_at_once_and_nothing_is_lost_or_doubled(client: redis.Redis, settings: Settings) -> None:
    async def submit_all() -> list[str]:
        service = TaskService.connect(settings)
        ids = [
            await service.queue_task("triage.process_async", ["c"], {"user_message": "x"}, countdown=60)
            for _ in range(600)
        ]
        await service.close()
        return ids

    def chain(_: int) -> None:
        while client.llen("despacho:audit_pending"):
            Ledger(client, settings).extend_audit()

    with ThreadPoolExecutor(4) as pool:
        submitting = pool.submit(lambda: asyncio.run(submit_all()))
        wait_until(lambda: client.llen("despacho:audit_pending") or submitting.done(), "the first is noted")
        list(pool.map(chain, range(3)))
        ids = submitting.result()
    chain(0)

    trail = [json.loads(fields[b"e"]) for _, fields in client.xrange("despacho:audit:default")]  # type: ignore[union-attr]
    assert [entry["ids"][0] for entry in trail] == ids
    assert {entry["actor"] for entry in trail} == {"local"}
    assert Trails(client, settings).verify("default").checked == 600


def test_a_trail_is_bounded_and_what_is_left_still_holds(client: redis.Redis, settings: Settings) -> None:
    ledger = Ledger(client, settings.model_copy(update={"audit_entries": 100}))
    trails = Trails(client, settings)
    noted = Head()
    for number in range(1_250):
        note_something(client, settings, str(number))
        if number in (100, 700):
            chain_all(ledger)
            noted = trails.verify("acme").head
    chain_all(ledger)

    assert client.xlen("despacho:audit:acme") == 100
    verdict = trails.verify("acme")
    assert verdict.broken is None
    assert (verdict.checked, verdict.head.seq) == (100, 1_250)
    # What was trimmed can't be vouched for any more, and the check says so.
    assert trails.verify("acme", noted).broken is not None

    (oldest, _), *_ = client.xrange("despacho:audit:acme", count=1)  # type: ignore[misc]
    client.xdel("despacho:audit:acme", oldest)
    broken = trails.verify("acme").broken
    assert broken is not None
    assert broken.seq == 1_151


def note_something(client: redis.Redis, settings: Settings, subject: str) -> None:
    from tasks.audit import CLI

    note(client, settings, "acme", CLI, "case.delete", "deleted", [subject])


def chain_all(ledger: Ledger) -> None:
    while ledger.extend_audit():
        pass


def test_notes_that_nobody_chains_are_bounded_and_the_loss_is_told(
    client: redis.Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = scripts._body().replace("UNCHAINED_AT_MOST = 200000", "UNCHAINED_AT_MOST = 10")
    monkeypatch.setattr(scripts, "_body", lambda: body)
    for cached in (scripts.library_name, scripts.library, scripts.function):
        cached.cache_clear()
    try:
        for number in range(25):
            note_something(client, settings, str(number))
        assert client.llen("despacho:audit_pending") == 10
        chain_all(Ledger(client, settings))
    finally:
        monkeypatch.undo()
        for cached in (scripts.library_name, scripts.library, scripts.function):
            cached.cache_clear()

    ((_, fields),) = client.xrange("despacho:audit:system")  # type: ignore[misc]
    assert json.loads(fields[b"e"])["action"] == "audit.lost"
    assert json.loads(fields[b"e"])["count"] == 15
    assert Trails(client, settings).verify("acme").checked == 10
    assert client.hget("despacho:audit_state", "lost") == b"0"


def test_a_trail_that_can_not_be_extended_can_be_read(api: Client, client: redis.Redis, settings: Settings) -> None:
    api.submit(countdown=60)
    assert len(entries(api)) == 2
    # Nothing can come after what somebody put there.
    client.xadd("despacho:audit:acme", {"e": "{", "h": "x"}, id="99999999999999-1")
    api.submit(countdown=60)

    assert [entry.get("seq") for entry in entries(api)] == [1, 2, None]
    assert client.llen("despacho:audit_pending") == 1
    assert Trails(client, settings).verify("acme").broken is not None


def test_a_trail_that_was_tampered_with_keeps_no_worker_from_its_tasks(
    api: Client, worker: LaneWorker, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    client.xadd("despacho:audit:acme", {"e": "{", "h": "x"}, id="99999999999999-1")
    task_id = api.submit()

    wait_until(lambda: "the audit trails can't be extended" in caplog.text, "the worker says so")

    assert api.until(task_id, "succeeded")["attempt"] == 1
    due = api.submit(countdown=0.1)
    api.until(due, "succeeded")


# --------------------------------------------------------------------------------------------- the command

Said = pytest.CaptureFixture[str]


@pytest.fixture
def at(settings: Settings) -> list[str]:
    return ["--redis-url", settings.redis_url]


def test_the_command_says_that_all_is_well_and_where_the_trails_end(
    client: redis.Redis, settings: Settings, at: list[str], capsys: Said
) -> None:
    note_something(client, settings, "case-1")

    assert main(["audit", "verify", *at]) == 0

    said = capsys.readouterr().out.strip()
    assert said.startswith("acme: 1 entries hold; the trail ends with 1:")
    head = said.rpartition(" ")[2]
    note_something(client, settings, "case-2")
    assert main(["audit", "verify", "--tenant", "acme", "--head", head, *at]) == 0
    assert main(["audit", "verify", "--tenant", "acme", "--head", "1:" + "0" * 64, *at]) == 1


def test_the_command_names_the_first_broken_link(
    client: redis.Redis, settings: Settings, at: list[str], capsys: Said
) -> None:
    for number in range(4):
        note_something(client, settings, f"case-{number}")
    chain_all(Ledger(client, settings))
    trail = client.xrange("despacho:audit:acme")
    client.delete("despacho:audit:acme")
    for id_, fields in trail:  # type: ignore[union-attr]
        forged = {name: value.replace(b"case-2", b"case-7") for name, value in fields.items()}
        client.xadd("despacho:audit:acme", forged, id=id_)

    assert main(["audit", "verify", *at]) == 1

    said = capsys.readouterr().out
    assert said.startswith("acme: BROKEN at entry 3: its hash does not follow")
    assert "(2 before it hold)" in said


@pytest.mark.parametrize("wrong", [["--head", "x"], ["--tenant", "acme", "--head", "1:zz"]])
def test_a_head_that_is_none_is_refused(at: list[str], wrong: list[str], capsys: Said) -> None:
    with pytest.raises(SystemExit) as left:
        main(["audit", "verify", *wrong, *at])

    assert left.value.code == 2


def test_a_head_without_its_tenant_is_refused(client: redis.Redis, at: list[str], capsys: Said) -> None:
    assert main(["audit", "verify", "--head", "1:" + "0" * 64, *at]) == 2
    assert "--tenant" in capsys.readouterr().err


def test_who_may_not_see_operations_sees_no_trail(gateway: Gateway, keys: ApiKeys) -> None:
    _, token = keys.create("reader", "acme", tuple(set(SCOPES) - {"ops:read"}))

    answer = httpx.get(f"{gateway.url}/api/audit", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 403
