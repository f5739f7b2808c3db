"""Numbers as Portuguese writes them: words up to the millions, and figures with point and comma.

It reads values that are already cut out of a text; finding them there is left to `money` and `dates`.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

UNITS = {
    "zero": 0,
    "um": 1,
    "uma": 1,
    "hum": 1,
    "dois": 2,
    "duas": 2,
    "tres": 3,
    "quatro": 4,
    "cinco": 5,
    "seis": 6,
    "meia": 6,
    "sete": 7,
    "oito": 8,
    "nove": 9,
    "dez": 10,
    "onze": 11,
    "doze": 12,
    "treze": 13,
    "quatorze": 14,
    "catorze": 14,
    "quinze": 15,
    "dezesseis": 16,
    "dezessete": 17,
    "dezoito": 18,
    "dezenove": 19,
    "vinte": 20,
    "trinta": 30,
    "quarenta": 40,
    "cinquenta": 50,
    "cincoenta": 50,
    "sessenta": 60,
    "setenta": 70,
    "oitenta": 80,
    "noventa": 90,
    "cem": 100,
    "cento": 100,
    "duzentos": 200,
    "duzentas": 200,
    "trezentos": 300,
    "trezentas": 300,
    "quatrocentos": 400,
    "quatrocentas": 400,
    "quinhentos": 500,
    "quinhentas": 500,
    "seiscentos": 600,
    "seiscentas": 600,
    "setecentos": 700,
    "setecentas": 700,
    "oitocentos": 800,
    "oitocentas": 800,
    "novecentos": 900,
    "novecentas": 900,
}
SCALES = {"mil": 10**3, "milhao": 10**6, "milhoes": 10**6, "bilhao": 10**9, "bilhoes": 10**9}

SMALL = "|".join(sorted((w for w in UNITS if w not in ("zero", "meia")), key=len, reverse=True))
WORD = "|".join(sorted([*UNITS, *SCALES], key=len, reverse=True))
COUNT = rf"\d{{1,4}}|(?:{SMALL})(?: e (?:{SMALL}))?"
"""A pattern for a small count, over folded text; `read_count` reads what it matched."""


def read_words(words: str) -> int | None:
    """The value of folded number words ('tres mil e quinhentos' is 3500), or None if there is another word."""
    total, group = 0, 0
    for word in re.split(r"[\s,]+", words.strip()):
        if word in UNITS:
            group += UNITS[word]
        elif word in SCALES:
            total, group = total + max(group, 1) * SCALES[word], 0
        elif word != "e":
            return None
    return total + group


def read_count(text: str) -> int | None:
    """A count written in figures or in folded words."""
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() else read_words(text)


def read_figure(figure: str) -> Decimal | None:
    """A figure as typed: '3.490,00', '3490.00', '1.500', '3,5'. A point before three digits parts thousands."""
    figure = re.sub(r"\s", "", figure).rstrip(".,")
    if "," in figure:
        figure = figure.replace(".", "").replace(",", ".", 1)
    elif not re.fullmatch(r"\d+\.\d{1,2}", figure):
        figure = figure.replace(".", "")
    try:
        return Decimal(figure)
    except InvalidOperation:
        return None
