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
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, cast

import redis

from tasks.audit import CLI
from tasks.audit_chain import note
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
KEY_PREFIX = "dsp_"
JWT_PREFIX = "jwt:"
_TOKEN = re.compile(r"^dsp_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$")


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def key_id_of(token: str) -> str | None:
    """The id of the key that a token says it is; `None` for what is no API key."""
    match = _TOKEN.fullmatch(token)
    return match[1] if match else None


def check_tenant(tenant: str) -> None:
    """Raises `InvalidInput` for what is no name of a tenant."""
    if not TENANT.fullmatch(tenant):
        raise InvalidInput.of("tenant", "must be 1 to 64 of a-z, 0-9, _ and -, and begin with a letter or digit")


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
    """On whose behalf a request comes, and what it may do.

    `key_id` is the id of an API key, or `jwt:` and the subject of a JWT. After `expires_ms` it holds no more.
    """

    key_id: str
    tenant: str
    scopes: frozenset[str]
    expires_ms: int | None = None

    def may(self, scope: str) -> bool:
        return scope in self.scopes

    @property
    def is_of_jwt(self) -> bool:
        return self.key_id.startswith(JWT_PREFIX)

    @property
    def sees_payload(self) -> bool:
        """Whether it may see what clients told and what was made of it."""
        return PAYLOAD in self.scopes


def _parse(key_id: str, raw: dict[bytes, bytes]) -> ApiKey | None:
    if b"tenant" not in raw:
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
        self._settings = settings
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
            note(self._client, self._settings, tenant, CLI, "key.create", "created", [key_id])
        return cast(ApiKey, self._read(key_id)), f"dsp_{key_id}_{secret}"

    def _check(self, tenant: str, scopes: tuple[str, ...]) -> None:
        check_tenant(tenant)
        if unknown := sorted(set(scopes) - set(SCOPES)) or (not scopes and ["(none)"]):
            raise InvalidInput.of("scopes", f"{unknown[0]} is not one of {', '.join(SCOPES)}")
        if self._count() >= MOST_KEYS:
            self._drop_unusable()
        if self._count() >= MOST_KEYS:
            raise InvalidInput.of("name", f"there are {MOST_KEYS} keys already; revoke some")

    def _count(self) -> int:
        with redis_faults():
            return self._client.scard(self._keys.of("api_keys"))

    def _drop_unusable(self) -> None:
        """Make room: nobody misses what was revoked or has expired, and the audit trail remembers it."""
        for key in self.list():
            if not key.usable:
                with redis_faults():
                    self._client.delete(self._keys.of("api_key", id=key.key_id))
                    self._client.srem(self._keys.of("api_keys"), key.key_id)

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
            tenant = cast(bytes | None, self._client.hget(name, "tenant"))
            if tenant is None:
                return False
            self._client.hset(name, "revoked", "1")
            self._client.publish(self._keys.of("key_changes"), key_id)
            note(self._client, self._settings, tenant.decode(), CLI, "key.revoke", "revoked", [key_id])
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
        self.known: KnownKeys[Identity] = KnownKeys()

    def remembered(self, token: str) -> Identity | None:
        """The identity behind an API key that was checked a moment ago; `None` where the store has to be asked."""
        now = now_ms()
        identity = self.known.get(digest(token), now)
        if identity is None or (identity.expires_ms is not None and identity.expires_ms <= now):
            return None
        return identity

    async def of_token(self, token: str) -> Identity | None:
        """The identity behind an API key; `None` for one that is unknown, wrong, expired or revoked."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        return self.remembered(token) or await self._read_identity(token, *match.groups())

    async def _read_identity(self, token: str, key_id: str, secret: str) -> Identity | None:
        moment, now = self.known.moment, now_ms()
        raw = await self._read(key_id)
        if not raw or not hmac.compare_digest(raw[b"hash"].decode(), digest(secret)):
            return None
        identity = await self._identity(key_id, raw, used=True)
        if identity is not None:
            self.known.remember(digest(token), key_id, identity, now, moment)
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
        expires_ms = None if key.expires_at is None else to_ms(key.expires_at)
        return Identity(key_id, key.tenant, frozenset(key.scopes), expires_ms)

    async def _of_key(self, key_id: str) -> Identity | None:
        return await self._identity(key_id, await self._read(key_id))

    async def tenant_of(self, key_id: str) -> str | None:
        """Whose key this is, good or not; `None` where there is none."""
        with redis_faults():
            tenant = await self._client.hget(self._keys.of("api_key", id=key_id), "tenant")
        return tenant.decode() if tenant is not None else None

    async def unusable(self, key_ids: Collection[str]) -> set[str]:
        """Those of these API keys that were revoked, have expired or are gone."""
        ids = [key_id for key_id in key_ids if not key_id.startswith(JWT_PREFIX)]
        if not ids:
            return set()
        pipe = self._client.pipeline(transaction=False)
        for key_id in ids:
            pipe.hgetall(self._keys.of("api_key", id=key_id))
        with redis_faults():
            rows = await pipe.execute()
        keys = (_parse(key_id, raw) for key_id, raw in zip(ids, rows, strict=True))
        good = {key.key_id for key in keys if key is not None and key.usable}
        return set(ids) - good

    # ---------------------------------------------------------------------------------------- sessions

    async def open_session(self, identity: Identity) -> str:
        """A secret for a cookie, good for 12 hours or until the key is revoked."""
        secret = secrets.token_urlsafe(32)
        with redis_faults():
            await self._client.set(self._session(secret), identity.key_id, ex=SESSION_TTL_S)
        return secret

    async def of_session(self, secret: str) -> Identity | None:
        pipe = self._client.pipeline(transaction=True)
        pipe.get(self._session(secret))
        pipe.pttl(self._session(secret))
        with redis_faults():
            key_id, left_ms = await pipe.execute()
        identity = await self._of_key(key_id.decode()) if key_id else None
        return identity and _ending(identity, now_ms() + left_ms)

    async def close_session(self, secret: str) -> None:
        with redis_faults():
            await self._client.delete(self._session(secret))

    def _session(self, secret: str) -> str:
        return self._keys.of("session", digest=digest(secret))

    # ----------------------------------------------------------------------------------------- tickets

    async def open_ticket(self, identity: Identity, path: str) -> tuple[str, int]:
        """A ticket for one stream and the ms at which it ends if nobody connects with it."""
        secret, ends_ms = secrets.token_urlsafe(32), _end(identity, TICKET_FIRST_USE_S)
        name = self._keys.of("ticket", digest=digest(secret))
        fields = {"key": identity.key_id, "path": path}
        if identity.is_of_jwt:
            # Nothing is stored of a JWT that could be asked later.
            fields |= {"tenant": identity.tenant, "scopes": " ".join(sorted(identity.scopes))}
            fields |= {"expires": str(identity.expires_ms)}
        pipe = self._client.pipeline(transaction=True)
        pipe.hset(name, mapping=fields)
        pipe.pexpireat(name, ends_ms)
        with redis_faults():
            await pipe.execute()
        return secret, ends_ms

    async def of_ticket(self, secret: str, path: str) -> Identity | None:
        """The identity behind a ticket for this very path. From its first use on it serves the same stream's
        reconnects for an hour, because an EventSource repeats its URL; never for longer than its token holds."""
        name = self._keys.of("ticket", digest=digest(secret))
        with redis_faults():
            raw = await self._client.hgetall(name)
        if not raw or not hmac.compare_digest(raw[b"path"], path.encode()):
            return None
        key_id = raw[b"key"].decode()
        identity = _of_jwt(key_id, raw) if b"tenant" in raw else await self._of_key(key_id)
        if identity is not None and b"used" not in raw:
            pipe = self._client.pipeline(transaction=True)
            pipe.hset(name, "used", "1")
            pipe.pexpireat(name, _end(identity, TICKET_REUSE_S))
            with redis_faults():
                await pipe.execute()
        return identity


def _end(identity: Identity, ttl_s: int) -> int:
    """The ms at which something of this identity ends: after `ttl_s`, or with its token where that is earlier."""
    end_ms = now_ms() + ttl_s * 1_000
    return end_ms if identity.expires_ms is None else min(end_ms, identity.expires_ms)


def _ending(identity: Identity, end_ms: int) -> Identity:
    until_ms = end_ms if identity.expires_ms is None else min(end_ms, identity.expires_ms)
    return replace(identity, expires_ms=until_ms)


def _of_jwt(key_id: str, raw: dict[bytes, bytes]) -> Identity | None:
    expires_ms = int(raw[b"expires"])
    if expires_ms <= now_ms():
        return None
    return Identity(key_id, raw[b"tenant"].decode(), frozenset(raw[b"scopes"].decode().split()), expires_ms)
