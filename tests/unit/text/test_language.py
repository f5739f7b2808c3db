"""Which language a message is written in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.text.language import detect_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("oi", "pt"),
        ("bom dia", "pt"),
        ("blz", "pt"),
        ("kkkkk manda foto", "pt"),
        ("to sem receber faz 2 meses", "pt"),
        ("meu ex nao paga pensao", "pt"),
        ("Intime-se a parte autora para emendar a inicial no prazo de 15 dias.", "pt"),
        ("hello i need a lawyer", "en"),
        ("hi", "en"),
        ("my landlord wants to evict me", "en"),
        ("hola necesito un abogado", "es"),
        ("me despidieron del trabajo", "es"),
        ("no me pagaron", "es"),
        ("buenas tardes", "es"),
        ("Je voudrais un avocat", "und"),
        ("Ich brauche einen Anwalt", "und"),
        ("asdfgh qwerty zxcv", "und"),
        ("12345", "und"),
        ("😀😀", "und"),
        ("", "und"),
    ],
)
def test_the_language_of_a_message(text: str, language: str) -> None:
    assert detect_language(text) == language


@given(st.text(max_size=300))
def test_any_text_has_one_of_four_answers(text: str) -> None:
    assert detect_language(text) in {"pt", "en", "es", "und"}
