"""An open stream ends with the key that opened it, also where the word of its end was missed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import ExitStack, closing

import httpx
import pytest
import redis

from tasks.api_keys import ApiKeys
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway
from tests.integration.stories import ledger_for
from tests.integration.test_events import read, watching
from tests.integration.test_streams import RawReader, in_case


def opened(stack: ExitStack, gateway: Gateway, token: str, path: str = "/api/events") -> httpx.Response:
    client = stack.enter_context(httpx.Client(base_url=gateway.url, timeout=20))
    answer = stack.enter_context(client.stream("GET", path, headers={"Authorization": f"Bearer {token}"}))
    assert answer.status_code == 200
    return answer


def watched(client: redis.Redis, channel: str = "despacho:events:tenant:acme") -> Callable[[], bool]:
    return lambda: client.pubsub_numsub(channel)[0][1] > 0


def test_a_stream_ends_when_its_key_is_revoked_and_others_go_on(
    gateway: Gateway, keys: ApiKeys, client: redis.Redis, api: Client
) -> None:
    key, token = keys.create("short", "acme", ("tasks:read",))
    with ExitStack() as stack:
        mine = opened(stack, gateway, token)
        others = stack.enter_context(watching(api, "/api/events"))
        wait_until(watched(client), "the streams are open")

        keys.revoke(key.key_id)

        assert list(read(mine)) == []
        task_id = api.submit()
        assert next(others).data["task_id"] == task_id


def test_the_results_of_a_batch_are_cut_with_the_key(
    gateway: Gateway, keys: ApiKeys, client: redis.Redis, api: Client
) -> None:
    kwargs = {"cases": [{"case_id": "a", "user_message": "oi"}], "operations": ["triage"]}
    batch = api.submit("batch.process_cases", args=[], kwargs=kwargs, countdown=60)
    key, token = keys.create("short", "acme", ("tasks:read", "tasks:payload"))
    with ExitStack() as stack:
        results = opened(stack, gateway, token, f"/api/tasks/{batch}/results")
        wait_until(watched(client, f"despacho:events:batch:{batch}"), "the stream is open")

        keys.revoke(key.key_id)

        # So that nobody takes what came until then for everything.
        with pytest.raises(httpx.RemoteProtocolError):
            results.read()


def test_streams_of_every_gateway_end(
    gateway: Gateway, keys: ApiKeys, client: redis.Redis, settings: Settings
) -> None:
    second = Gateway(settings)
    second.start()
    key, token = keys.create("short", "acme", ("tasks:read",))
    try:
        with ExitStack() as stack:
            streams = [opened(stack, one, token) for one in (gateway, second)]
            wait_until(lambda: client.pubsub_numsub("despacho:events:tenant:acme")[0][1] == 2, "both are open")
            keys.revoke(key.key_id)
            assert [list(read(stream)) for stream in streams] == [[], []]
            for one in (gateway, second):
                headers = {"Authorization": f"Bearer {token}"}
                assert httpx.get(f"{one.url}/api/tasks", headers=headers).status_code == 401
    finally:
        second.stop()


def test_a_stream_ends_when_its_key_expires(gateway: Gateway, keys: ApiKeys) -> None:
    _, token = keys.create("short", "acme", ("tasks:read",), dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1))
    with ExitStack() as stack:
        assert list(read(opened(stack, gateway, token))) == []


@pytest.mark.parametrize("path", ["/api/events", "/api/v2/triage/stream/case-1"])
def test_a_stream_whose_client_takes_nothing_ends_with_the_key_too(
    gateway: Gateway, keys: ApiKeys, client: redis.Redis, settings: Settings, path: str
) -> None:
    key, token = keys.create("short", "acme", ("tasks:read",))
    channel = "despacho:events:" + ("tenant:acme" if path == "/api/events" else "case:acme:case-1")
    with closing(RawReader(gateway, path, token)) as deaf:
        deaf.read_until(b"retry")
        wait_until(watched(client, channel), "the stream is open")
        # More than all buffers between take, and fewer than a client is cut for.
        ledger_for(client, settings).submit([in_case() for _ in range(900)])

        keys.revoke(key.key_id)

        wait_until(lambda: not watched(client, channel)(), "the stream is gone", 5)


def test_a_stream_of_a_ticket_ends_with_the_key(gateway: Gateway, keys: ApiKeys, client: redis.Redis) -> None:
    key, token = keys.create("short", "acme", ("tasks:read",))
    headers = {"Authorization": f"Bearer {token}"}
    ticket = httpx.post(f"{gateway.url}/api/stream-tickets", json={"path": "/api/events"}, headers=headers).json()
    url = f"{gateway.url}/api/events?ticket={ticket['ticket']}"
    with httpx.Client(timeout=20) as browser, browser.stream("GET", url) as answer:
        wait_until(watched(client), "the stream is open")
        keys.revoke(key.key_id)
        assert list(read(answer)) == []
    assert httpx.get(url).status_code == 401


def test_a_revocation_that_was_missed_counts_before_anything_is_told(
    gateway: Gateway, keys: ApiKeys, client: redis.Redis, api: Client
) -> None:
    key, token = keys.create("short", "acme", ("tasks:read",))
    with ExitStack() as stack:
        stream = opened(stack, gateway, token)
        wait_until(watched(client), "the stream is open")

        # The word is lost with the connection, and something happens that the stream would tell.
        pipe = client.pipeline(transaction=True)
        pipe.client_kill_filter(_type="pubsub")
        pipe.hset(f"despacho:apikey:{key.key_id}", "revoked", "1")
        pipe.execute()
        api.submit()

        assert list(read(stream)) == []


def test_a_session_ends_its_streams_too(gateway: Gateway, keys: ApiKeys, client: redis.Redis) -> None:
    _, token = keys.create("person", "acme", ("tasks:read",))
    with httpx.Client(base_url=gateway.url, timeout=20) as browser:
        browser.post("/api/session", json={"api_key": token}, headers={"Origin": gateway.url})
        (session,) = client.keys("despacho:session:*")  # type: ignore[misc]
        client.pexpire(session, 1_000)
        with browser.stream("GET", "/api/events") as answer:
            assert answer.status_code == 200
            assert list(read(answer)) == []
        assert browser.get("/api/tasks").status_code == 401
