"""Cursors: where a page of a list ended, as a text that no client can make or change.

A cursor holds a number of the sequence and an HMAC over it and what was listed: of another tenant, under other
filters, or by other hands it is refused. The key is one for all gateways and lies in Redis, beside the records that
it is about; whoever reads those needs no cursor.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

from tasks.connection import AsyncRedis
from tasks.errors import InvalidInput
from tasks.keys import Keys
from tasks.redis_faults import redis_faults
from tasks.settings import Settings

KEY_BYTES = 32
NUMBER_BYTES, PROOF_BYTES = 17, 16
"""Together a multiple of three: every character of the text counts, so one cursor has one spelling. The number may be
the id of a stream's entry, which has 128 bits."""
_CURSOR = re.compile(rf"[A-Za-z0-9_-]{{{(NUMBER_BYTES + PROOF_BYTES) * 4 // 3}}}")


class Cursors:
    """Makes and reads cursors. Both methods raise `Unavailable` when Redis is away."""

    def __init__(self, client: AsyncRedis, settings: Settings) -> None:
        self._client = client
        self._name = Keys(settings.namespace).of("cursor_key")
        self._key = b""

    async def make(self, listed: str, number: int) -> str:
        """The cursor at a number, for just this list: `listed` names the tenant and every filter."""
        key = self._key or await self._read_key()
        return base64.urlsafe_b64encode(_number(number) + _proof(key, listed, number)).decode()

    async def read(self, listed: str, cursor: str) -> int:
        """The number at which the list goes on. Raises `InvalidInput` for what `make` has not made for it."""
        if _CURSOR.fullmatch(cursor):
            raw = base64.urlsafe_b64decode(cursor)
            number, proof = int.from_bytes(raw[:NUMBER_BYTES]), raw[NUMBER_BYTES:]
            if _fits(self._key, listed, number, proof):
                return number
            # There is another key after the store was emptied.
            if _fits(await self._read_key(), listed, number, proof):
                return number
        raise InvalidInput.of("cursor", "must be the next_cursor of an earlier page with the same filters")

    async def _read_key(self) -> bytes:
        with redis_faults():
            await self._client.set(self._name, secrets.token_bytes(KEY_BYTES), nx=True)
            self._key = bytes(await self._client.get(self._name))
        return self._key


def _number(number: int) -> bytes:
    return number.to_bytes(NUMBER_BYTES)


def _fits(key: bytes, listed: str, number: int, proof: bytes) -> bool:
    return bool(key) and hmac.compare_digest(_proof(key, listed, number), proof)


def _proof(key: bytes, listed: str, number: int) -> bytes:
    text = _number(number) + listed.encode(errors="surrogatepass")
    return hmac.digest(key, text, hashlib.sha256)[:PROOF_BYTES]
