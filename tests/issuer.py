"""An issuer of JWTs for tests: its keys, its JWK set, and tokens as its clients would bring them."""

from __future__ import annotations

import json
from time import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://login.example"
AUDIENCE = "despacho"
SECRET = "a secret of a test, long enough for it"

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def claims(**others: Any) -> dict[str, Any]:
    """Good ones for a minute; one that is given as `None` is left out."""
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ana",
        "tenant": "acme",
        "scope": "tasks:read tasks:write profile",
        "exp": int(time()) + 60,
    }
    return {name: value for name, value in (good | others).items() if value is not None}


def signed(key: Any = SECRET, algorithm: str = "HS256", kid: str | None = None, **others: Any) -> str:
    headers = {"kid": kid} if kid is not None else None
    return jwt.encode(claims(**others), key, algorithm, headers=headers)


def jwk(private: Private, kid: str, **others: Any) -> dict[str, Any]:
    algorithm = jwt.get_algorithm_by_name("RS256" if isinstance(private, rsa.RSAPrivateKey) else "ES256")
    public: dict[str, Any] = json.loads(algorithm.to_jwk(private.public_key()))
    return {**public, "kid": kid, **others}


def key_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def pem(private: Private) -> bytes:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
