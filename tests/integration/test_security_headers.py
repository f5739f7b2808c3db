"""What browsers are told about every answer, and what they may send in a user's name."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import httpx
import pytest
import redis

from tasks.api_keys import SCOPES, ApiKeys
from tasks.settings import Settings
from tests.integration.conftest import Client, Gateway
from tests.integration.test_odd_requests import ask

PAGES = (
    *("/login", "/", "/ops/dramatiq/", "/assets/js/api.js", "/favicon.ico", "/api/tasks", "/nowhere", "/healthz"),
    *("/problems", "/problems/not-found", "/problems/nothing", "/api/webhooks"),
)


@contextmanager
def logged_in(gateway: Gateway, token: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url) as browser:
        answer = browser.post("/api/session", json={"api_key": token}, headers={"Origin": gateway.url})
        assert answer.status_code == 200
        yield browser


@pytest.fixture
def browser(gateway: Gateway, keys: ApiKeys) -> Iterator[httpx.Client]:
    _, token = keys.create("person", "acme", SCOPES)
    with logged_in(gateway, token) as browser:
        yield browser


def policy(answer: httpx.Response) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_says_what_a_browser_may_do_with_it(browser: httpx.Client, gateway: Gateway, path: str) -> None:
    for answer in (browser.get(path), httpx.get(gateway.url + path)):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] in ("no-referrer", "same-origin")
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "strict-transport-security" not in answer.headers
        assert policy(answer)["default-src"] == "'none'"
        assert policy(answer)["frame-ancestors"] == "'none'"
        assert policy(answer)["base-uri"] == "'none'"
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_a_stream_and_a_failure_say_it_too(api: Client) -> None:
    with api.stream("GET", "/api/events") as answer:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert policy(answer)["frame-ancestors"] == "'none'"


def test_what_is_refused_before_it_reaches_the_application_says_it_too(gateway: Gateway) -> None:
    status, answer = ask(gateway, "GET / and more")

    assert status == 400
    for header in (b"x-content-type-options: nosniff", b"cross-origin-resource-policy: same-origin"):
        assert header in answer
    assert b"frame-ancestors 'none'" in answer


def test_a_downloaded_document_runs_nothing(api: Client) -> None:
    files = {"file": ("page.html", b"<script>alert(1)</script>", "text/html")}
    made = api.post("/api/documents", files=files, data={"case_id": "case-1"}).json()

    answer = api.get(f"/api/documents/{made['document_id']}/content")

    assert "sandbox" in policy(answer)
    assert policy(answer)["default-src"] == "'none'"
    assert answer.headers["content-disposition"].startswith("attachment")


def test_the_dashboard_runs_with_its_own_styles_and_nothing_else(browser: httpx.Client) -> None:
    answer = browser.get("/ops/dramatiq/")

    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    hashed = b64encode(sha256(style.encode()).digest()).decode()
    assert policy(answer)["style-src"] == f"'sha256-{hashed}'"
    assert "script-src" not in policy(answer)
    assert "<script" not in answer.text
    assert " style=" not in answer.text


def test_behind_tls_browsers_stay_with_it(client: redis.Redis, settings: Settings, keys: ApiKeys) -> None:
    _, token = keys.create("person", "acme", SCOPES)
    gateway = Gateway(settings.model_copy(update={"secure_cookies": True}))
    gateway.start()
    try:
        headers = {"Sec-Fetch-Site": "same-origin"}
        login = httpx.post(f"{gateway.url}/api/session", json={"api_key": token}, headers=headers)
        logout = httpx.post(f"{gateway.url}/api/session/end", headers=headers)
    finally:
        gateway.stop()

    assert login.headers["strict-transport-security"] == "max-age=31536000"
    for answer in (login, logout):
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-despacho_session=")
        parts = {part.strip().lower() for part in cookie.split(";")}
        assert {"secure", "httponly", "samesite=strict", "path=/"} <= parts
        assert not any(part.startswith("domain") for part in parts)


FOREIGN: list[dict[str, str]] = [
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "null", "Host": ""},
]
UNSAFE = [
    ("POST", "/api/tasks/queue"),
    ("POST", "/api/tasks/bulk"),
    ("POST", "/api/tasks/retry/x"),
    ("DELETE", "/api/tasks/x"),
    ("PUT", "/api/cases/c"),
    ("DELETE", "/api/cases/c"),
    ("POST", "/api/documents"),
    ("POST", "/api/queues/triage/pause"),
    ("POST", "/api/stream-tickets"),
    ("POST", "/api/session"),
    ("POST", "/api/session/end"),
    ("POST", "/ops/dramatiq/queues/triage.normal/requeue/x"),
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_another_sites_page_can_do_nothing_in_a_users_name(
    browser: httpx.Client, foreign: dict[str, str], content_type: str
) -> None:
    headers = {**foreign, "Content-Type": content_type}
    body = b'{"task_name": "triage.process_async", "args": ["c"], "kwargs": {"user_message": "x"}}'

    for method, path in UNSAFE:
        answer = browser.request(method, path, content=body, headers=headers)
        assert answer.status_code in (400, 403), (method, path, answer.status_code)

    assert browser.get("/api/tasks").json()["tasks"] == []


@pytest.mark.parametrize("own", [{"Sec-Fetch-Site": "same-origin"}, "Origin"])
def test_the_services_own_pages_can(browser: httpx.Client, gateway: Gateway, own: Any) -> None:
    headers = {"Origin": gateway.url} if own == "Origin" else own
    body = {"task_name": "triage.process_async", "args": ["c"], "kwargs": {"user_message": "x"}}

    assert browser.post("/api/tasks/queue", json=body, headers=headers).status_code == 202
