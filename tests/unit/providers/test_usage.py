"""A provider's count of tokens is taken where it makes sense, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.http.usage import MOST_TOKENS, Usage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens"]), inner),
)


@given(JSON)
def test_any_usage_is_bounded(told: object) -> None:
    usage = Usage.of({"usage": told})
    assert 0 <= usage.prompt_tokens <= MOST_TOKENS
    assert 0 <= usage.completion_tokens <= MOST_TOKENS


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}, Usage(11, 7)),
        ({"prompt_tokens": 11, "total_tokens": 11}, Usage(11, 0)),
        ({"prompt_tokens": True, "completion_tokens": -1}, Usage()),
        (None, Usage()),
    ],
)
def test_usage_is_read(told: object, meant: Usage) -> None:
    assert Usage.of({"usage": told}) == meant
