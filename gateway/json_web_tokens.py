"""Checks JWTs (RFC 7519): the signature, the issuer, the audience and the time, and reads tenant and scopes.

The algorithm is never the token's choice (RFC 8725): it is HS256 where a secret is set, and the one of the key where
a JWK set is. What holds is remembered for a few seconds, so that a request doesn't pay for its signature each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt

from gateway.key_ring import KeyRing, is_file, loader
from tasks.api_keys import JWT_PREFIX, SCOPES, TENANT, Identity, digest
from tasks.clock import now_ms
from tasks.known_keys import KnownKeys
from tasks.settings import Settings

LARGEST_TOKEN = 8 << 10
LONGEST_SUBJECT = 200
LEEWAY_S = 10
"""How far the clocks of the issuer and the gateway may be apart."""
REQUIRED = ["exp", "iss", "aud", "sub"]
_UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError)

Key = tuple[Any, str]
"""What checks a signature, and the one algorithm for it."""


class TokenVerifier:
    """The identity behind a JWT."""

    def __init__(self, settings: Settings) -> None:
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret else None
        self._known: KnownKeys[Identity] = KnownKeys()
        self._known.hear()
        self._ring = None if settings.jwt_jwks is None else KeyRing(loader(settings.jwt_jwks), self._forget_all)
        if self._ring is not None and settings.jwt_jwks is not None and is_file(settings.jwt_jwks):
            self._ring.read_now()

    @classmethod
    def of(cls, settings: Settings) -> TokenVerifier | None:
        """A verifier, where the settings want JWTs. Raises `SettingsError` for a file of keys that can't be read."""
        wanted = settings.jwt_secret is not None or settings.jwt_jwks is not None
        return cls(settings) if wanted else None

    def remembered(self, token: str) -> Identity | None:
        """The identity behind a token that was checked a moment ago; `None` where it has to be checked."""
        now = now_ms()
        identity = self._known.get(digest(token), now)
        return identity if identity is not None and _holds(identity, now) else None

    async def verify(self, token: str) -> Identity | None:
        """`None` for a token that doesn't hold. Raises `Unavailable` where the issuer's keys can't be had."""
        if len(token) > LARGEST_TOKEN:
            return None
        identity = self.remembered(token)
        if identity is not None:
            return identity
        moment = self._known.moment
        identity = await self._check(token)
        if identity is not None:
            self._known.remember(digest(token), identity.key_id, identity, now_ms(), moment)
        return identity

    async def _check(self, token: str) -> Identity | None:
        try:
            key = await self._key_for(jwt.get_unverified_header(token))
            if key is None:
                return None
            return _identity(self._claims(token, *key))
        except _UNREADABLE:
            return None

    async def _key_for(self, header: Mapping[str, Any]) -> Key | None:
        if "crit" in header:
            return None
        if self._ring is None:
            return self._secret, "HS256"
        key_id = header.get("kid")
        found = await self._ring.find(key_id)
        return None if found is None else (found, found.algorithm_name)

    def _claims(self, token: str, key: Any, algorithm: str) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY_S,
            options={"require": REQUIRED},
        )

    def _forget_all(self) -> None:
        self._known.go_deaf()
        self._known.hear()


def _holds(identity: Identity, now: int) -> bool:
    return identity.expires_ms is None or identity.expires_ms > now


def _identity(claims: Mapping[str, Any]) -> Identity | None:
    subject, tenant = claims["sub"], claims.get("tenant")
    if not (1 <= len(subject) <= LONGEST_SUBJECT) or not subject.isprintable():
        return None
    if not isinstance(tenant, str) or not TENANT.fullmatch(tenant):
        return None
    expires_ms = (int(claims["exp"]) + LEEWAY_S) * 1_000
    return Identity(JWT_PREFIX + subject, tenant, _scopes(claims), expires_ms)


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes that we know, of `scope` (RFC 8693: one string) and `scopes` (mostly a list); others are for other
    services."""
    named: set[str] = set()
    for claim in ("scope", "scopes"):
        value = claims.get(claim, ())
        words = value.split() if isinstance(value, str) else value if isinstance(value, list) else ()
        named |= {word for word in words if isinstance(word, str)}
    return frozenset(named & set(SCOPES))
