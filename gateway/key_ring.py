"""The public keys of whoever issues JWTs: a JWK set (RFC 7517) out of a file or from an https address.

It is read anew when a token names a key that isn't known, at most once a minute, and every ten minutes while it is
used, so that a key which was withdrawn goes. Where that fails, the keys of before stay. Only keys that can check
RS256 or ES256 are taken; secrets in a set are not, so no public key can ever be taken for one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import jwt
from pydantic_core import from_json
from starlette.concurrency import run_in_threadpool

from tasks.errors import SettingsError, Unavailable

log = logging.getLogger(__name__)
LARGEST_SET = 256 << 10
MOST_KEYS = 100
FETCH_WITHIN_S = 5.0
ASK_AGAIN_S = 60.0
ASK_AGAIN_WITHOUT_KEYS_S = 5.0
REFRESH_S = 600.0
WEAKEST_RSA_BITS = 2048

Load = Callable[[], bytes]


class KeyRing:
    """Finds keys by their id. `changed` is called when the keys have been read anew."""

    def __init__(self, load: Load, changed: Callable[[], None], clock: Callable[[], float] = monotonic) -> None:
        self._load = load
        self._changed = changed
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key of this id; without an id the only one that there is. Raises `Unavailable` where no key was ever
        to be had."""
        found = self._look_up(key_id)
        if found is None:
            await self._ask(ASK_AGAIN_S if self._keys else ASK_AGAIN_WITHOUT_KEYS_S)
            found = self._look_up(key_id)
        elif self._is_due(REFRESH_S) and (self._refreshing is None or self._refreshing.done()):
            # Nobody waits for it.
            self._refreshing = asyncio.create_task(self._ask(REFRESH_S), name="jwks")
        if found is None and not self._keys:
            raise Unavailable("the keys of the token issuer can't be had")
        return found

    def read_now(self) -> None:
        """Read the keys at once. Raises `SettingsError` where that fails."""
        try:
            self._keys = parse_key_set(self._load())
        except (OSError, ValueError) as error:
            raise SettingsError(f"DESPACHO_JWT_JWKS can't be read ({_reason(error)}). Name a JWK set.") from None
        self._asked_at = self._clock()

    def _look_up(self, key_id: str | None) -> jwt.PyJWK | None:
        if key_id is not None:
            return self._keys.get(key_id)
        return next(iter(self._keys.values())) if len(self._keys) == 1 else None

    def _is_due(self, after_s: float) -> bool:
        return self._asked_at is None or self._clock() - self._asked_at >= after_s

    async def _ask(self, after_s: float) -> None:
        async with self._asking:
            if not self._is_due(after_s):
                return
            self._asked_at = self._clock()
            try:
                self._keys = await run_in_threadpool(lambda: parse_key_set(self._load()))
            except (OSError, ValueError, httpx.HTTPError) as error:
                log.warning("the JWK set can't be read (%s); the keys of before stay", _reason(error))
                return
            self._changed()


def _reason(error: Exception) -> str:
    """A few words without an address or a path."""
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__


def loader(source: str) -> Load:
    """What reads a set from where the setting says: an address or a file."""
    if source.startswith(("https://", "http://")):
        return lambda: fetch(source)
    return lambda: _read_file(Path(source))


def is_file(source: str) -> bool:
    return not source.startswith(("https://", "http://"))


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return _bounded([file.read(LARGEST_SET + 1)])


def fetch(url: str) -> bytes:
    """The body behind an address, within 5 seconds and 256 KiB; redirects are not followed. Raises `ValueError` and
    `httpx.HTTPError`."""
    deadline = monotonic() + FETCH_WITHIN_S
    with httpx.Client(timeout=FETCH_WITHIN_S, follow_redirects=False) as client, client.stream("GET", url) as answer:
        if answer.status_code != httpx.codes.OK:
            raise ValueError(f"http {answer.status_code}")
        return _bounded(_until(deadline, answer.iter_bytes()))


def _until(deadline: float, chunks: Iterable[bytes]) -> Iterable[bytes]:
    for chunk in chunks:
        if monotonic() > deadline:
            raise ValueError("it takes too long")
        yield chunk


def _bounded(chunks: Iterable[bytes]) -> bytes:
    body = b""
    for chunk in chunks:
        body += chunk
        if len(body) > LARGEST_SET:
            raise ValueError("it is too large")
    return body


def parse_key_set(raw: bytes) -> dict[str, jwt.PyJWK]:
    """The usable keys by their ids; a key without an id has the id ''. Raises `ValueError` where there is none."""
    document = from_json(raw)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise ValueError(f"a JWK set holds a list of 1 to {MOST_KEYS} keys")
    found = {}
    for entry in listed:
        key = _usable(entry) if isinstance(entry, dict) else None
        if key is not None:
            found[str(entry.get("kid", ""))] = key
    if not found:
        raise ValueError("no key of the set can check RS256 or ES256")
    return found


def _usable(entry: Mapping[str, Any]) -> jwt.PyJWK | None:
    kind = (entry.get("kty"), entry.get("crv"))
    algorithm = {("RSA", None): "RS256", ("EC", "P-256"): "ES256"}.get(kind)  # type: ignore[arg-type]
    is_meant = entry.get("use", "sig") == "sig" and entry.get("alg", algorithm) == algorithm
    # A set that tells its private keys is a mistake of whoever published it: anybody may sign with them.
    if algorithm is None or not is_meant or "d" in entry:
        return None
    try:
        key = jwt.PyJWK(dict(entry), algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return None if algorithm == "RS256" and key.key.key_size < WEAKEST_RSA_BITS else key
