"""So many requests a minute: of a token, of an address without one, and of whoever tries to log in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import time
from typing import Any

import httpx
import pytest
import redis
from starlette.requests import HTTPConnection

from gateway.rate_limits import LOGIN, TOKEN, RateLimits, address_of
from tasks.api_keys import ApiKeys
from tasks.connection import connect_async
from tasks.rate_counts import RateCounts
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Gateway

NO_KEY = "dsp_000000000000_" + "x" * 43


@contextmanager
def running(settings: Settings, **wishes: Any) -> Iterator[Gateway]:
    gateway = Gateway(settings.model_copy(update=wishes))
    gateway.start()
    # A minute that ends in the middle of the story would begin it anew.
    wait_until(lambda: time() % 60 < 50, "the minute is young", 15)
    try:
        yield gateway
    finally:
        gateway.stop()


def codes(count: int, ask: Callable[[], httpx.Response]) -> list[int]:
    return [ask().status_code for _ in range(count)]


def test_a_token_has_its_quota_and_is_told_how_it_stands(
    client: redis.Redis, settings: Settings, keys: ApiKeys
) -> None:
    _, token = keys.create("busy", "acme", ("tasks:read",))
    _, other = keys.create("quiet", "acme", ("tasks:read",))
    with running(settings, rate_per_token=3) as gateway:

        def ask(token: str, path: str = "/api/tasks") -> httpx.Response:
            return httpx.get(gateway.url + path, headers={"Authorization": f"Bearer {token}"})

        first = ask(token)
        assert first.headers["ratelimit-policy"] == '"token";q=3;w=60'
        assert first.headers["ratelimit"].startswith('"token";r=2;t=')
        # What the token may not do counts as well.
        assert ask(token, "/api/queues").status_code == 403
        assert ask(token).status_code == 200

        refused = ask(token)
        assert refused.status_code == 429
        assert refused.json()["type"] == "/problems/rate-limited"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["ratelimit"].startswith('"token";r=0;t=')
        assert ask(other).status_code == 200


def test_without_a_good_token_an_address_has_little(client: redis.Redis, settings: Settings, keys: ApiKeys) -> None:
    _, token = keys.create("good", "acme", ("tasks:read",))
    with running(settings, rate_unauthenticated=4) as gateway:
        url = f"{gateway.url}/api/tasks"
        bad = {"Authorization": f"Bearer {NO_KEY}"}
        assert codes(2, lambda: httpx.get(url)) == [401, 401]
        assert codes(3, lambda: httpx.get(url, headers=bad)) == [401, 401, 429]
        refused = httpx.get(f"{gateway.url}/api/tasks?ticket=x")
        assert refused.status_code == 429
        assert refused.headers["ratelimit-policy"] == '"unauthenticated";q=4;w=60'
        assert refused.headers["ratelimit"].startswith('"unauthenticated";r=0;t=')
        assert httpx.get(f"{gateway.url}/ops/dramatiq/").status_code == 429
        # A neighbour behind the same address isn't locked out, and neither is whoever looks after the service.
        assert httpx.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert httpx.get(f"{gateway.url}/healthz").status_code == 200


def test_logins_are_limited_by_address(client: redis.Redis, settings: Settings, keys: ApiKeys) -> None:
    _, token = keys.create("person", "acme", ("tasks:read",))
    with running(settings, rate_logins=2) as gateway:

        def log_in(key: str) -> httpx.Response:
            return httpx.post(f"{gateway.url}/api/session", json={"api_key": key}, headers={"Origin": gateway.url})

        assert codes(2, lambda: log_in("wrong")) == [401, 401]
        refused = log_in(token)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) <= 60
        assert refused.headers["ratelimit-policy"] == '"login";q=2;w=60'
        assert "set-cookie" not in refused.headers


def test_logins_are_limited_by_key_from_wherever_they_come(
    client: redis.Redis, settings: Settings, keys: ApiKeys
) -> None:
    key, token = keys.create("person", "acme", ("tasks:read",))
    guess = f"dsp_{key.key_id}_" + "x" * 43
    with running(settings, rate_logins=2, trusted_proxies=("127.0.0.1",)) as gateway:

        def log_in(key: str, address: str) -> int:
            headers = {"Origin": gateway.url, "X-Forwarded-For": address}
            return httpx.post(f"{gateway.url}/api/session", json={"api_key": key}, headers=headers).status_code

        assert [log_in(guess, f"203.0.113.{number}") for number in range(3)] == [401, 401, 429]
        assert log_in(token, "203.0.113.9") == 429


def test_a_forwarded_address_is_believed_of_a_trusted_proxy_only(client: redis.Redis, settings: Settings) -> None:
    def ask(gateway: Gateway, forwarded: str) -> int:
        return httpx.get(f"{gateway.url}/api/tasks", headers={"X-Forwarded-For": forwarded}).status_code

    with running(settings, rate_unauthenticated=1) as gateway:
        assert [ask(gateway, f"203.0.113.{number}") for number in range(2)] == [401, 429]
    client.flushall()
    with running(settings, rate_unauthenticated=1, trusted_proxies=("127.0.0.0/8",)) as gateway:
        assert [ask(gateway, f"203.0.113.{number}") for number in range(3)] == [401, 401, 401]
        # What a client claims itself stands left of what the proxy saw.
        assert [ask(gateway, f"198.51.100.{number}, 203.0.113.77") for number in range(2)] == [401, 429]


def test_processes_share_a_quota(client: redis.Redis, settings: Settings) -> None:
    async def story() -> None:
        connection = connect_async(settings)
        settings_of_both = settings.model_copy(update={"rate_per_token": 10, "rate_logins": 2})
        now = 60_000.0
        first, second = (
            RateLimits(RateCounts(connection, settings), settings_of_both, lambda: now) for _ in range(2)
        )
        assert [first.take(TOKEN, "acme").left for _ in range(6)] == [9, 8, 7, 6, 5, 4]
        await first.settle()
        # The other hears of it with the first of its own that it tells.
        assert second.take(TOKEN, "acme").left == 9
        await second.settle()
        assert [second.take(TOKEN, "acme").is_let_in for _ in range(4)] == [True, True, True, False]
        await second.settle()
        await first.settle()
        assert first.take(TOKEN, "acme").is_let_in
        await first.settle()
        assert not first.take(TOKEN, "acme").is_let_in
        # Logins are exact.
        exact = [await limits.take_exactly(LOGIN, "x") for limits in (first, second, first)]
        assert [standing.is_let_in for standing in exact] == [True, True, False]
        # A new minute, and everything that is over is forgotten.
        now = 60_060.0
        assert second.take(TOKEN, "acme").left == 9
        await first.settle()
        assert not first._counts
        await connection.aclose()

    asyncio.run(story())


def test_without_the_store_a_process_counts_for_itself_and_settles_later(
    client: redis.Redis, settings: Settings
) -> None:
    async def story() -> None:
        away = settings.model_copy(update={"redis_url": "unix:///nowhere"})
        connection, nowhere = connect_async(settings), connect_async(away)
        wished = settings.model_copy(update={"rate_per_token": 3})
        limits = RateLimits(RateCounts(nowhere, away), wished, lambda: 60_000.0)
        assert [limits.take(TOKEN, "acme").is_let_in for _ in range(4)] == [True, True, True, False]
        await limits.settle()
        assert not limits.take(TOKEN, "acme").is_let_in
        limits._shared = RateCounts(connection, settings)
        await limits.settle()
        (name,) = client.keys("despacho:rate:*")  # type: ignore[misc]
        assert client.get(name) == b"3"
        assert 0 < client.ttl(name) <= 120  # type: ignore[operator]
        await connection.aclose()
        await nowhere.aclose()

    asyncio.run(story())


def test_what_a_process_counts_is_bounded(
    client: redis.Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.rate_limits.REMEMBERED_AT_MOST", 100)
    limits = RateLimits(RateCounts(None, settings), settings, lambda: 60_000.0)

    for number in range(1_000):
        limits.take(TOKEN, str(number))

    assert len(limits._counts) == 100


@pytest.mark.parametrize(
    ("host", "counted_as"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("testclient", "testclient"),
        ("x" * 1_000, "x" * 64),
    ],
)
def test_an_address_is_counted_as_whoever_has_it(host: str, counted_as: str) -> None:
    assert address_of(HTTPConnection({"type": "http", "client": (host, 1)})) == counted_as


def test_who_comes_over_a_socket_has_no_address() -> None:
    assert address_of(HTTPConnection({"type": "http", "client": None})) == ""
