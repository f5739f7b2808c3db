"""Amounts of reais in a text: figures, figures with 'mil' and 'milhões', and number words.

Only amounts that name the currency count: 'R$' before or 'reais' after. Other currencies are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from actors.engines.text.folding import fold, plain
from actors.engines.text.number_words import SCALES, WORD, read_figure, read_words
from tasks.payloads import Entity

_FIGURE = r"\d{1,3}(?:\. ?\d{3})+(?:, ?\d{1,2}(?!\d))?|\d{1,15}(?:[.,]\d{1,2}(?!\d))?"
_SCALE = r"mil|milhao|milhoes|bilhao|bilhoes|mi|bi|k"
_WORDS = rf"(?:(?:{WORD})\b(?:,? (?:e )?(?:{WORD})\b){{0,20}})"
_REAIS = r"reais|real|conto|contos|pila|pilas"

_SIGNED = re.compile(rf"(?<![a-z])r\$ ?({_FIGURE})(?:(?: |(?=k))({_SCALE})\b)?(?:,\d{{2}}\b)?(?: de reais\b)?")
_NAMED = re.compile(rf"(?<![\d.,$/])({_FIGURE})(?: ?({_SCALE}))?(?: de)? (?:{_REAIS})\b")
_SPELLED = re.compile(rf"\b(?:r\$ ?)?({_WORDS})(?: de)? (?:reais|real)\b(?: e ({_WORDS}) centavos?\b)?")
_SPELLED_SIGNED = re.compile(rf"(?<![a-z])r\$ ?({_WORDS})")

_FACTORS = {**SCALES, "mi": 10**6, "bi": 10**9, "k": 10**3}
_CENT = Decimal("0.01")


def find_money(text: str) -> Iterator[Entity]:
    """Amounts in reais, each with a decimal `value` such as '3490.00'. Words that only repeat in brackets the
    figure before them ('R$ 100,00 (cem reais)') are part of that amount's wording and not told again."""
    folded = fold(text)
    taken: list[tuple[int, int]] = []
    for start, end, value in _amounts(folded.text):
        if _overlaps(taken, start, end) or _repeats(folded.text, taken, start):
            continue
        taken.append((start, end))
        s, e = folded.start(start), folded.end(end)
        yield Entity(type="MONEY", text=text[s:e], value=str(value), start=s, end=e)


def read_amount(figure: str, scale: str | None) -> Decimal | None:
    """Value in reais of a figure and its scale word, rounded to cents."""
    value = read_figure(figure)
    if value is None:
        return None
    return (value * _FACTORS.get(plain(scale or ""), 1)).quantize(_CENT, ROUND_HALF_UP)


def _amounts(folded: str) -> list[tuple[int, int, Decimal]]:
    return sorted([*_written_in_figures(folded), *_written_in_words(folded)], key=lambda a: (a[0], -a[1]))


def _written_in_figures(folded: str) -> Iterator[tuple[int, int, Decimal]]:
    for pattern in (_SIGNED, _NAMED):
        for match in pattern.finditer(folded):
            value = read_amount(match[1], match[2])
            if value is not None:
                yield match.start(), match.end(), value


def _written_in_words(folded: str) -> Iterator[tuple[int, int, Decimal]]:
    for match in _SPELLED.finditer(folded):
        whole = read_words(match[1])
        if whole:
            cents = read_words(match[2]) if match[2] else 0
            yield match.start(), match.end(), (Decimal(whole) + Decimal(cents or 0) / 100).quantize(_CENT)
    for match in _SPELLED_SIGNED.finditer(folded):
        whole = read_words(match[1])
        if whole:
            yield match.start(), match.end(), Decimal(whole).quantize(_CENT)


def _overlaps(taken: list[tuple[int, int]], start: int, end: int) -> bool:
    return bool(taken) and start < taken[-1][1] and taken[-1][0] < end


def _repeats(folded: str, taken: list[tuple[int, int]], start: int) -> bool:
    return bool(taken) and folded[taken[-1][1] : start].strip() == "("
