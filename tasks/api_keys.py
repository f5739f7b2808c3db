"""API keys, sessions and stream tickets: who may do what. Of each only a hash is kept.

A key reads `dsp_<id>_<secret>`; the id finds the record, the secret is compared with its hash in constant time. A
secret has 256 random bits, so a plain SHA-256 can't be searched back and costs a request nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Any, cast

import redis

from tasks.clock import now_ms, to_ms
from tasks.connection import AsyncRedis
from tasks.errors import InvalidInput
from tasks.keys import Keys
from tasks.known_keys import KnownKeys
from tasks.redis_faults import redis_faults
from tasks.settings import Settings

PAYLOAD = "tasks:payload"
SCOPES = ("tasks:read", "tasks:write", PAYLOAD, "ops:read", "ops:write")
TENANT = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")
MOST_KEYS = 10_000
SESSION_TTL_S = 12 * 3_600
TICKET_FIRST_USE_S = 60
TICKET_REUSE_S = 3_600
_TOKEN = re.compile(r"^dsp_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$")


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; never its secret."""

    key_id: str
    name: str
    tenant: str
    scopes: tuple[str, ...]
    created_at: dt.datetime
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None
    revoked: bool

    @property
    def usable(self) -> bool:
        expired = self.expires_at is not None and self.expires_at <= dt.datetime.now(dt.UTC)
        return not self.revoked and not expired


@dataclass(frozen=True, slots=True)
class Identity:
    """On whose behalf a request comes, and what it may do."""

    key_id: str
    tenant: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        return scope in self.scopes

    @property
    def sees_payload(self) -> bool:
        """Whether it may see what clients told and what was made of it."""
        return PAYLOAD in self.scopes


def _parse(key_id: str, raw: dict[bytes, bytes]) -> ApiKey | None:
    if not raw:
        return None
    return ApiKey(
        key_id=key_id,
        name=raw[b"name"].decode(),
        tenant=raw[b"tenant"].decode(),
        scopes=_scopes(raw),
        created_at=cast(dt.datetime, _moment(raw[b"created"])),
        expires_at=_moment(raw.get(b"expires")),
        last_used_at=_moment(raw.get(b"last_used")),
        revoked=raw.get(b"revoked") == b"1",
    )


def _scopes(raw: dict[bytes, bytes]) -> tuple[str, ...]:
    """A key that was made before payloads had a scope of their own keeps what it could see."""
    scopes = tuple(raw[b"scopes"].decode().split())
    is_older = b"knows_payload" not in raw
    reaches_tasks = any(scope.startswith("tasks:") for scope in scopes)
    return (*scopes, PAYLOAD) if is_older and reaches_tasks else scopes


def _moment(raw: bytes | None) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(int(raw) / 1_000, dt.UTC) if raw else None


class ApiKeys:
    """Makes, lists and revokes keys: what the `despacho keys` command does."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)

    def create(
        self,
        name: str,
        tenant: str,
        scopes: tuple[str, ...],
        expires_at: dt.datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """The new key and its secret token, which is told this once. Raises `InvalidInput`."""
        self._check(tenant, scopes)
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        fields = {
            "name": name,
            "tenant": tenant,
            "scopes": " ".join(scopes),
            "knows_payload": "1",
            "hash": digest(secret),
            "created": str(now_ms()),
        }
        if expires_at is not None:
            fields["expires"] = str(to_ms(expires_at))
        with redis_faults():
            self._client.hset(self._keys.of("api_key", id=key_id), mapping=cast(Any, fields))
            self._client.sadd(self._keys.of("api_keys"), key_id)
        return cast(ApiKey, self._read(key_id)), f"dsp_{key_id}_{secret}"

    def _check(self, tenant: str, scopes: tuple[str, ...]) -> None:
        if not TENANT.match(tenant):
            raise InvalidInput.of("tenant", "must be 1 to 64 of a-z, 0-9, _ and -, and begin with a letter or digit")
        if unknown := sorted(set(scopes) - set(SCOPES)) or (not scopes and ["(none)"]):
            raise InvalidInput.of("scopes", f"{unknown[0]} is not one of {', '.join(SCOPES)}")
        with redis_faults():
            known = self._client.scard(self._keys.of("api_keys"))
        if known >= MOST_KEYS:
            raise InvalidInput.of("name", f"there are {MOST_KEYS} keys already; revoke some")

    def list(self) -> list[ApiKey]:
        """All keys, oldest first."""
        with redis_faults():
            members = cast(set[bytes], self._client.smembers(self._keys.of("api_keys")))
        found = [self._read(member.decode()) for member in members]
        return sorted((key for key in found if key), key=lambda key: key.created_at)

    def revoke(self, key_id: str) -> bool:
        """Stop a key from being taken, at once. False where there is none of that id."""
        name = self._keys.of("api_key", id=key_id)
        with redis_faults():
            if not self._client.exists(name):
                return False
            self._client.hset(name, "revoked", "1")
            self._client.publish(self._keys.of("key_changes"), key_id)
        return True

    def _read(self, key_id: str) -> ApiKey | None:
        with redis_faults():
            raw = cast(dict[bytes, bytes], self._client.hgetall(self._keys.of("api_key", id=key_id)))
        return _parse(key_id, raw)


class Identities:
    """Checks tokens for the gateway, and makes sessions and stream tickets out of good ones."""

    def __init__(self, client: AsyncRedis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self.known: KnownKeys[tuple[ApiKey, Identity]] = KnownKeys()

    async def of_token(self, token: str) -> Identity | None:
        """The identity behind an API key; `None` for one that is unknown, wrong, expired or revoked."""
        match = _TOKEN.match(token)
        if match is None:
            return None
        key_id, secret = match.groups()
        hashed, now = digest(secret), now_ms()
        known = self.known.get(hashed, now)
        if known is not None:
            key, identity = known
            return identity if key.key_id == key_id and key.usable else None
        return await self._read_identity(key_id, hashed, now)

    async def _read_identity(self, key_id: str, hashed: str, now: int) -> Identity | None:
        moment = self.known.moment
        raw = await self._read(key_id)
        if not raw or not hmac.compare_digest(raw[b"hash"].decode(), hashed):
            return None
        identity = await self._identity(key_id, raw, used=True)
        key = _parse(key_id, raw)
        if identity is not None and key is not None:
            self.known.remember(hashed, key_id, (key, identity), now, moment)
        return identity

    async def _read(self, key_id: str) -> dict[bytes, bytes]:
        with redis_faults():
            raw: dict[bytes, bytes] = await self._client.hgetall(self._keys.of("api_key", id=key_id))
        return raw

    async def _identity(self, key_id: str, raw: dict[bytes, bytes], *, used: bool = False) -> Identity | None:
        key = _parse(key_id, raw)
        if key is None or not key.usable:
            return None
        if used and now_ms() - int(raw.get(b"last_used", b"0")) > 60_000:
            with redis_faults():
                await self._client.hset(self._keys.of("api_key", id=key_id), "last_used", str(now_ms()))
        return Identity(key_id, key.tenant, frozenset(key.scopes))

    async def _of_key(self, key_id: str) -> Identity | None:
        return await self._identity(key_id, await self._read(key_id))

    # ---------------------------------------------------------------------------------------- sessions

    async def open_session(self, identity: Identity) -> str:
        """A secret for a cookie, good for 12 hours or until the key is revoked."""
        secret = secrets.token_urlsafe(32)
        with redis_faults():
            await self._client.set(self._session(secret), identity.key_id, ex=SESSION_TTL_S)
        return secret

    async def of_session(self, secret: str) -> Identity | None:
        with redis_faults():
            key_id = await self._client.get(self._session(secret))
        return await self._of_key(key_id.decode()) if key_id else None

    async def close_session(self, secret: str) -> None:
        with redis_faults():
            await self._client.delete(self._session(secret))

    def _session(self, secret: str) -> str:
        return self._keys.of("session", digest=digest(secret))

    # ----------------------------------------------------------------------------------------- tickets

    async def open_ticket(self, identity: Identity, path: str) -> tuple[str, int]:
        """A ticket for one stream and the ms at which it ends if nobody connects with it."""
        secret = secrets.token_urlsafe(32)
        name = self._keys.of("ticket", digest=digest(secret))
        pipe = self._client.pipeline(transaction=True)
        pipe.hset(name, mapping={"key": identity.key_id, "path": path})
        pipe.expire(name, TICKET_FIRST_USE_S)
        with redis_faults():
            await pipe.execute()
        return secret, now_ms() + TICKET_FIRST_USE_S * 1_000

    async def of_ticket(self, secret: str, path: str) -> Identity | None:
        """The identity behind a ticket for this very path. From its first use on it serves the same stream's
        reconnects for an hour, because an EventSource repeats its URL."""
        name = self._keys.of("ticket", digest=digest(secret))
        with redis_faults():
            raw = await self._client.hgetall(name)
        if not raw or not hmac.compare_digest(raw[b"path"], path.encode()):
            return None
        if b"used" not in raw:
            pipe = self._client.pipeline(transaction=True)
            pipe.hset(name, "used", "1")
            pipe.expire(name, TICKET_REUSE_S)
            with redis_faults():
                await pipe.execute()
        return await self._of_key(raw[b"key"].decode())
