"""How bodies are read: what is JSON passes, a key that is given twice is named."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.requests import check_json
from tasks.errors import InvalidInput

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_what_is_json_passes(value: Any, ascii_only: bool) -> None:
    check_json(json.dumps(value, ensure_ascii=ascii_only).encode())


@given(VALUES, TEXTS, VALUES, st.booleans())
def test_a_key_that_is_given_twice_is_named(value: Any, key: str, other: Any, ascii_only: bool) -> None:
    name, first, second = (json.dumps(part, ensure_ascii=ascii_only) for part in (key, value, other))
    body = f"[0, {{{name}: {first}, {json.dumps(key)}: {second}}}]".encode()

    with pytest.raises(InvalidInput) as refusal:
        check_json(body)

    (fault,) = refusal.value.errors
    assert "given twice" in fault.message
    assert len(fault.field) <= 100


@given(st.binary(max_size=60))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    with suppress(InvalidInput):
        check_json(body)
