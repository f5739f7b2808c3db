"""Amounts of reais, as figures and as words."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.text.money import find_money


def values(text: str) -> list[str]:
    return [e.value for e in find_money(text)]


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("R$ 3.490,00", "3490.00"),
        ("R$3490", "3490.00"),
        ("r$ 3490.50", "3490.50"),
        ("R$ 1.500", "1500.00"),
        ("R$ 3,5 mil", "3500.00"),
        ("R$ 50 mil", "50000.00"),
        ("R$ 2 milhões", "2000000.00"),
        ("2 milhões de reais", "2000000.00"),
        ("1,2 milhão de reais", "1200000.00"),
        ("1500 reais", "1500.00"),
        ("1.500,75 reais", "1500.75"),
        ("5 mil reais", "5000.00"),
        ("três mil reais", "3000.00"),
        ("tres mil e quinhentos reais", "3500.00"),
        ("mil reais", "1000.00"),
        ("R$ dois mil", "2000.00"),
        ("dez reais e cinquenta centavos", "10.50"),
        ("R$ 1.234.567,89", "1234567.89"),
    ],
)
def test_an_amount_has_a_decimal_value(said: str, value: str) -> None:
    (entity,) = find_money(f"o valor é de {said}, pago")
    assert entity.value == value
    assert entity.text == said


@pytest.mark.parametrize(
    "text",
    ["130 mil", "1.200,00", "12.000,00 (doze mil sacas)", "art. 5 mil vezes", "foi real", "um caso real", "10%"],
)
def test_what_names_no_reais_is_no_amount(text: str) -> None:
    assert values(text) == []


def test_words_in_brackets_repeat_the_figure() -> None:
    assert values("multa de R$ 1.000,00 (mil reais) e custas de R$ 50,00") == ["1000.00", "50.00"]


@given(st.decimals(0, 999_999_999, places=2, allow_nan=False))
def test_an_amount_comes_back_from_its_brazilian_form(amount: Decimal) -> None:
    figure = f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
    assert values(f"pagou R$ {figure} ontem") == [str(amount)]


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text: str) -> None:
    for entity in find_money(text):
        assert text[entity.start : entity.end] == entity.text
        assert Decimal(entity.value.rpartition(" ")[2]) >= 0
