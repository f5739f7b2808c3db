"""What serves a submit over HTTP: Despacho's own gateway, and applications as one would write them over its rivals.

Each is one process of uvicorn with uvloop and httptools, and gets the very same body.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.peers import NAME, python_module

TASK = {
    "task_name": "triage.process_async",
    "args": ["case-17"],
    "kwargs": {"user_message": "Fui demitida ontem e não me pagaram as verbas da rescisão."},
}
BULK = 1_000
"""Tasks in one request where many go at once."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One way to submit. `command` and `headers` are made for a port and for the server at a Redis URL."""

    path: str
    command: Callable[[int], Sequence[str]]
    environment: Callable[[int, str], Mapping[str, str]] = lambda _port, _url: {}
    headers: Callable[[str], Mapping[str, str]] = lambda _url: {}
    bulk_path: str | None = None


def body() -> str:
    return json.dumps(TASK, ensure_ascii=False)


def bulk_body() -> str:
    return json.dumps({"tasks": [TASK] * BULK}, ensure_ascii=False)


def _application(module: str) -> Callable[[int], Sequence[str]]:
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return lambda port: python_module("uvicorn", f"{module}:application", *options, "--port", str(port))


def _gateway(_port: int) -> Sequence[str]:
    return python_module("cli.main", "gateway")


def _gateway_environment(port: int, url: str) -> Mapping[str, str]:
    # No lane may be full and no quota used up: what is measured is the taking of tasks, not the refusing.
    most = "1000000000"
    return {
        "DESPACHO_REDIS_URL": url,
        "DESPACHO_PORT": str(port),
        "DESPACHO_MAX_WAITING": most,
        "DESPACHO_RATE_PER_TOKEN": most,
        "DESPACHO_TENANT_QUOTA": most,
    }


def _api_key(url: str) -> Mapping[str, str]:
    from tasks.api_keys import ApiKeys
    from tasks.connection import connect
    from tasks.settings import Settings

    settings = Settings(redis_url=url)
    _, token = ApiKeys(connect(settings), settings).create("bench", "default", ("tasks:write",))
    return {"Authorization": f"Bearer {token}"}


def _stock(_port: int, _url: str) -> Mapping[str, str]:
    return {NAME: "dramatiq"}


ENDPOINTS = {
    "despacho": Endpoint("/api/tasks/queue", _gateway, _gateway_environment, _api_key, bulk_path="/api/tasks/bulk"),
    "fastapi+celery def": Endpoint("/def", _application("benchmarks.web.with_celery")),
    "fastapi+celery async": Endpoint("/async", _application("benchmarks.web.with_celery")),
    "starlette+dramatiq": Endpoint("/", _application("benchmarks.web.with_dramatiq"), _stock),
}
