"""Signatures, as the specification of Standard Webhooks writes them, checked by others than who made them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from time import time
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.webhooks import SECRET_BYTES, Secret, signed_headers
from tests.documentation import DOCUMENTATION
from tests.receiver import Received

Verify = Callable[[str, Mapping[str, str], bytes], bool]


@pytest.fixture(scope="module")
def readme_verifies() -> Verify:
    """The verifier that the DOCUMENTATION gives to clients."""
    (code,) = re.findall(r"```python webhook\n(.*?)```", DOCUMENTATION, re.DOTALL)
    module: dict[str, object] = {}
    exec(code, module)
    return cast(Verify, module["is_genuine"])


@given(st.binary(max_size=200))
def test_what_is_signed_is_verified_and_nothing_else(body: bytes) -> None:
    secret, other = Secret.new(), Secret.new()
    headers = signed_headers([secret], "0198", int(time()), body)

    assert Received("/", headers, body).is_signed_with(secret.text)
    assert not Received("/", headers, body).is_signed_with(other.text)
    assert not Received("/", headers, body + b" ").is_signed_with(secret.text)
    assert not Received("/", headers | {"webhook-id": "0199"}, body).is_signed_with(secret.text)
    later = str(int(headers["webhook-timestamp"]) + 1)
    assert not Received("/", headers | {"webhook-timestamp": later}, body).is_signed_with(secret.text)


def test_the_readmes_verifier_takes_what_is_signed(readme_verifies: Verify) -> None:
    fresh, old, other = Secret.new(), Secret.new(), Secret.new()
    body = '{"olá":1}'.encode()
    headers = signed_headers([fresh, old], "0198", int(time()), body)

    assert readme_verifies(fresh.text, headers, body)
    assert readme_verifies(old.text, headers, body)
    assert not readme_verifies(other.text, headers, body)
    assert not readme_verifies(fresh.text, headers, body[:-1])
    assert not readme_verifies(fresh.text, signed_headers([fresh], "0198", int(time()) - 600, body), body)


def test_a_known_signature_comes_out() -> None:
    """The example of the reference implementations."""
    secret = Secret("x", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 0)

    headers = signed_headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_long_random_and_never_in_a_log() -> None:
    secret = Secret.new()

    assert len(base64.b64decode(secret.text.removeprefix("whsec_"), validate=True)) == SECRET_BYTES >= 24
    assert secret.text != Secret.new().text
    assert secret.text not in repr(secret)


def test_an_id_with_a_dot_is_not_signed() -> None:
    with pytest.raises(ValueError, match="dot"):
        signed_headers([Secret.new()], "a.1", 1, b"")
