"""Amounts of money in a text: figures, figures with 'mil' and 'milhões', and number words.

Only amounts that name their currency count: 'R$' before or 'reais' after, dollars, euros and pounds alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from actors.engines.text.folding import fold, plain
from actors.engines.text.number_words import SCALES, WORD, read_figure, read_words
from tasks.payloads import Entity

_GROUPS = r"\d{1,3}(?:\.(?:\d{3}|\s\d{3}(?!\d))){1,5}"
_CENTS = (
    r"(?:,\d{1,2}(?!\d)|,\s\d{2}(?!\d)(?! ?(?:dias?|horas?|mes|meses|anos?|parcelas?|vezes|x\b|%))|\s,\d{2}(?!\d))"
)
"""A line that ends, or OCR, may put a blank beside the comma."""
_FIGURE = rf"{_GROUPS}{_CENTS}?|\d{{1,3}}(?: \d{{3}}){{1,4}},\d{{2}}(?!\d)|\d{{1,15}}(?:[.,]\d{{1,2}}(?!\d))?"
_SCALE = r"mil|milhao|milhoes|bilhao|bilhoes|mi|bi|k"
_WORDS = rf"(?:(?:{WORD})\b(?:,? (?:e )?(?:{WORD})\b){{0,20}})"
_REAIS = r"reais|real|conto|contos|pila|pilas"

_SIGNED = re.compile(
    rf"(?<![a-z])(?:r ?\$|brl\b) ?:?\s?({_FIGURE})(?:(?: |(?=k))({_SCALE})\b)?(?:,\d{{2}}\b)?(?: de reais\b)?"
)
_NAMED = re.compile(
    rf"(?<![\d.,$/])({_FIGURE})(?: ?({_SCALE}))?(?: de)?\s(?:{_REAIS})\b(?: e (\d{{1,2}}) centavos\b)?"
)
_SPELLED = re.compile(rf"\b(?:r\$ ?)?({_WORDS})(?: de)?\s(?:reais|real)\b(?: e ({_WORDS}) centavos?\b)?")
_SPELLED_SIGNED = re.compile(rf"(?<![a-z])r\$ ?({_WORDS})")

_WORDED = re.compile(
    rf"(?<![\d.,/$-])({_FIGURE}) ?\((?:r\$ ?)?({_WORDS})(?: de)?\s(?:reais|real)\b(?: e ({_WORDS}) centavos?\b)?"
)
"""A figure without its sign, which the words in brackets behind it name."""
_ONLY_CENTS = re.compile(rf"(?<!reais e )(?<!real e )\b(?:({_WORDS})|(\d{{1,2}})) centavos?\b")
_FOREIGN_SIGNS = {
    "us$": "USD",
    "u$s": "USD",
    "u$": "USD",
    "usd": "USD",
    "eur": "EUR",
    "€": "EUR",
    "gbp": "GBP",
    "£": "GBP",
}
_FOREIGN_NAMES = {"dolar": "USD", "dolares": "USD", "euro": "EUR", "euros": "EUR", "libras esterlinas": "GBP"}
_SIGNS, _CURRENCIES = "|".join(map(re.escape, _FOREIGN_SIGNS)), "|".join(_FOREIGN_NAMES)
_ENGLISH = r"\d{1,3}(?:,\d{3}){1,5}(?:\.\d{2})?(?![\d,])|\d{1,3}(?:,\d{3}){0,5}\.\d{2}(?![\d.,])"
_FOREIGN_SIGNED = re.compile(rf"(?<![a-z$])({_SIGNS}) ?({_ENGLISH}|{_FIGURE})(?: ({_SCALE})\b)?")
_FOREIGN_NAMED = re.compile(rf"(?<![\d.,$/])(?:({_FIGURE})(?: ?({_SCALE}))?|({_WORDS}))(?: de)?\s({_CURRENCIES})\b")

_FACTORS = {**SCALES, "mi": 10**6, "bi": 10**9, "k": 10**3}
_CENT = Decimal("0.01")


def find_money(text: str) -> Iterator[Entity]:
    """Amounts, each with a decimal `value` such as '3490.00', or 'USD 3490.00' if they are not reais.

    Of a figure and its words side by side, one in brackets ('R$ 100,00 (cem reais)', 'cem reais (R$ 100,00)'), the
    figure is told alone."""
    folded = fold(text)
    for start, end, value in _once(folded.text, _amounts(folded.text)):
        s, e = folded.start(start), folded.end(end)
        yield Entity(type="MONEY", text=text[s:e], value=value, start=s, end=e)


def read_amount(figure: str, scale: str | None) -> Decimal | None:
    """Value of a figure and its scale word, rounded to cents."""
    value = read_figure(figure)
    if value is None:
        return None
    return (value * _FACTORS.get(plain(scale or ""), 1)).quantize(_CENT, ROUND_HALF_UP)


_Amount = tuple[int, int, str]


def _amounts(folded: str) -> list[_Amount]:
    found = [*_written_in_figures(folded), *_written_in_words(folded), *_foreign(folded)]
    return sorted(found, key=lambda amount: (amount[0], -amount[1]))


def _once(folded: str, amounts: list[_Amount]) -> Iterator[_Amount]:
    """Without overlaps, and without the words that say the same as the figure beside them."""
    last, reached = None, 0
    for amount in amounts:
        if amount[0] < reached:
            continue
        if last is not None and _say_the_same(folded, last, amount):
            last = last if _has_figures(folded, last) else amount
        else:
            if last is not None:
                yield last
            last = amount
        reached = amount[1]
    if last is not None:
        yield last


def _say_the_same(folded: str, one: _Amount, other: _Amount) -> bool:
    return one[2] == other[2] and folded[one[1] : other[0]].strip() == "("


def _has_figures(folded: str, amount: _Amount) -> bool:
    return any(c.isdecimal() for c in folded[amount[0] : amount[1]])


def _written_in_figures(folded: str) -> Iterator[_Amount]:
    for match in _SIGNED.finditer(folded):
        value = read_amount(match[1], match[2])
        if value is not None:
            yield match.start(), match.end(), str(value)
    for match in _NAMED.finditer(folded):
        value = read_amount(match[1], match[2])
        if value is not None:
            yield match.start(), match.end(), str(value + Decimal(match[3] or 0) / 100)
    for match in _WORDED.finditer(folded):
        said = _in_full(read_words(match[2]) or 0, read_words(match[3] or "") or 0)
        if str(read_amount(match[1], None)) == said:
            yield match.start(1), match.end(1), said


def _written_in_words(folded: str) -> Iterator[_Amount]:
    for match in _SPELLED.finditer(folded):
        whole = read_words(match[1])
        if whole:
            cents = read_words(match[2]) if match[2] else 0
            yield match.start(), match.end(), _in_full(whole, cents or 0)
    for match in _SPELLED_SIGNED.finditer(folded):
        whole = read_words(match[1])
        if whole:
            yield match.start(), match.end(), _in_full(whole, 0)
    for match in _ONLY_CENTS.finditer(folded):
        cents = int(match[2]) if match[2] else read_words(match[1])
        if cents and cents < 100:
            yield match.start(), match.end(), _in_full(0, cents)


def _in_full(whole: int, cents: int) -> str:
    return str((Decimal(whole) + Decimal(cents) / 100).quantize(_CENT))


def _foreign(folded: str) -> Iterator[_Amount]:
    for match in _FOREIGN_SIGNED.finditer(folded):
        figure = match[2]
        if re.fullmatch(_ENGLISH, figure):
            figure = figure.replace(",", "")
        value = read_amount(figure, match[3])
        if value is not None:
            yield match.start(), match.end(), f"{_FOREIGN_SIGNS[match[1]]} {value}"
    for match in _FOREIGN_NAMED.finditer(folded):
        value = read_amount(match[1], match[2]) if match[1] else Decimal(read_words(match[3]) or 0).quantize(_CENT)
        if value:
            yield match.start(), match.end(), f"{_FOREIGN_NAMES[match[4]]} {value}"
