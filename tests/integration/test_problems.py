"""Problems: every kind has a page, and no response is of another kind."""

from __future__ import annotations

import ast
from html import unescape
from pathlib import Path

import httpx
import pytest
import redis

from gateway.problem_kinds import KINDS, OF_ERRORS, OF_STATUS
from tasks import errors
from tasks.errors import DespachoError
from tests.integration.conftest import Client, Gateway

ROOT = Path(__file__).resolve().parents[2]
NEVER_OVER_HTTP = {
    *(errors.SettingsError, errors.PermanentFailure, errors.CaseGone, errors.DocumentGone),
    *(errors.ProviderFailed, errors.WebhookFailed, errors.NoticeFailed, errors.NotNow),
    *(errors.ProviderBreakerOpen, errors.BreakerOpen),
}
"""Of a process that starts, and of a worker's runs."""


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_explained_to_people_and_to_programs(gateway: Gateway, name: str) -> None:
    kind = KINDS[name]
    uri = f"{gateway.url}/problems/{name}"

    page = httpx.get(uri, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    data = httpx.get(uri, headers={"Accept": "application/json"})

    assert page.status_code == data.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["vary"] == data.headers["vary"] == "Accept"
    for text in (kind.title, kind.meaning, kind.remedy, str(kind.status)):
        assert text in unescape(page.text)
    assert data.json() == {
        "type": f"/problems/{name}",
        "title": kind.title,
        "status": kind.status,
        "meaning": kind.meaning,
        "remedy": kind.remedy,
    }


def test_all_kinds_are_listed(gateway: Gateway) -> None:
    page = httpx.get(f"{gateway.url}/problems")
    data = httpx.get(f"{gateway.url}/problems", headers={"Accept": "application/problem+json"}).json()

    assert {problem["type"] for problem in data["problems"]} == {kind.uri for kind in KINDS.values()}
    assert all(f'href="{kind.uri}"' in page.text for kind in KINDS.values())


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("application/json;q=0.4, text/html;q=0.5", "text/html; charset=utf-8"),
        ("application/json;q=0.6, text/html;q=0.5", "application/json"),
        ("application/json;q=x", "text/html; charset=utf-8"),
        (",;=,", "text/html; charset=utf-8"),
    ],
)
def test_the_preferred_form_is_given(gateway: Gateway, accept: str, media_type: str) -> None:
    answer = httpx.get(f"{gateway.url}/problems/not-found", headers={"Accept": accept})

    assert answer.headers["content-type"] == media_type


def test_what_is_no_kind_is_not_found(gateway: Gateway) -> None:
    for name in ("nothing", "..%2Fconsole.html", "%00"):
        answer = httpx.get(f"{gateway.url}/problems/{name}")
        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/not-found"


def test_every_error_that_the_gateway_can_meet_has_its_kind() -> None:
    known = [error for error in DespachoError.__subclasses__() if error.__module__ == DespachoError.__module__]
    met = [error for error in known if error not in NEVER_OVER_HTTP]
    assert {error for error in met if error not in OF_ERRORS} == set()


def test_every_status_that_the_gateway_refuses_with_has_its_kind() -> None:
    used = set()
    for path in (ROOT / "gateway").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "HTTPException":
                assert isinstance(node.args[0], ast.Constant), path
                used.add(node.args[0].value)
    assert used
    assert used <= set(OF_STATUS)


def test_the_names_and_statuses_are_promised() -> None:
    """Clients decide by these: a change here breaks them."""
    assert {kind.name: kind.status for kind in KINDS.values()} == {
        "bad-request": 400,
        "unauthorized": 401,
        "forbidden": 403,
        "not-found": 404,
        "method-not-allowed": 405,
        "request-timeout": 408,
        "conflict": 409,
        "no-vector": 409,
        "on-hold": 409,
        "gone": 410,
        "precondition-failed": 412,
        "too-large": 413,
        "unsupported-media-type": 415,
        "range-not-satisfiable": 416,
        "invalid-input": 422,
        "idempotency-mismatch": 422,
        "rate-limited": 429,
        "quota-exceeded": 429,
        "headers-too-large": 431,
        "internal": 500,
        "queue-full": 503,
        "unavailable": 503,
    }


def test_a_range_that_a_document_has_not_is_a_problem_too(api: Client) -> None:
    file = {"file": ("a.txt", b"0123456789")}
    document = api.post("/api/documents", files=file, data={"case_id": "c"}).json()["document_id"]
    path = f"/api/documents/{document}/content"

    assert api.get(path, headers={"Range": "bytes=2-4"}).content == b"234"
    outside = api.get(path, headers={"Range": "bytes=100-"})
    assert outside.status_code == 416
    assert outside.headers["content-range"] == "bytes */10"
    for odd in ("bytes=x-y", "lines=1-2", "bytes=", "bytes=4-2"):
        answer = api.get(path, headers={"Range": odd})
        assert (answer.status_code, answer.content) == (200, b"0123456789"), odd


def test_a_fault_of_ours_tells_nothing_but_its_id(
    api: Client, gateway: Gateway, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    task_id = api.submit()
    client.hset(f"despacho:task:{task_id}", "status", "garbled")

    answer = api.get(f"/api/tasks/{task_id}", headers={"X-Request-ID": "find-me"})

    assert answer.status_code == 500
    assert answer.json()["detail"].endswith("find-me.")
    assert "garbled" not in answer.text
    assert "find-me" in caplog.text
