"""Whatever is sent as a token: it is refused, and nothing breaks."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from gateway.json_web_tokens import TokenVerifier
from tasks.api_keys import Identity
from tasks.settings import Settings
from tests.issuer import AUDIENCE, ISSUER, SECRET, signed

SETTINGS = Settings(jwt_secret=SECRET, jwt_issuer=ISSUER, jwt_audience=AUDIENCE)  # type: ignore[arg-type]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
claimed = st.dictionaries(
    st.sampled_from(["exp", "nbf", "iat", "iss", "aud", "sub", "tenant", "scope", "scopes", "jti"]), anything
)
heads = st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64"]), anything)


def verified(token: str) -> Identity | None:
    return asyncio.run(TokenVerifier(SETTINGS).verify(token))


def part(value: object) -> str:
    return urlsafe_b64encode(to_json(value)).decode().rstrip("=")


@given(st.text(max_size=200) | st.text("eyJ0.-_=", max_size=200))
def test_any_text_is_refused(token: str) -> None:
    assert verified(token) is None


@given(heads, claimed, st.binary(max_size=40))
def test_any_head_and_claims_are_refused_without_a_signature(head: object, claims: object, signature: bytes) -> None:
    token = f"{part(head)}.{part(claims)}.{urlsafe_b64encode(signature).decode().rstrip('=')}"

    assert verified(token) is None


@given(claimed)
def test_any_claims_of_the_issuer_are_read_or_refused(claims: dict[str, object]) -> None:
    try:
        token = signed(**claims)
    except (TypeError, ValueError):
        return
    identity = verified(token)

    assert identity is None or (identity.is_of_jwt and identity.tenant and identity.expires_ms)
