"""Texts made even before anything is found in them, and long ones cut into passages without a loss."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.documents.analysis import passages
from actors.engines.documents.tidying import tidy, unwrap, visible_characters


@pytest.mark.parametrize(
    ("raw", "tidied"),
    [
        ("R$\u00a010,00\u202fe\u2003mais", "R$ 10,00 e mais"),
        ("ac\u0327a\u0303o", "ação"),
        ("\ufeffofi\u00adcial \ufb01rma\u200b", "oficial firma"),
        ("a\r\nb\rc\x0cd", "a\nb\nc\nd"),
        ("a\n\n\n\n\nb  c ", "a\n\nb c"),
        ("\x00a\ud800", "a?"),
        ("nº 5ª", "nº 5ª"),
        ("A1 \t  B1", "A1\tB1"),
    ],
)
def test_blanks_accents_and_marks_are_made_even(raw: str, tidied: str) -> None:
    assert tidy(raw) == tidied


@given(st.text(max_size=200))
def test_tidying_twice_changes_nothing_more(text: str) -> None:
    once = tidy(text)

    assert tidy(once) == once
    assert once == unicodedata.normalize("NFC", once)


def test_only_lines_that_the_page_broke_are_joined() -> None:
    page = (
        "CLÁUSULA PRIMEIRA\nO locador cede ao locatário o uso do imóvel situado na\nrua das Acácias, 45.\n"
        "- item um\n- item dois"
    )

    assert unwrap(page).split("\n") == [
        "CLÁUSULA PRIMEIRA",
        "O locador cede ao locatário o uso do imóvel situado na rua das Acácias, 45.",
        "- item um",
        "- item dois",
    ]


@given(st.text(alphabet="ab.\n ", max_size=300))
def test_joining_lines_loses_no_word(text: str) -> None:
    assert unwrap(text).split() == text.split()


def test_glyphs_without_meaning_are_not_visible() -> None:
    assert visible_characters("ab c\n\ue000\ufffd\x02") == 3


@given(st.text(alphabet="abc \n", max_size=500), st.integers(2, 40))
def test_passages_follow_one_another_to_the_end(text: str, longest: int) -> None:
    found = list(passages(text, longest))

    assert "".join(text[start:end] for start, end in found) == text
    assert all(0 < end - start <= longest for start, end in found)
