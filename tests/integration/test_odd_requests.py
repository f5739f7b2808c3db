"""Requests that no client of ours would send: each is answered, with no fault of the service, and refused as others
are."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tasks.settings import Settings
from tests.integration.conftest import Client, Gateway

METHODS = ("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE")
PATHS = (
    *("/assets/%00", "/assets/..%2f..%2fapp.py", "/assets/" + "a" * 5_000, "/assets/"),
    *("/api/tasks/%00", "/api/tasks/%ff%fe", "/api/tasks/" + "a" * 10_000, "/api/tasks/a%0Ab/explain"),
    *("/api/reports/..%2f..", "/api/reports/%00.json", "/api/documents/%00/content", "/api/cases/%00"),
    *("/api/tasks?case_id=%00&status=queued", "/api/tasks?parent_id=%ff", "/api/tasks?limit=%d9%a3"),
    *("/api/tasks?created_after=%d9%a2%d9%a0%d9%a2%d9%a6-01-01", "/api/tasks?created_after=0001-01-01"),
    *("/api/tasks?created_after=9999-12-31T23:59:59-23:59", "/api/tasks?created_before=0001-01-01T00:00:00%2B14:00"),
    *("/api/tasks?cursor=%ff", "/api/tasks?task_name=" + "x" * 20_000, "/api/tasks?" + "status=queued&" * 3_000),
    *("/problems/%00", "/problems/..", "/api/queues/%00/pause", "/ops/dramatiq/%00", "//evil.example", "/%2e%2e/"),
    *("/api/tasks/retry/x", "/login?next=//x", "*", "http://x/healthz", "/api/tasks/queue?validate_only=%ff"),
)
HEADERS = (
    *("Idempotency-Key: \xff\xfe", "Prefer: " + "wait=1x," * 2_000, "If-Match: " + '"1-1",' * 5_000),
    *(
        "If-None-Match: " + '"' * 20_000,
        "Accept: " + ";q=," * 5_000,
        "X-Request-ID: \xff",
        "Range: bytes=" + "0-0," * 999,
    ),
    *("Cookie: despacho_session=\xff; a=" + "b" * 9_000, "Last-Event-ID: \xb2", "Origin: null", "Host: a\r\nHost: b"),
    *("Content-Type: multipart/form-data; boundary=" + "x" * 500, "Content-Type: multipart/form-data"),
    *("Content-Length: -1", "Content-Length: 1\r\nContent-Length: 2", "Transfer-Encoding: gzip, chunked"),
    *("Transfer-Encoding: chunked\r\nContent-Length: 5", "Upgrade: websocket", "Expect: 200-maybe"),
)
ROUTES = (
    *("GET /api/tasks/x", "GET /problems", "POST /api/tasks/queue", "POST /api/documents", "DELETE /api/tasks/x"),
    *("POST /api/tasks/retry/x", "PUT /api/cases/c", "GET /", "GET /ops/dramatiq/"),
)


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    """A body that doesn't come is not waited for long."""
    return Settings(redis_url=redis_url, data_dir=tmp_path / "data", request_timeout_s=0.5)


def ask(gateway: Gateway, line: str, *headers: str) -> tuple[int, bytes]:
    """The status and all of the answer."""
    request = "\r\n".join((f"{line} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""))
    received = b""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(request.encode("latin-1"))
        while chunk := connection.recv(65_536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 "), (line[:80], received[:200])
    return int(received[9:12]), received


def is_as_it_should_be(status: int, answer: bytes, *, is_api: bool) -> bool:
    if is_api and status >= 400:
        return status < 500 and b"application/problem+json" in answer
    return status < 500


@pytest.mark.parametrize("method", METHODS)
def test_odd_paths_are_answered(api: Client, gateway: Gateway, method: str) -> None:
    token = f"Authorization: {api.headers['authorization']}"
    for path in PATHS:
        status, answer = ask(gateway, f"{method} {path}", token, "Content-Length: 0")
        is_api = "/ops/" not in path
        assert is_as_it_should_be(status, answer, is_api=is_api), (path[:80], answer[:300])


@pytest.mark.parametrize("route", ROUTES)
def test_odd_headers_are_answered(api: Client, gateway: Gateway, route: str) -> None:
    token = f"Authorization: {api.headers['authorization']}"
    for header in HEADERS:
        status, answer = ask(gateway, route, token, header)
        is_api = "/ops/" not in route
        assert is_as_it_should_be(status, answer, is_api=is_api), (header[:80], answer[:300])


@pytest.mark.parametrize(
    "charset", ["punycode", "idna", "rot13", "utf-7", "zlib", "unicode_escape", "undefined", "x"]
)
def test_a_form_in_an_odd_encoding_is_answered(api: Client, charset: str) -> None:
    form = (
        b'--b\r\nContent-Disposition: form-data; name="case_id"\r\n\r\n' + b"a" * 2_000 + b"\r\n"
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="'
        + b"x-" * 1_500
        + b'"\r\n\r\nhi\r\n--b--\r\n'
    )
    headers = {"Content-Type": f"multipart/form-data; boundary=b; charset={charset}"}

    assert api.post("/api/documents", content=form, headers=headers).status_code in (400, 422)
