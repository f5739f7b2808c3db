"""Conditional requests: a record that hasn't changed is not sent again, one that has changed is not moved."""

from __future__ import annotations

import pytest
import redis

from middleware.worker import LaneWorker
from tasks.api_keys import ApiKeys
from tasks.record import Task
from tasks.service import TaskService
from tasks.settings import Settings
from tests.integration.conftest import Client, Gateway
from tests.integration.stories import a_task, begun, fetched, hold, ledger_for, record


def tag(api: Client, task_id: str) -> str:
    return str(api.get(f"/api/tasks/{task_id}").headers["etag"])


def test_a_record_that_has_not_changed_is_not_sent_again(api: Client) -> None:
    task_id = api.submit()
    path = f"/api/tasks/{task_id}"
    first = api.get(path)

    for given in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = api.get(path, headers={"If-None-Match": given})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == first.headers["etag"]
    assert api.head(path, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    api.delete(path)
    assert api.get(path, headers={"If-None-Match": first.headers["etag"]}).status_code == 200


@pytest.mark.parametrize("given", ['"other"', "no tag", '"', "", '"' + "x" * 5_000 + '"'])
def test_whoever_has_something_else_gets_the_record(api: Client, given: str) -> None:
    answer = api.get(f"/api/tasks/{api.submit()}", headers={"If-None-Match": given})

    assert answer.status_code == 200


def test_every_change_gives_another_tag(client: redis.Redis, settings: Settings) -> None:
    ledger = ledger_for(client, settings)
    parent = a_task()
    ledger.submit([parent])
    seen: list[str] = []

    def changed_by(what: str) -> None:
        version = record(ledger, parent.task_id).version
        assert version not in seen, what
        seen.append(version)

    changed_by("its creation")
    run = begun(ledger, parent)
    changed_by("its start")
    ledger.progress(run, 10, "um passo")
    changed_by("progress")
    children = [a_task(parent_id=parent.task_id, held=True) for _ in range(2)]
    ledger.submit(children)
    changed_by("children")
    ledger.await_children(run, max_parallel=2)
    changed_by("its wait for them")
    fetched(ledger)
    changed_by("the start of children")
    for child in children:
        ledger.succeed(hold(child), "{}")
        changed_by("the end of a child")
    again = fetched(ledger)[0].hold
    changed_by("its second run")
    ledger.cancel(parent.task_id)
    changed_by("the wish to end it")
    ledger.cancelled(again)
    changed_by("its end")
    ledger.requeue(parent.task_id)
    changed_by("its retry")


async def test_a_move_is_bound_to_each_version_that_a_record_has(
    client: redis.Redis, settings: Settings, anyio_backend: str
) -> None:
    """What Python calls the version and what the scripts call it are one."""
    ledger, service = ledger_for(client, settings), TaskService.connect(settings)

    async def is_refused_but_by(task: Task) -> None:
        condition = {"tenant": task.tenant, "seen": f"1-0,{task.version}x"}
        move = service.retry_task if task.status.final else service.cancel_task
        with pytest.raises(Exception, match="has changed"):
            await move(task.task_id, **condition)  # type: ignore[arg-type]
        condition["seen"] = f"1-0,{task.version},2-0"
        assert not (await move(task.task_id, **condition)).replayed  # type: ignore[arg-type]

    waiting, moving, parent = a_task(), a_task(), a_task()
    ledger.submit([waiting])
    await is_refused_but_by(record(ledger, waiting.task_id))
    await is_refused_but_by(record(ledger, waiting.task_id))
    ledger.cancel(waiting.task_id)
    ledger.submit([moving])
    ledger.progress(begun(ledger, moving), 33.3, "no meio")
    await is_refused_but_by(record(ledger, moving.task_id))
    await is_refused_but_by(record(ledger, moving.task_id))
    ledger.cancelled(hold(moving))
    ledger.submit([parent])
    run = begun(ledger, parent)
    ledger.submit([a_task(parent_id=parent.task_id, held=True) for _ in range(3)])
    ledger.await_children(run, max_parallel=3)
    fetched(ledger, 2)
    await is_refused_but_by(record(ledger, parent.task_id))
    await is_refused_but_by(record(ledger, parent.task_id))
    await service.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


pytestmark = pytest.mark.anyio


def test_a_cancel_is_bound_to_the_record_that_was_read(api: Client, worker: LaneWorker) -> None:
    api.post("/api/queues/triage/pause")
    task_id = api.submit(kwargs={"user_message": "devagar"})
    path = f"/api/tasks/{task_id}"
    queued = tag(api, task_id)
    api.post("/api/queues/triage/resume")
    api.until(task_id, "running")

    refused = api.delete(path, headers={"If-Match": queued})

    assert refused.status_code == 412
    assert refused.json()["type"] == "/problems/precondition-failed"
    assert not api.record(task_id)["cancel_requested"]
    assert api.delete(path, headers={"If-Match": "*"}).status_code == 202


def test_a_retry_is_bound_to_the_record_that_was_read(api: Client) -> None:
    task_id = api.submit()
    queued = tag(api, task_id)
    cancelled = api.delete(f"/api/tasks/{task_id}", headers={"If-Match": f'"other", {queued}'}).headers["etag"]
    path = f"/api/tasks/retry/{task_id}"

    assert api.post(path, headers={"If-Match": queued}).status_code == 412
    assert api.post(path, headers={"If-Match": cancelled}).status_code == 202
    assert tag(api, task_id) not in (queued, cancelled)


@pytest.mark.parametrize("given", ['"1-0"', "W/{tag}", "{bare}", '","', '"*"', "nonsense", '"', ""])
def test_what_is_no_strong_tag_of_the_record_moves_nothing(api: Client, given: str) -> None:
    task_id = api.submit()
    now = tag(api, task_id)

    header = given.format(tag=now, bare=now.strip('"'))

    assert api.delete(f"/api/tasks/{task_id}", headers={"If-Match": header}).status_code == 412
    assert api.record(task_id)["status"] == "queued"


def test_what_has_ended_is_refused_as_such_whatever_was_seen_of_it(api: Client) -> None:
    task_id = api.submit()
    api.delete(f"/api/tasks/{task_id}")

    assert api.delete(f"/api/tasks/{task_id}", headers={"If-Match": '"1-0"'}).status_code == 409


def test_a_record_without_what_clients_told_is_another_one(api: Client, keys: ApiKeys, gateway: Gateway) -> None:
    path = f"/api/tasks/{api.submit(countdown=60)}"
    whole = api.get(path).headers["etag"]
    _, token = keys.create("clerk", "acme", ("tasks:read", "tasks:write"))
    with Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}, timeout=20) as clerk:
        bare = clerk.get(path).headers["etag"]

        assert bare != whole
        assert clerk.get(path, headers={"If-None-Match": bare}).status_code == 304
        assert api.get(path, headers={"If-None-Match": bare}).status_code == 200
        assert clerk.delete(path, headers={"If-Match": bare}).status_code == 200
