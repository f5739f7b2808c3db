"""What the buttons of dramatiq-dashboard do to our records."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import redis

from gateway.operations import DASHBOARD
from tasks.api_keys import ApiKeys
from tasks.catalog import CATALOG
from tasks.ledger import Appetite, Ledger
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway

ERROR = {"type": "ProviderFailed", "message": "http 500", "attempt": 1, "at": 1, "retryable": False}


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings) -> Ledger:
    return Ledger(client, settings)


@pytest.fixture
def page(gateway: Gateway, keys: ApiKeys) -> Iterator[httpx.Client]:
    """A browser's session, with the cookie of the forms."""
    _, token = keys.create("operator", "house", ("ops:write",))
    origin = {"Origin": gateway.url}
    with httpx.Client(base_url=gateway.url, headers=origin, cookies={"__dd_csrf": "t"}, timeout=20) as browser:
        assert browser.post("/api/session", json={"api_key": token}).status_code == 200
        yield browser


def click(page: httpx.Client, button: str, queue: str, task_id: str) -> int:
    form = {"queue": queue, "id": task_id, "__dd_csrf": "t"}
    return page.post(f"{DASHBOARD}/{button}-message", data=form).status_code


def dead(api: Client, ledger: Ledger) -> str:
    task_id = api.submit()
    (run,) = ledger.fetch(Appetite("w-1", CATALOG.queues, 1))
    ledger.fail(run.hold, ERROR)
    return task_id


def events(api: Client, task_id: str) -> list[str]:
    return [event["event"] for event in api.get(f"/api/tasks/{task_id}/log").json()["events"]]


def test_what_is_deleted_is_cancelled_and_what_is_requeued_stays(
    api: Client, page: httpx.Client, ledger: Ledger
) -> None:
    waiting, later, kept = api.submit(), api.submit(countdown=600), api.submit()

    assert click(page, "delete", "triage.normal", waiting) in (302, 303)
    assert click(page, "delete", "triage.normal.DQ", later) in (302, 303)
    assert click(page, "requeue", "triage.normal", kept) in (302, 303)

    assert [api.record(task_id)["status"] for task_id in (waiting, later, kept)] == [
        "cancelled",
        "cancelled",
        "queued",
    ]
    assert events(api, waiting) == ["queued", "cancelled"]
    assert [run.hold.task_id for run in ledger.fetch(Appetite("w-1", CATALOG.queues, 9))] == [kept]


def test_a_dead_letter_is_requeued_with_a_fresh_run_or_forgotten(
    api: Client, page: httpx.Client, ledger: Ledger
) -> None:
    again, gone, held = dead(api, ledger), dead(api, ledger), dead(api, ledger)

    # when one is requeued
    assert click(page, "requeue", "triage.normal.XQ", again) in (302, 303)
    assert events(api, again) == ["queued", "running", "failed", "queued"]
    assert api.record(again)["error"] is None

    # and one is deleted, then it is forgotten with the next chores
    assert click(page, "delete", "triage.normal.XQ", gone) in (302, 303)
    assert page.get(f"{DASHBOARD}/queues/triage.normal/failed").text.count(gone) == 0
    wait_until(lambda: ledger.client.zscore(ledger.keys.of("expiring"), gone) == 0, "it is to be forgotten")

    # but none of a case that is on hold
    api.put("/api/cases/case-1", json={"conversation_history": [{"role": "client", "content": "oi"}]})
    api.put("/api/cases/case-1/hold", json={"reason": "processo"})
    assert click(page, "delete", "triage.normal.XQ", held) in (302, 303)
    assert api.record(held)["status"] == "failed"
    assert held in [letter["task_id"] for letter in api.get("/api/dead-letters").json()["dead_letters"]]
    api.delete("/api/cases/case-1/hold")


def test_no_form_of_another_site_or_without_its_token_moves_anything(api: Client, page: httpx.Client) -> None:
    waiting = api.submit()
    form = {"queue": "triage.normal", "id": waiting, "__dd_csrf": "t"}

    foreign = page.post(f"{DASHBOARD}/delete-message", data=form, headers={"Origin": "https://evil.example"})
    tokenless = page.post(f"{DASHBOARD}/delete-message", data=form | {"__dd_csrf": "other"})

    assert foreign.status_code == 403
    assert tokenless.status_code >= 400
    assert api.record(waiting)["status"] == "queued"
