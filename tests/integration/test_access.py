"""Every route, whoever asks: which scope it wants, and that it tells nothing about another tenant's things and does
nothing to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import redis
from starlette.applications import Starlette

from gateway.app import create_app
from middleware.worker import LaneWorker
from tasks.api_keys import PAYLOAD, SCOPES, ApiKeys
from tasks.blobs import EMBEDDINGS_FILE, FolderBlobs, result_place, text_place
from tasks.ids import new_id
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway
from tests.integration.test_events import read
from tests.routes import ACCESS, Way, told_in, ways, with_table

MARKER = "segredo-da-acme"
TOKENS = [("tasks:read", scope) if scope == PAYLOAD else (scope,) for scope in SCOPES]
"""One scope each; what is told to who may see payloads is read, too."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"rate_unauthenticated": 1_000, "rate_logins": 1_000})


@pytest.fixture
def app(settings: Settings) -> Starlette:
    return create_app(settings)


def nobodys(way: Way) -> dict[str, str]:
    """Ids that nothing has, in the form that each kind of id has."""
    some = {"task_id": new_id(), "document_id": new_id(), "case_id": "no-case", "report_id": new_id()}
    known = {**some, "replay_id": new_id(), "queue": "triage", "name": "no-kind"}
    assert set(way.parameters) <= set(known), f"say here what {way} is to be asked with"
    return known


def outcome(client: httpx.Client, way: Way, ids: dict[str, str]) -> int:
    """The status alone: a stream is left at once."""
    with client.stream(way.method, way.to(ids)) as answer:
        return answer.status_code


# ------------------------------------------------------------------------------------------------- scopes


def shown(status: int) -> str:
    if status == 303:
        return "login"
    return str(status) if status in (401, 403) else "yes"


def test_the_table_of_access_is_what_a_gateway_answers(
    app: Starlette, gateway: Gateway, keys: ApiKeys, pytestconfig: pytest.Config
) -> None:
    with ExitStack() as stack:
        callers = [stack.enter_context(httpx.Client(base_url=gateway.url, timeout=20))]
        for scopes in TOKENS:
            headers = {"Authorization": f"Bearer {keys.create(scopes[-1], 'acme', scopes)[1]}"}
            callers.append(stack.enter_context(httpx.Client(base_url=gateway.url, headers=headers, timeout=20)))
        rows = []
        for way in ways(app):
            cells = [shown(outcome(caller, way, nobodys(way))) for caller in callers]
            rows.append(f"| `{way.method}` | `{way.path}` | {' | '.join(cells)} |\n")
    names = [" + ".join(f"`{scope}`" for scope in scopes) for scopes in TOKENS]
    head = f"| | path | no token | {' | '.join(names)} |\n|---|---|---|{'---|' * len(TOKENS)}\n"
    table = head + "".join(rows)

    if pytestconfig.getoption("--write-access"):
        ACCESS.write_text(with_table(ACCESS.read_text(), table))
    assert told_in(ACCESS.read_text()) == table


OPEN = {
    ("GET", "/"),
    ("GET", "/login"),
    ("GET", "/favicon.ico"),
    ("GET", "/assets/"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    # What the kinds of problems mean, the same for all.
    ("GET", "/problems"),
    ("GET", "/problems/{name}"),
    # The API as it is published, the same for all.
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    # They look at the key, or at the cookie, and at where the request comes from.
    ("POST", "/api/session"),
    ("POST", "/api/session/end"),
}
"""What may be asked without a token. Whoever adds something here says why it tells nobody anything."""


def test_nothing_else_is_open(app: Starlette, gateway: Gateway) -> None:
    with httpx.Client(base_url=gateway.url, timeout=20) as stranger:
        for way in ways(app):
            if (way.method, way.path) not in OPEN:
                assert outcome(stranger, way, nobodys(way)) in (401, 303), way


def test_no_other_site_can_use_a_session_on_any_route(app: Starlette, gateway: Gateway, keys: ApiKeys) -> None:
    _, token = keys.create("person", "acme", SCOPES)
    with httpx.Client(base_url=gateway.url, timeout=20) as browser:
        browser.post("/api/session", json={"api_key": token}, headers={"Origin": gateway.url})
        unsafe = [way for way in ways(app) if not way.is_safe]
        assert len(unsafe) > 10
        for way in unsafe:
            for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
                answer = browser.request(way.method, way.to(nobodys(way)), content=b"{}", headers=headers)
                assert answer.status_code == 403, (way, headers)


# ------------------------------------------------------------------------------------------------ tenants

OF_THE_SERVICE = {"queue", "report_id", "replay_id", "name"}
"""What is no tenant's: scopes guard it."""
HOWEVER = {
    "GET /tasks/{task_id}": "is the page of any task: what stands on it, its scripts ask the API for",
    "PUT /api/cases/{case_id}": "makes a case of the caller's own, under the same id",
    "GET /api/v2/triage/stream/{case_id}": "waits for what a case of the caller's own will tell",
    "GET /api/api/v2/triage/stream/{case_id}": "as above",
}
"""Where an id that is another's is no 404, because ids of cases are each tenant's own to give."""
OF_OPERATORS = "/api/dead-letters"
"""Those who run the service see the dead letters of every tenant, and replay them: ids and errors, nothing that was
sent. Scopes guard it."""
WANTED = {"PUT /api/cases/{case_id}/hold": {"reason": "curiosity"}}
"""Bodies without which nothing is looked up."""


@pytest.fixture
def theirs(
    api: Client, worker: LaneWorker, settings: Settings, client: redis.Redis
) -> Iterator[list[dict[str, str]]]:
    """What `acme` has: a case with a document, tasks that succeeded, failed, run and wait, and a batch."""
    conversation = [{"role": "client", "content": MARKER}]
    api.put("/api/cases/case-of-acme", json={"conversation_history": conversation, "metadata": {"m": MARKER}})
    api.put("/api/cases/case-of-acme/hold", json={"reason": MARKER})
    file = {"file": (f"{MARKER}.txt", MARKER.encode())}
    document = api.post("/api/documents", files=file, data={"case_id": "case-of-acme"}).json()["document_id"]
    messages = (MARKER, "falhe", "devagar")
    done, failed, running = (
        api.submit(args=["case-of-acme"], kwargs={"user_message": message}, retry_config={"max_retries": 0})
        for message in messages
    )
    waiting = api.submit(args=["case-of-acme"], kwargs={"user_message": MARKER}, countdown=600)
    cases = {"cases": [{"case_id": "case-of-acme", "user_message": MARKER}], "operations": ["triage"]}
    batch = api.submit("batch.process_cases", args=[], kwargs=cases, countdown=600)
    for task_id, status in ((done, "succeeded"), (failed, "failed"), (running, "running")):
        api.until(task_id, status)
    blobs = FolderBlobs(settings.data_dir / "blobs")
    vectors = {"embeddings": [MARKER], "chunks": None}
    blobs.write(result_place("acme", done, EMBEDDINGS_FILE), [json.dumps(vectors).encode()])
    blobs.write(text_place("acme", document), [MARKER.encode()])
    yield [
        {"task_id": task_id, "case_id": "case-of-acme", "document_id": document}
        for task_id in (done, failed, running, waiting, batch)
    ]
    api.delete("/api/cases/case-of-acme/hold")
    api.delete(f"/api/tasks/{running}")
    api.until(running, "cancelled")


def tenant_ways(app: Starlette) -> list[Way]:
    of_tenants = (way for way in ways(app) if not way.path.startswith(OF_OPERATORS))
    return [way for way in of_tenants if way.parameters and not OF_THE_SERVICE & set(way.parameters)]


def same(text: str) -> str:
    """An answer without the ids that it was asked with."""
    return re.sub(r"[0-9a-f-]{36}|case-of-acme|no-case", "ID", text)


def test_anothers_things_do_not_exist_for_a_tenant(
    app: Starlette, api: Client, other_tenant: Client, theirs: list[dict[str, str]], worker: LaneWorker
) -> None:
    before = [api.record(ids["task_id"])["status"] for ids in theirs]
    for way in tenant_ways(app):
        if str(way) in HOWEVER:
            continue
        body = WANTED.get(str(way))
        nothing = other_tenant.request(way.method, way.to(nobodys(way)), json=body)
        for ids in theirs:
            answer = other_tenant.request(way.method, way.to(ids), json=body)
            assert answer.status_code == 404, way
            assert same(answer.text) == same(nothing.text), way
    other_tenant.put("/api/cases/case-of-acme", json={})

    assert [api.record(ids["task_id"])["status"] for ids in theirs] == before
    assert api.get("/api/cases/case-of-acme").json()["conversation_history"][0]["content"] == MARKER
    assert api.get(f"/api/documents/{theirs[0]['document_id']}/content").text == MARKER


def test_each_of_these_exists_for_its_own_tenant(
    app: Starlette, api: Client, theirs: list[dict[str, str]], worker: LaneWorker
) -> None:
    """Else a 404 above would say nothing."""
    for way in tenant_ways(app):
        if way.is_safe:
            assert {outcome(api, way, ids) for ids in theirs} != {404}, way


def test_lists_and_pages_tell_nothing_of_another_tenant(
    app: Starlette, other_tenant: Client, theirs: list[dict[str, str]], worker: LaneWorker
) -> None:
    secrets = {MARKER, "case-of-acme", *(value for ids in theirs for value in ids.values())}
    for way in ways(app):
        if way.parameters or not way.is_safe or way.path == "/api/events":
            continue
        answer = other_tenant.get(way.path)
        of_operators = {ids["task_id"] for ids in theirs} if way.path.startswith(OF_OPERATORS) else set()
        assert not [secret for secret in secrets - of_operators if secret in answer.text], way
    for query in ("case_id=case-of-acme", f"parent_id={theirs[0]['task_id']}", "status=succeeded"):
        assert other_tenant.get(f"/api/tasks?{query}").json()["tasks"] == []
    statuses = other_tenant.get("/api/tasks/stats").json()["statuses"]
    assert set(statuses.values()) == {0}


@pytest.mark.parametrize(
    "path",
    ["/api/events", "/api/v2/triage/stream/case-of-acme", "/api/api/v2/triage/stream/case-of-acme"],
)
@pytest.mark.parametrize("by_ticket", [False, True])
def test_streams_tell_nothing_of_another_tenant(
    other_tenant: Client, theirs: list[dict[str, str]], worker: LaneWorker, path: str, by_ticket: bool
) -> None:
    if by_ticket:
        ticket = other_tenant.post("/api/stream-tickets", json={"path": path}).json()["ticket"]
        path = f"{path}?ticket={ticket}"
    with ExitStack() as stack:
        reader = stack.enter_context(
            httpx.Client(base_url=other_tenant.base_url, timeout=20)
            if by_ticket
            else Client(base_url=other_tenant.base_url, headers=other_tenant.headers, timeout=20)
        )
        answer = stack.enter_context(reader.stream("GET", path))
        assert answer.status_code == 200
        mine = other_tenant.submit(args=["case-of-acme"])
        told: list[Any] = []
        for event in read(answer):
            told.append(event.data["task_id"])
            if event.event in ("succeeded", "triage_completed"):
                break
    assert set(told) == {mine}


def test_a_ticket_for_anothers_stream_opens_nothing(
    other_tenant: Client, theirs: list[dict[str, str]], worker: LaneWorker
) -> None:
    path = f"/api/tasks/{theirs[2]['task_id']}/events"
    ticket = other_tenant.post("/api/stream-tickets", json={"path": path}).json()["ticket"]

    assert httpx.get(f"{other_tenant.base_url}{path}", params={"ticket": ticket}).status_code == 404


def test_a_tenant_that_was_told_of_a_case_id_shares_nothing_under_it(
    api: Client, other_tenant: Client, client: redis.Redis
) -> None:
    conversation = [{"role": "client", "content": MARKER}]
    api.put("/api/cases/shared", json={"conversation_history": conversation})
    other_tenant.put("/api/cases/shared", json={"metadata": {"mine": True}})
    api.post("/api/documents", files={"file": ("a.txt", b"same bytes")}, data={"case_id": "shared"})
    other_tenant.post("/api/documents", files={"file": ("a.txt", b"same bytes")}, data={"case_id": "shared"})

    assert other_tenant.delete("/api/cases/shared").status_code == 200

    case = api.get("/api/cases/shared").json()
    assert case["conversation_history"][0]["content"] == MARKER
    document_id = case["documents"][0]["document_id"]
    wait_until(lambda: api.get(f"/api/documents/{document_id}/content").text == "same bytes", "the bytes are kept")
