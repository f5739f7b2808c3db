"""Who may do what: keys, scopes, sessions and stream tickets."""

from __future__ import annotations

import datetime as dt

import httpx
import pytest
import redis

from middleware.worker import LaneWorker
from tasks.api_keys import ApiKeys
from tasks.errors import InvalidInput
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway


def with_token(gateway: Gateway, token: str) -> Client:
    return Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer nonsense", "Basic abc", "Bearer dsp_000000000000_" + "x" * 43]
)
def test_without_a_good_token_nothing_is_told(gateway: Gateway, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    answer = httpx.get(f"{gateway.url}/api/tasks", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token_without_the_scope_is_forbidden(gateway: Gateway, keys: ApiKeys) -> None:
    _, token = keys.create("reader", "acme", ("tasks:read",))
    with with_token(gateway, token) as client:
        assert client.get("/api/tasks").status_code == 200
        assert client.post("/api/tasks/queue", json={}).status_code == 403
        assert client.get("/api/queues").status_code == 403
        assert client.get("/ops/dramatiq/").status_code == 403


def test_a_revoked_key_is_refused_at_once(gateway: Gateway, keys: ApiKeys) -> None:
    key, token = keys.create("short", "acme", ("tasks:read",))
    with with_token(gateway, token) as client:
        for _ in range(20):
            assert client.get("/api/tasks").status_code == 200
        assert keys.revoke(key.key_id)
        # The word is on its way to every gateway that remembers the key.
        wait_until(lambda: client.get("/api/tasks").status_code == 401, "the key is refused", 0.5)
    assert not keys.revoke("000000000000")


def test_an_expired_key_is_refused(gateway: Gateway, keys: ApiKeys) -> None:
    _, token = keys.create("old", "acme", ("tasks:read",), dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1))
    with with_token(gateway, token) as client:
        assert client.get("/api/tasks").status_code == 401


def test_only_a_hash_of_a_key_is_stored(keys: ApiKeys, client: object) -> None:
    _, token = keys.create("hashed", "acme", ("tasks:read",))
    secret = token.split("_", 2)[2].encode()
    assert len(secret) > 30

    stored = [keys._client.hgetall(name) for name in keys._client.scan_iter("despacho:apikey:*")]

    assert stored
    assert all(secret not in value for fields in stored for value in fields.values())  # type: ignore[union-attr]


def test_a_key_is_refused_by_every_gateway_as_soon_as_it_is_revoked(
    gateway: Gateway, keys: ApiKeys, settings: Settings
) -> None:
    second = Gateway(settings)
    second.start()
    key, token = keys.create("short", "acme", ("tasks:read",))
    try:
        with with_token(gateway, token) as one, with_token(second, token) as other:
            for _ in range(5):
                assert [client.get("/api/tasks").status_code for client in (one, other)] == [200, 200]
            keys.revoke(key.key_id)
            for client in (one, other):
                wait_until(lambda client=client: client.get("/api/tasks").status_code == 401, "it is refused", 0.5)
    finally:
        second.stop()


def test_the_last_use_of_a_key_is_written_once_a_minute_at_most(
    gateway: Gateway, keys: ApiKeys, client: redis.Redis
) -> None:
    key, token = keys.create("used", "acme", ("tasks:read",))
    name = f"despacho:apikey:{key.key_id}"
    assert keys.list()[0].last_used_at is None
    with with_token(gateway, token) as caller:
        caller.get("/api/tasks")
        first = client.hget(name, "last_used")
        assert first is not None
        # What a gateway remembers of a key it forgets when the key changes.
        client.publish("despacho:key_changes", key.key_id)
        wait_until(lambda: caller.get("/api/tasks").status_code == 200, "it is read again")
        assert client.hget(name, "last_used") == first

        an_hour_ago = str(int(first) - 3_600_000)
        client.hset(name, "last_used", an_hour_ago)

        def is_written() -> bool:
            client.publish("despacho:key_changes", key.key_id)
            return (
                caller.get("/api/tasks").status_code == 200 and client.hget(name, "last_used") != an_hour_ago.encode()
            )

        wait_until(is_written, "the use is written")


def test_keys_that_are_of_no_use_make_room_for_others(keys: ApiKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.api_keys.MOST_KEYS", 3)
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    kept, _ = keys.create("kept", "acme", ("tasks:read",))
    keys.create("expired", "acme", ("tasks:read",), past)
    revoked, _ = keys.create("revoked", "acme", ("tasks:read",))
    keys.revoke(revoked.key_id)

    names = ["new", "newer"]
    for name in names:
        keys.create(name, "acme", ("tasks:read",))

    assert {key.name for key in keys.list()} == {"kept", *names}
    with pytest.raises(InvalidInput, match="revoke some"):
        keys.create("one too many", "acme", ("tasks:read",))
    assert kept.usable


@pytest.mark.parametrize("tenant", ["", "Acme", "acme\n", "a:b", "*", "x" * 65, "-acme"])
def test_a_tenant_has_a_plain_name(keys: ApiKeys, tenant: str) -> None:
    with pytest.raises(InvalidInput, match="tenant"):
        keys.create("odd", tenant, ("tasks:read",))


def test_a_login_gives_a_cookie_for_the_services_own_pages(gateway: Gateway, keys: ApiKeys) -> None:
    _, token = keys.create("person", "acme", ("tasks:read", "tasks:write", "ops:write"))
    origin = {"Origin": gateway.url}
    with httpx.Client(base_url=gateway.url) as browser:
        assert browser.post("/api/session", json={"api_key": token}).status_code == 403
        assert browser.post("/api/session", json={"api_key": "wrong"}, headers=origin).status_code == 401
        login = browser.post("/api/session", json={"api_key": token}, headers=origin)
        cookie = login.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie

        assert browser.get("/api/tasks").status_code == 200
        assert browser.post("/api/tasks/queue", json={}).status_code == 403
        assert (
            browser.post("/api/tasks/queue", json={}, headers={"Origin": "https://evil.example"}).status_code == 403
        )
        assert browser.post("/api/tasks/queue", json={}, headers=origin).status_code == 422
        assert browser.get("/ops/dramatiq/").status_code == 200

        assert browser.post("/api/session/end", headers=origin).status_code == 204
        assert browser.get("/api/tasks").status_code == 401


def test_a_session_ends_with_its_key(gateway: Gateway, keys: ApiKeys) -> None:
    key, token = keys.create("person", "acme", ("tasks:read",))
    with httpx.Client(base_url=gateway.url) as browser:
        browser.post("/api/session", json={"api_key": token}, headers={"Origin": gateway.url})
        assert browser.get("/api/tasks").status_code == 200
        keys.revoke(key.key_id)
        assert browser.get("/api/tasks").status_code == 401


def test_a_ticket_opens_one_path_only(api: Client, gateway: Gateway) -> None:
    task_id = api.submit()
    api.delete(f"/api/tasks/{task_id}")
    path = f"/api/tasks/{task_id}/events"
    ticket = api.post("/api/stream-tickets", json={"path": path}).json()["ticket"]

    with httpx.Client(base_url=gateway.url, params={"ticket": ticket}) as stranger:
        assert "event: cancelled" in stranger.get(path).text
        assert "event: cancelled" in stranger.get(path).text
        assert stranger.get("/api/events").status_code == 401
        assert stranger.get(f"/api/tasks/{task_id}").status_code == 401


def test_the_dashboard_asks_for_a_login(gateway: Gateway) -> None:
    answer = httpx.get(f"{gateway.url}/ops/dramatiq/")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/ops/dramatiq/"


# ----------------------------------------------------------------------------------------------- payloads


def test_a_reader_without_the_scope_for_payloads_sees_records_without_them(
    api: Client, gateway: Gateway, keys: ApiKeys, worker: LaneWorker
) -> None:
    api.put("/api/cases/case-1", json={"conversation_history": [{"role": "client", "content": "segredo"}]})
    form = {"files": {"file": ("segredo.txt", b"segredo", "text/plain")}, "data": {"case_id": "case-1"}}
    document_id = api.post("/api/documents", **form).json()["document_id"]
    task_id = api.submit(kwargs={"user_message": "segredo"})
    assert api.until(task_id, "succeeded")["result"]["summary"] == "segredo"
    _, token = keys.create("reader", "acme", ("tasks:read", "tasks:write"))

    with with_token(gateway, token) as reader:
        record = reader.record(task_id)
        assert (record["status"], record["result"], record["result_url"]) == ("succeeded", None, None)
        seen = [
            reader.get("/api/tasks").text,
            reader.get(f"/api/tasks/{task_id}/events").text,
            reader.get(f"/api/tasks/{task_id}/log").text,
            reader.put("/api/cases/case-2", json={"conversation_history": []}).text,
        ]
        for path in (
            *(f"tasks/{task_id}/{part}" for part in ("result", "embeddings", "results")),
            *(f"documents/{document_id}{part}" for part in ("", "/content", "/text")),
            "cases/case-1",
        ):
            answer = reader.get(f"/api/{path}")
            assert answer.status_code == 403, path
            assert "tasks:payload" in answer.text
            seen.append(answer.text)
    assert all("segredo" not in text for text in seen)


def test_a_stream_tells_a_live_result_only_to_who_may_see_it(
    api: Client, gateway: Gateway, keys: ApiKeys, worker: LaneWorker
) -> None:
    _, token = keys.create("reader", "acme", ("tasks:read",))
    task_id = api.submit(kwargs={"user_message": "segredo"}, countdown=0.3)

    with with_token(gateway, token) as reader:
        without = reader.get(f"/api/tasks/{task_id}/events").text
    with_it = api.get(f"/api/tasks/{task_id}/events").text

    assert '"status":"succeeded"' in without
    assert "segredo" not in without
    assert "segredo" in with_it


def test_a_key_that_is_older_than_the_scope_keeps_what_it_could_see(
    gateway: Gateway, keys: ApiKeys, client: redis.Redis
) -> None:
    key, token = keys.create("old", "acme", ("tasks:read",))
    operator, _ = keys.create("operator", "acme", ("ops:read",))
    for one in (key, operator):
        client.hdel(f"despacho:apikey:{one.key_id}", "knows_payload")

    with with_token(gateway, token) as reader:
        assert reader.get("/api/cases/nobody").status_code == 404
    scopes = {one.key_id: one.scopes for one in keys.list()}
    assert scopes == {key.key_id: ("tasks:read", "tasks:payload"), operator.key_id: ("ops:read",)}
