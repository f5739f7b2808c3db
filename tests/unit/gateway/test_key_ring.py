"""The keys of an issuer: which are taken, and when they are asked for again."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gateway import key_ring
from gateway.key_ring import KeyRing, fetch, parse_key_set
from tasks.errors import SettingsError, Unavailable
from tests.issuer import ec_key, jwk, key_set, rsa_key

RSA, EC = rsa_key(), ec_key()


class Issuer:
    """What a ring reads: a set that can change, or an error; and a clock that goes when it is told to."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.asked = 0
        self.now = 1_000.0
        self.changes = 0

    def load(self) -> bytes:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def ring(self) -> KeyRing:
        return KeyRing(self.load, self._change, lambda: self.now)

    def _change(self) -> None:
        self.changes += 1


def test_keys_for_rs256_and_es256_are_taken_and_no_others() -> None:
    weak, private = jwk(rsa_key(1024), "weak"), {**jwk(RSA, "private"), "d": "AQAB"}
    others = [
        weak,
        private,
        jwk(RSA, "other use", use="enc"),
        jwk(RSA, "other algorithm", alg="RS512"),
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "broken", "n": 7, "e": None},
        {"kid": "nothing"},
    ]

    taken = parse_key_set(key_set(jwk(RSA, "r", use="sig"), jwk(EC, "e", alg="ES256"), *others))

    assert {kid: key.algorithm_name for kid, key in taken.items()} == {"r": "RS256", "e": "ES256"}


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b"\xff", b"[" * 100_000])
def test_what_is_no_set_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        parse_key_set(raw)


def test_a_set_of_too_many_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        parse_key_set(key_set(*[jwk(EC, str(number)) for number in range(101)]))


async def _found(ring: KeyRing, *kids: str | None) -> list[bool]:
    return [key is not None for key in await asyncio.gather(*(ring.find(kid) for kid in kids))]


def test_an_unknown_key_is_asked_for_once_a_minute_at_most() -> None:
    issuer = Issuer(key_set(jwk(RSA, "old")))

    async def story() -> None:
        ring = issuer.ring()
        assert await _found(ring, "old", "new", "new", "other") == [True, False, False, False]
        assert issuer.asked == 1
        issuer.answer = key_set(jwk(RSA, "new"))
        issuer.now += 59
        assert await _found(ring, "new") == [False]
        issuer.now += 1
        assert await _found(ring, "new") == [True]
        assert await _found(ring, "old") == [False]
        assert issuer.asked == 2
        assert issuer.changes == 2

    asyncio.run(story())


def test_where_asking_fails_the_keys_of_before_stay() -> None:
    issuer = Issuer(key_set(jwk(RSA, "old")))

    async def story() -> None:
        ring = issuer.ring()
        await ring.find("old")
        for answer in (OSError("away"), ValueError("http 500"), b"no set"):
            issuer.answer = answer  # type: ignore[assignment]
            issuer.now += 60
            assert await _found(ring, "new", "old") == [False, True]
        assert issuer.asked == 4

    asyncio.run(story())


def test_keys_are_read_anew_now_and_then_so_that_a_withdrawn_one_goes() -> None:
    issuer = Issuer(key_set(jwk(RSA, "old")))

    async def story() -> None:
        ring = issuer.ring()
        await ring.find("old")
        issuer.answer = key_set(jwk(EC, "new"))
        issuer.now += 600
        assert await _found(ring, "old") == [True]
        assert ring._refreshing is not None
        await ring._refreshing
        assert await _found(ring, "old", "new") == [False, True]

    asyncio.run(story())


def test_without_any_key_the_answer_is_not_now() -> None:
    issuer = Issuer(OSError("away"))

    async def story() -> None:
        ring = issuer.ring()
        for _ in range(3):
            with pytest.raises(Unavailable):
                await ring.find("any")
        assert issuer.asked == 1
        issuer.answer, issuer.now = key_set(jwk(RSA, "any")), issuer.now + 5
        assert await _found(ring, "any", None) == [True, True]

    asyncio.run(story())


def test_a_token_without_a_key_id_is_for_a_set_of_one() -> None:
    issuer = Issuer(key_set(jwk(RSA, "one"), jwk(EC, "two")))

    assert asyncio.run(_found(issuer.ring(), None)) == [False]


def test_a_file_that_is_no_set_stops_the_start() -> None:
    issuer = Issuer(b"{}")

    with pytest.raises(SettingsError, match="DESPACHO_JWT_JWKS"):
        issuer.ring().read_now()


@contextmanager
def served(status: int, body: bytes, location: str = "") -> Iterator[str]:
    """An address that answers so."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/keys"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_set_is_fetched() -> None:
    raw = key_set(jwk(RSA, "r"))
    with served(200, raw) as url:
        assert fetch(url) == raw


def test_a_fetch_follows_no_redirect_and_reads_no_more_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(302, b"", "http://127.0.0.1:1/") as url, pytest.raises(ValueError, match="302"):
        fetch(url)
    with served(500, b"") as url, pytest.raises(ValueError, match="500"):
        fetch(url)
    with served(200, b" " * (key_ring.LARGEST_SET + 1)) as url, pytest.raises(ValueError, match="too large"):
        fetch(url)


def test_a_fetch_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ring, "FETCH_WITHIN_S", 0.0)
    with pytest.raises(ValueError, match="too long"):
        list(key_ring._until(0.0, iter([json.dumps({}).encode()])))
