from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.triage.folding import fold, words


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Não vou", "nao vou"),
        ("vc tb n foi pq tá hj aki", "voce tambem nao foi porque esta hoje aqui"),
        ("naaaaaao", "nao"),
        ("carro, moto", "carro , moto"),
        ("", ""),
    ],
)
def test_chat_writing_and_school_writing_come_to_one_form(written: str, folded: str) -> None:
    assert fold(written) == folded


def test_a_number_says_only_how_long_it_is_and_a_link_only_that_it_is_one() -> None:
    assert words("paguei 1.500 em https://loja.example/x?y=1") == ["paguei", "num5", "em", "link"]


@given(st.text(max_size=300))
def test_folding_what_is_folded_changes_no_word(text: str) -> None:
    assert words(fold(text)) == words(fold(fold(text)))
