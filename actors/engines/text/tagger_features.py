"""What the tagger sees of a text: tokens, and for each token a handful of named features.

A stream is one kind of feature, one string a token; a template reads a stream at an offset from the token. It
is shared by training and tagging, so that both see the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from actors.engines.text.citations import CODES, COURTS, RULINGS, Span
from actors.engines.text.folding import plain
from actors.engines.text.word_lists import words
from actors.engines.text.written_dates import MONTHS

_TOKEN = re.compile(r"\d+|[^\W\d_]+|[^\w\s]|_")
_CHUNK = re.compile(r"\S+")
_STOP_AFTER = re.compile(r"(?:\w{5}|[\d)\"”])[.!?]\s+(?=[A-ZÀ-Ú])|\n\s*\n")
LONGEST_SEGMENT = 300
"""Tokens: a longer sentence is cut, to bound the memory of one decoding."""

TEMPLATES: tuple[tuple[str, int], ...] = (
    *(("word", o) for o in range(-4, 5)),
    *(("case", o) for o in (-2, -1, 0, 1, 2)),
    *(("prefix", o) for o in (-1, 0, 1)),
    *(("suffix", o) for o in (-1, 0, 1)),
    *(("space", o) for o in (-1, 0, 1, 2)),
    *(("chunk", o) for o in (-1, 0, 1)),
    *(("class", o) for o in (-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5)),
    *(("rule", o) for o in (-2, -1, 0, 1, 2)),
    ("head", 0),
    ("head", 1),
    ("ahead", 0),
    ("pair", 0),
    ("pair", 1),
    ("classes", 0),
    ("classes", 1),
    ("classes", 2),
    ("joint", 0),
    ("joint", 1),
)
STREAMS = tuple(dict.fromkeys(stream for stream, _ in TEMPLATES))


@dataclass(frozen=True, slots=True)
class Token:
    """A run of letters, a run of digits or one sign, by its offsets into the text."""

    start: int
    end: int


def tokenize(text: str, limit: int | None = None) -> list[Token]:
    """The tokens of `text`, or the first `limit` of them."""
    return [Token(m.start(), m.end()) for m in islice(_TOKEN.finditer(text), limit)]


def segments(text: str, tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Ranges of tokens to be tagged by themselves: sentences, roughly, and never longer than the bound."""
    stops = [m.end() for m in _STOP_AFTER.finditer(text)]
    ranges, begin, at = [], 0, 0
    for i, token in enumerate(tokens):
        crossed = at < len(stops) and stops[at] <= token.start
        while at < len(stops) and stops[at] <= token.start:
            at += 1
        if i > begin and (crossed or i - begin >= LONGEST_SEGMENT):
            ranges.append((begin, i))
            begin = i
    if begin < len(tokens):
        ranges.append((begin, len(tokens)))
    return ranges


def streams_of(text: str, tokens: Sequence[Token], rules: Sequence[Span]) -> dict[str, list[str]]:
    """Each stream's values over all tokens; `rules` are the spans that the rules found."""
    raw = [text[t.start : t.end] for t in tokens]
    known = [_word_features(r) for r in raw]
    words = [k[0] for k in known]
    classes = [k[4] for k in known]
    spaces = _spaces(text, tokens)
    rule_tags = _rule_tags(tokens, rules)
    return {
        "word": words,
        "case": [k[1] for k in known],
        "prefix": [k[2] for k in known],
        "suffix": [k[3] for k in known],
        "class": classes,
        "space": spaces,
        "chunk": _chunks(text, tokens),
        "rule": rule_tags,
        "head": _heads(classes, words),
        "ahead": _aheads(classes, words),
        "pair": [f"{a} {b}" for a, b in zip(["", *words[:-1]], words, strict=True)],
        "classes": [f"{a} {b}" for a, b in zip(["", *classes[:-1]], classes, strict=True)],
        "joint": [f"{a}{s}{b}" for a, s, b in zip(rule_tags, spaces, classes, strict=True)],
    }


@lru_cache(maxsize=65_536)
def _word_features(raw: str) -> tuple[str, str, str, str, str]:
    folded = plain(raw) or raw
    if folded[0].isdigit():
        digits = _digits_name(folded)
        return digits, "9", digits, folded[-1:], digits
    return folded, _case(raw), folded[:3], folded[-3:], _class_of(folded, raw)


def _digits_name(digits: str) -> str:
    if len(digits) == 4 and digits[:2] in ("18", "19", "20"):
        return "YEAR"
    if len(digits) <= 2 and digits.isdecimal():
        return "D1-12" if int(digits) <= 12 else "D13-31" if int(digits) <= 31 else "D32-99"
    return f"D{min(len(digits), 9)}"


def _case(raw: str) -> str:
    if not raw[0].isalpha():
        return raw[0]
    if re.fullmatch(r"[IVXLC]+", raw):
        return "IV"
    if raw.isupper():
        return "X" if len(raw) == 1 else "XX"
    if raw.islower():
        return "x" if len(raw) == 1 else "xx"
    return "Xx" if raw[0].isupper() and raw[1:].islower() else "xX"


_CLASS_WORDS: dict[str, str] = {
    **dict.fromkeys(MONTHS, "month"),
    **dict.fromkeys(CODES, "code"),
    **dict.fromkeys(COURTS, "court"),
    **dict.fromkeys(RULINGS, "ruling"),
    **dict.fromkeys(words("art arts artigo artigos ad"), "art"),
    **dict.fromkeys(words("paragrafo paragrafos inciso incisos inc alinea alineas caput item"), "part"),
    **dict.fromkeys(
        words(
            "lei leis decreto decretos resolucao resolucoes medida medidas emenda portaria instrucao mp ec res"
            " provimento codigo constituicao"
        ),
        "act",
    ),
    **dict.fromkeys(words("sumula sumulas enunciado oj orientacao precedente tema acordao acordaos"), "precedent"),
    **dict.fromkeys(
        words(
            "habeas recurso apelacao agravo agravos embargos mandado reclamacao acao processo autos registro revisao"
        ),
        "case",
    ),
    **dict.fromkeys(words("n no nº nos num numero o"), "no"),
    **dict.fromkeys(words("dje djede dj dejt dou doe julgado julgada julgados publicado data em"), "dated"),
    **dict.fromkeys(words("rel relator relatora min ministro ministra des desembargador"), "judge"),
    **dict.fromkeys(words("segunda terca quarta quinta sexta sabado domingo feira"), "weekday"),
    **dict.fromkeys(words("turma camara plenario secao pleno vara"), "bench"),
    **dict.fromkeys(
        words("ac al am ap ba ce df es go ma mg ms mt pa pb pe pi pr rj rn ro rr rs sc se sp to"), "state"
    ),
    **dict.fromkeys(words("de da do das dos"), "de"),
}


def _class_of(folded: str, raw: str) -> str:
    named = _CLASS_WORDS.get(folded)
    if named == "state" and not raw.isupper():
        return "w"
    if named:
        return named
    if not raw[0].isalpha():
        return raw[0]
    return "IV" if re.fullmatch(r"[IVXLC]+", raw) else ("W" if raw[0].isupper() else "w")


def _spaces(text: str, tokens: Sequence[Token]) -> list[str]:
    values, end = [], 0
    for token in tokens:
        gap = text[end : token.start]
        values.append("n" if "\n" in gap else "2" if len(gap) > 1 else "1" if gap else "0")
        end = token.end
    return values


def _chunks(text: str, tokens: Sequence[Token]) -> list[str]:
    values, found = [], _CHUNK.finditer(text)
    chunk, shape = next(found, None), ""
    fresh = True
    for token in tokens:
        while chunk and chunk.end() <= token.start:
            chunk, fresh = next(found, None), True
        if chunk and fresh:
            shape, fresh = _shape(chunk[0][:40]), False
        values.append(shape)
    return values


@lru_cache(maxsize=65_536)
def _shape(chunk: str) -> str:
    shape = "".join(
        "9" if c.isdigit() else "A" if c.isupper() else "a" if c.isalpha() else c
        for c in chunk.strip(".,;:()[]\"'“”")
    )
    if "9" in shape and len(shape) <= 12:
        return shape
    return re.sub(r"(.)\1+", r"\1+", shape)[:16]


def _rule_tags(tokens: Sequence[Token], rules: Sequence[Span]) -> list[str]:
    tags, ordered, at = [], sorted(rules, key=lambda s: (s[0], -s[1])), 0
    for token in tokens:
        while at < len(ordered) and ordered[at][1] <= token.start:
            at += 1
        inside = at < len(ordered) and ordered[at][0] < token.end
        tags.append(("B" if ordered[at][0] >= token.start else "I") + ordered[at][2][0] if inside else "O")
    return tags


_HEADS = frozenset({"art", "part", "act", "code", "precedent", "ruling", "case", "dated", "judge"})
_REACH = 12


def _heads(classes: Sequence[str], words: Sequence[str]) -> list[str]:
    """The last telling class before each token and roughly how far back it lies."""
    values, head, distance = [], "", 0
    for word, kind in zip(words, classes, strict=True):
        distance += 1
        values.append(f"{head}{min(distance // 3, 4)}" if head and distance <= _REACH else "")
        if kind in _HEADS:
            head, distance = kind, 0
        elif word == ";":
            head = ""
    return values


def _aheads(classes: Sequence[str], words: Sequence[str]) -> list[str]:
    """The next telling class after each token and roughly how far ahead it lies."""
    return _heads(classes[::-1], words[::-1])[::-1]
