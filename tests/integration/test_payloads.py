"""What a task was given, as those read it who may."""

from __future__ import annotations

import httpx
import redis

from tasks.api_keys import SCOPES, ApiKeys
from tasks.catalog import CATALOG
from tasks.keys import Keys
from tasks.ledger import Ledger
from tasks.settings import Settings
from tasks.submission import Order, check
from tests.integration.conftest import Client, Gateway


def given(api: Client, task_id: str) -> httpx.Response:
    return api.get(f"/api/tasks/{task_id}/payload")


def test_who_may_see_it_reads_what_a_task_was_given_and_the_trail_says_so(
    api: Client, gateway: Gateway, keys: ApiKeys
) -> None:
    told = api.submit(args=["case-1"], kwargs={"user_message": "Fui demitida ontem."})
    of_no_case = api.submit("embeddings.generate_async", args=[], kwargs={"texts": ["guarda", "pensão"]})
    _, token = keys.create("desk", "acme", tuple(scope for scope in SCOPES if scope != "tasks:payload"))

    answer = given(api, told)

    assert answer.json() == {
        "task_id": told,
        "task_name": "triage.process_async",
        "kwargs": {"case_id": "case-1", "user_message": "Fui demitida ontem."},
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert given(api, of_no_case).json()["kwargs"] == {"texts": ["guarda", "pensão"]}
    with Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as desk:
        assert given(desk, told).status_code == 403
    assert given(api, "no-such-task").status_code == 404
    trail = api.get("/api/audit?action=task.payload").json()["entries"]
    assert [(entry["outcome"], entry["ids"]) for entry in trail] == [("read", [of_no_case]), ("read", [told])]


def test_a_batch_tells_its_cases_but_not_the_one_that_was_erased(api: Client) -> None:
    talk = [{"role": "client", "content": "O banco descontou."}]
    cases = ["by-id", {"case_id": "told", "user_message": "Oi"}, {"case_id": "gone", "conversation_history": talk}]
    batch = api.submit("batch.process_cases", args=[], kwargs={"cases": cases, "operations": ["triage"]})
    assert given(api, batch).json()["kwargs"] == {"cases": cases, "operations": ["triage"]}

    assert api.delete("/api/cases/gone").status_code == 200

    assert given(api, batch).json()["kwargs"]["cases"] == [*cases[:2], {"case_id": "gone"}]


def test_what_lies_under_a_key_that_is_gone_is_gone(api: Client, client: redis.Redis, settings: Settings) -> None:
    order = Order("triage.process_async", ["case-1"], {"user_message": "Oi"}, tenant="acme")
    (task_id,) = Ledger(client, settings).submit([check(order, CATALOG)]).task_ids

    client.delete(Keys("despacho").of("case_key", tenant="acme", case="case-1"))

    assert given(api, task_id).status_code == 410
    assert not api.get("/api/audit?action=task.payload").json()["entries"]
