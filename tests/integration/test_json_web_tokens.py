"""JWTs beside API keys: which are taken, what they may do, and which tricks are refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import Any

import httpx
import jwt
import pytest
import redis

from tasks.api_keys import ApiKeys
from tasks.errors import SettingsError
from tasks.settings import Settings
from tests.integration.conftest import Client, Gateway
from tests.integration.test_events import read
from tests.issuer import AUDIENCE, ISSUER, SECRET, claims, ec_key, jwk, key_set, pem, rsa_key, signed

RSA, EC = rsa_key(), ec_key()


@contextmanager
def running(settings: Settings, **wishes: Any) -> Iterator[Gateway]:
    gateway = Gateway(Settings(**settings.model_dump() | {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE} | wishes))
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture
def with_secret(client: redis.Redis, settings: Settings) -> Iterator[Gateway]:
    with running(settings, jwt_secret=SECRET) as gateway:
        yield gateway


@pytest.fixture
def with_keys(client: redis.Redis, settings: Settings, tmp_path: Path) -> Iterator[Gateway]:
    place = tmp_path / "keys.json"
    place.write_bytes(key_set(jwk(RSA, "r"), jwk(EC, "e")))
    with running(settings, jwt_jwks=str(place)) as gateway:
        yield gateway


def code(gateway: Gateway, token: str, path: str = "/api/tasks") -> int:
    return httpx.get(gateway.url + path, headers={"Authorization": f"Bearer {token}".encode()}).status_code


def bearing(gateway: Gateway, token: str) -> Client:
    return Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}, timeout=20)


def unsigned(header: dict[str, Any], payload: dict[str, Any], signature: str = "") -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, payload))
    return ".".join([*parts, signature])


def test_a_token_opens_its_tenant_with_its_scopes(with_secret: Gateway, keys: ApiKeys) -> None:
    _, key = keys.create("beside", "acme", ("tasks:read",))
    with bearing(with_secret, signed()) as ana, bearing(with_secret, signed(tenant="rival")) as other:
        task_id = ana.submit()
        assert ana.record(task_id)["status"] == "queued"
        assert other.get(f"/api/tasks/{task_id}").status_code == 404
        assert ana.get("/api/queues").status_code == 403
    assert code(with_secret, key, f"/api/tasks/{task_id}") == 200


@pytest.mark.parametrize(
    ("named", "granted"),
    [
        ({"scope": "tasks:read"}, {"tasks:read"}),
        ({"scope": None, "scopes": ["ops:read", "admin", 7, None]}, {"ops:read"}),
        ({"scope": "openid", "scopes": "tasks:read ops:read"}, {"tasks:read", "ops:read"}),
        ({"scope": None}, set()),
        ({"scope": 7, "scopes": {"tasks:read": True}}, set()),
    ],
)
def test_scopes_are_read_and_unknown_ones_ignored(
    with_secret: Gateway, named: dict[str, Any], granted: set[str]
) -> None:
    token = signed(**named)

    assert code(with_secret, token) == (200 if "tasks:read" in granted else 403)
    assert code(with_secret, token, "/api/queues") == (200 if "ops:read" in granted else 403)


def test_clocks_may_differ_by_a_little(with_secret: Gateway) -> None:
    assert code(with_secret, signed(exp=int(time()) - 5)) == 200
    assert code(with_secret, signed(nbf=int(time()) + 5)) == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": 1_000_000_000},
        {"exp": None},
        {"exp": float("inf")},
        {"exp": "soon"},
        {"nbf": 10_000_000_000},
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "another service"},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "two\nlines"},
        {"sub": "x" * 201},
        {"tenant": None},
        {"tenant": ["acme"]},
        {"tenant": "Acme:*"},
        {"tenant": "acme\n"},
    ],
    ids=str,
)
def test_a_token_that_lacks_something_is_refused(with_secret: Gateway, wrong: dict[str, Any]) -> None:
    assert code(with_secret, signed(**wrong)) == 401


def test_unsigned_foreign_huge_and_broken_tokens_are_refused(with_secret: Gateway) -> None:
    good = signed()
    head, body, signature = good.split(".")
    refused = [
        unsigned({"alg": "none", "typ": "JWT"}, claims()),
        unsigned({"alg": "None"}, claims(), signature),
        unsigned({"alg": "HS256", "crit": ["exp"]}, claims(), signature),
        jwt.encode(claims(), SECRET, "HS256", headers={"crit": ["exp"]}),
        jwt.encode(claims(), SECRET + "x" * 32, "HS512"),
        signed("another secret of about the same length"),
        signed(pad="x" * 9_000),
        base64.urlsafe_b64encode(b"[" * 5_000).decode() + "." + body + "." + signature,
        f"{head}.{body}",
        f"{head}.{body}.",
        f"{head}..{signature}",
        "..",
        "a.b.c",
        "é.é.é",
    ]

    assert [code(with_secret, token) for token in refused] == [401] * len(refused)
    assert code(with_secret, good) == 200


def test_tokens_of_public_keys_are_taken(with_keys: Gateway) -> None:
    assert code(with_keys, signed(RSA, "RS256", "r")) == 200
    assert code(with_keys, signed(EC, "ES256", "e")) == 200


def test_the_algorithm_is_the_keys_and_not_the_tokens(with_keys: Gateway) -> None:
    public = pem(RSA)
    head = {"alg": "HS256", "kid": "r"}
    signing_input = unsigned(head, claims()).rstrip(".")
    forged = jwt.get_algorithm_by_name("HS256")
    by_public_key = forged.sign(signing_input.encode(), public)
    confused = signing_input + "." + base64.urlsafe_b64encode(by_public_key).decode().rstrip("=")
    refused = [
        confused,
        signed(RSA, "RS512", "r"),
        signed(RSA, "PS256", "r"),
        signed(EC, "ES256", "r"),
        signed(RSA, "RS256", "e"),
        signed(SECRET, "HS256", "r"),
    ]

    assert [code(with_keys, token) for token in refused] == [401] * len(refused)


def test_unknown_and_missing_keys_are_refused(with_keys: Gateway) -> None:
    assert code(with_keys, signed(rsa_key(), "RS256", "unknown")) == 401
    assert code(with_keys, signed(rsa_key(), "RS256", "r")) == 401
    # Two keys could be meant.
    assert code(with_keys, signed(RSA, "RS256")) == 401


def test_keys_that_can_not_be_had_are_not_the_callers_fault(client: redis.Redis, settings: Settings) -> None:
    with running(settings, jwt_jwks="http://127.0.0.1:1/keys") as gateway:
        answer = httpx.get(f"{gateway.url}/api/tasks", headers={"Authorization": f"Bearer {signed(RSA, 'RS256')}"})

    assert answer.status_code == 503
    assert "127.0.0.1" not in answer.text


def test_without_settings_for_them_tokens_are_refused(gateway: Gateway) -> None:
    assert code(gateway, signed()) == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"jwt_secret": "short"},
        {"jwt_secret": SECRET, "jwt_jwks": "keys.json"},
        {"jwt_secret": SECRET, "jwt_issuer": None},
        {"jwt_jwks": "keys.json", "jwt_audience": None},
        {"jwt_jwks": "http://login.example/keys"},
        {"jwt_jwks": "ftp://login.example/keys"},
    ],
    ids=str,
)
def test_settings_that_would_leave_a_hole_stop_the_start(monkeypatch: pytest.MonkeyPatch, wrong: Any) -> None:
    given = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE} | wrong

    with pytest.raises(SettingsError, match="DESPACHO_JWT"):
        Settings.load(**given)


# ------------------------------------------------------------------------------- what a token opened, ends with it


def test_a_stream_ends_when_its_token_expires(with_secret: Gateway) -> None:
    with (
        bearing(with_secret, signed(exp=int(time()) - 8)) as ana,
        ana.stream("GET", "/api/events") as answer,
    ):
        assert answer.status_code == 200
        assert list(read(answer)) == []
        assert code(with_secret, ana.headers["authorization"].removeprefix("Bearer ")) == 401


def test_a_ticket_is_good_for_no_longer_than_its_token(with_secret: Gateway, client: redis.Redis) -> None:
    path = "/api/events"
    with bearing(with_secret, signed(exp=int(time()) - 7)) as ana:
        ticket = ana.post("/api/stream-tickets", json={"path": path}).json()["ticket"]
    with httpx.Client(base_url=with_secret.url, params={"ticket": ticket}, timeout=20) as browser:
        with browser.stream("GET", path) as answer:
            assert answer.status_code == 200
            (name,) = client.keys("despacho:ticket:*")  # type: ignore[misc]
            assert 0 < client.pttl(name) < 4_000  # type: ignore[operator]
            assert list(read(answer)) == []
        assert browser.get(path).status_code == 401


def test_a_ticket_of_a_token_has_its_rights(with_secret: Gateway) -> None:
    with bearing(with_secret, signed(scope="tasks:read")) as ana:
        ticket = ana.post("/api/stream-tickets", json={"path": "/api/events"}).json()["ticket"]

    answer = httpx.get(f"{with_secret.url}/api/events", params={"ticket": ticket, "scope": "all"})

    assert answer.status_code == 403
