"""How many tasks of one tenant may wait: for all the same, or a tenant's own."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import redis

from cli.main import main
from tasks.api_keys import SCOPES, ApiKeys
from tasks.keys import Keys
from tasks.ledger import Ledger, Submission
from tasks.quotas import Quotas
from tasks.settings import Settings
from tasks.submission import NewTask
from tasks.webhooks import Webhooks
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway
from tests.integration.stories import a_task, begun, ledger_for

TASK = {"task_name": "triage.process_async", "args": ["case-1"], "kwargs": {"user_message": "x"}}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"tenant_quota": 2})


@pytest.fixture(autouse=True)
def nothing_is_remembered(client: redis.Redis) -> None:
    """The server remembers for a second how much room somebody has; that of another test is none of ours."""
    client.function_flush()


def submit(api: httpx.Client, key: str | None = None) -> httpx.Response:
    return api.post("/api/tasks/queue", json=TASK, headers={"Idempotency-Key": key} if key else {})


def test_a_tenant_at_its_quota_waits_and_others_do_not(api: Client, other_tenant: Client) -> None:
    first, _ = api.submit(), api.submit(countdown=60)

    refused = submit(api)

    assert refused.status_code == 429
    assert refused.json()["type"] == "/problems/quota-exceeded"
    assert int(refused.headers["retry-after"]) >= 1
    assert "2 tasks" in refused.json()["detail"]
    assert submit(other_tenant).status_code == 202
    api.delete(f"/api/tasks/{first}")
    assert submit(api).status_code == 202


def test_a_bulk_that_exceeds_it_is_refused_as_a_whole(api: Client) -> None:
    assert api.post("/api/tasks/bulk", json={"tasks": [TASK] * 3}).status_code == 429
    assert api.get("/api/tasks").json()["tasks"] == []
    assert api.post("/api/tasks/bulk", json={"tasks": [TASK] * 2}).status_code == 202


def test_a_request_that_is_repeated_is_answered_at_the_quota_too(api: Client) -> None:
    assert [submit(api, key).status_code for key in ("a", "b", "c", "a")] == [202, 202, 429, 200]


def asked(ledger: Ledger, max_waiting: int, quota: int, tasks: list[NewTask]) -> bytes:
    settings = Settings(max_waiting=max_waiting)
    submission = Submission(tasks, ledger.ring, settings, ledger.catalog, quota=quota)
    while (answer := ledger._call("submit", *submission.arguments()))[0] == b"rekey":
        submission.read(answer)
    verdict: bytes = answer[0]
    if verdict == b"queued":
        submission.read(answer)
    return verdict


def test_running_tasks_do_not_count_and_retrying_ones_do(client: redis.Redis, settings: Settings) -> None:
    ledger = ledger_for(client, settings)
    Quotas(client, settings).set("default", 1)
    first, second = a_task(), a_task()
    ledger.submit([first])

    def verdict(task: NewTask) -> bytes:
        return asked(ledger, 100, 9, [task])

    assert verdict(second) == b"quota"
    run = begun(ledger, first)
    assert verdict(second) == b"queued"
    assert verdict(a_task()) == b"quota"
    # It is known already.
    assert verdict(second) == b"queued"
    ledger.cancel(second.task_id)
    ledger.retry(run, 60_000, None)
    assert verdict(a_task()) == b"quota"


def test_with_much_room_a_tenant_still_gets_no_further_than_its_quota(
    client: redis.Redis, settings: Settings
) -> None:
    ledger = ledger_for(client, settings)

    def verdict(count: int) -> bytes:
        return asked(ledger, 100_000, 1_000, [a_task() for _ in range(count)])

    verdicts = [verdict(50) for _ in range(30)]

    assert verdicts == [b"queued"] * 20 + [b"quota"] * 10
    assert verdict(1) == b"quota"
    # A quota that is lowered counts within a second, also for who had much room.
    client.flushall()
    assert verdict(50) == b"queued"
    Quotas(client, settings).set("default", 10)
    wait_until(lambda: verdict(1) == b"quota", "the new quota counts", 1.5)


def test_the_services_own_tasks_have_no_quota(client: redis.Redis, settings: Settings) -> None:
    ledger = ledger_for(client, settings)

    ledger.submit([a_task() for _ in range(5)])


def test_webhooks_that_wait_take_nobodys_room(
    api: Client, keys: ApiKeys, client: redis.Redis, settings: Settings
) -> None:
    assert Webhooks(client, settings).make_secret("acme")
    for _ in range(3):
        task = {**TASK, "countdown": 60, "callback_url": "https://app.example/hooks"}
        task_id = api.post("/api/tasks/queue", json=task).json()["task_id"]
        assert api.delete(f"/api/tasks/{task_id}").status_code == 200
    assert client.zcard(Keys("despacho").of("by_status", tenant="system", status="queued")) == 3

    assert submit(api).status_code == 202
    headers = {"Authorization": f"Bearer {keys.create('own', 'system', SCOPES)[1]}"}
    assert httpx.post(f"{api.base_url}/api/tasks/queue", json=TASK, headers=headers).status_code == 202


@pytest.fixture
def at(settings: Settings) -> list[str]:
    return ["--redis-url", settings.redis_url]


@pytest.fixture
def acme(gateway: Gateway, keys: ApiKeys) -> Iterator[Client]:
    _, token = keys.create("acme", "acme", SCOPES)
    with Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as client:
        yield client


def test_a_tenant_gets_a_quota_of_its_own(acme: Client, at: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quotas", "set", "acme", "3", *at]) == 0
    assert [submit(acme).status_code for _ in range(4)] == [202, 202, 202, 429]
    assert main(["quotas", "list", *at]) == 0
    assert main(["quotas", "unset", "acme", *at]) == 0
    assert main(["quotas", "unset", "acme", *at]) == 1

    said = capsys.readouterr()
    assert said.out.splitlines()[2].split() == ["acme", "3"]
    assert "no quota of its own" in said.err
    assert main(["quotas", "set", "Not a tenant", "3", *at]) == 2
    assert main(["quotas", "set", "acme", "-1", *at]) == 2
