"""Which of the sixteen kinds a document is, by its title and by the phrases that only its kind uses.

The knowledge is in `document_types.toml`; here is how it is weighed. It judges the form of a text, never its
content: a petition about a medical report is a petition. What a document quotes, and the papers it mentions, are left
out before.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, cast, get_args

from actors.engines.text.folding import plain
from tasks.payloads import DocumentType

_TITLE_ZONE = 1_500
_SEGMENTS = 14
_LONGEST_TITLE = 8
_LATE_TITLE_COSTS = 0.3
_ALONE_ADDS = 1.5
_CUE_ZONE_START, _CUE_ZONE_END = 12_000, 3_000
_LEAST = 3.0
_MOST_OF_WORDS = 4.0
_HALF_SURE = 2.0
"""Points of lead over the next kind at which a verdict is as good as a coin's toss between the two."""

_SEGMENT_BREAK = re.compile(r"(\n+|(?<=[a-z)]{3})[.:](?=\s|$)|\s[-|]\s|;)")
_ANNOUNCES = frozenset({"assunto", "ref", "referencia", "objeto", "documento", "tipo", "titulo", "tipo de documento"})
_ARTICLES = ("a", "o", "e")  # 'o doutor' is no misspelt 'doutor'
_SPACED_OUT = re.compile(r"\b(?:[a-z] ){4,40}[a-z]\b")
_QUOTED = re.compile(r'"[^"]{25,2000}"|«[^»]{25,2000}»|^>.*$', re.MULTILINE)
_LEAST_OWN = 0.3
# The name of a paper after one of these words is a mention of another paper; a document that names itself says
# 'a presente certidão', or opens with the name.
_MENTION = re.compile(
    r"(?<![a-z])(?:(?:[ao]s?|uma?|[dn][ao]s?|[dn]?ess[ae]s?|pel[ao]s?|com|conforme|segundo|suas?|seus?|minhas?|meus?"
    r"|copias? d[ea]|de|e|ou|por|no|expeca-se|servindo est[ae] de|,) |\()"
    r"(?:certid(?:ao|oes)|notas? fisca(?:l|is)|holerites?|contracheques?|boletos?|mandados?|boletim de ocorrencia|bo"
    r"|laudos?|relatorios? medicos?|atestados?|receituarios?|procuracao)\b(?! (?:a|de) seguranca)"
)
_WORD = re.compile(r"[a-z][a-z.-]*[a-z]")
_NOT_WORD = re.compile(r"[^a-z0-9]+")
# What OCR takes for one another in capitals: Ç/C/G, I/L/1, O/0/Q, S/5, B/8, and RN/M.
_LOOKALIKES = str.maketrans({"g": "c", "q": "o", "0": "o", "1": "i", "l": "i", "5": "s", "8": "b", "6": "b"})


@dataclass(frozen=True, slots=True)
class _Cue:
    points: float
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Title:
    kind: DocumentType
    points: float


@dataclass(frozen=True, slots=True)
class _Knowledge:
    word_points: float
    titles: dict[str, _Title]
    cues: dict[DocumentType, tuple[_Cue, ...]]
    words: dict[str, tuple[DocumentType, ...]]
    """Words, and beginnings of words with a '*' behind, and the kinds that use them."""


def classify(text: str, letter: bool = False) -> tuple[DocumentType, float]:
    """The kind of document and how sure that is, 0 to 1. `letter` says that it came as an e-mail's body, which
    then is a letter unless it shows another kind's marks."""
    folded = _own_words(plain(text))
    points = dict.fromkeys(get_args(DocumentType), 0.0)
    for kind, gained in [*_titles(folded), *_phrases(folded), *_vocabulary(folded)]:
        points[kind] += gained
    points["carta_email"] += 2.0 if letter else 0.0
    points["outro"] = max(points["outro"], _LEAST)
    return _verdict(points)


def _own_words(folded: str) -> str:
    """Without what the document quotes: a ruling tells what the petition said, an answer what it answers to."""
    own = _QUOTED.sub(" ", folded)
    return own if len(own) >= _LEAST_OWN * len(folded) else folded


def _verdict(points: dict[DocumentType, float]) -> tuple[DocumentType, float]:
    ranked = sorted(points, key=lambda kind: -points[kind])
    lead = points[ranked[0]] - max(0.0, points[ranked[1]])
    return ranked[0], round(1 - 0.5 ** (1 + lead / _HALF_SURE), 3)


def _titles(folded: str) -> Iterator[tuple[DocumentType, float]]:
    """Each kind's best title among the first segments; the earlier, the better, best alone on its line."""
    known, best = _knowledge(), dict[DocumentType, float]()
    for place, segment in _segments(folded):
        for title, alone in _titles_of(segment.split(), known.titles):
            points = title.points - _LATE_TITLE_COSTS * place + (_ALONE_ADDS if alone else 0.0)
            best[title.kind] = max(best.get(title.kind, 0.0), points)
    return iter(best.items())


def _segments(folded: str) -> list[tuple[int, str]]:
    """The first pieces of the text that may be a title, by their place; what stands behind a label ('Provas:') is a
    value, unless the label announces a title."""
    pieces = _SEGMENT_BREAK.split(_joined_letters(folded[:_TITLE_ZONE]))
    found: list[tuple[int, str]] = []
    place, mark, before = 0, "", ""
    for piece, following in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        words = _NOT_WORD.sub(" ", piece).strip()
        if words and (mark != ":" or before in _ANNOUNCES):
            found.append((place, words))
        place += bool(words)
        mark, before = following.strip(), words or before
    return found[:_SEGMENTS]


def _joined_letters(folded: str) -> str:
    """'e m e n t a' as the word it is."""
    return _SPACED_OUT.sub(lambda m: m[0].replace(" ", ""), folded)


def _titles_of(words: list[str], titles: dict[str, _Title]) -> Iterator[tuple[_Title, bool]]:
    """The longest title that the words open with, and whether it is all there is."""
    for count in range(min(_LONGEST_TITLE, len(words)), 0, -1):
        opening = _blurred("".join(words[:count]))
        title = titles.get(opening) or (None if words[0] in _ARTICLES else _nearly(opening, titles))
        if title is not None:
            yield title, count == len(words)
            return


def _nearly(opening: str, titles: dict[str, _Title]) -> _Title | None:
    """A title with one letter lost, added or changed; short words are too much alike for that."""
    if len(opening) < 7:
        return None
    return next((titles[title] for title in titles if _one_apart(opening, title)), None)


def _one_apart(a: str, b: str) -> bool:
    if abs(len(a) - len(b)) > 1:
        return False
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a[same + 1 :] == b[same + 1 :] or a[same:] == b[same + 1 :] or a[same + 1 :] == b[same:]


def _blurred(word: str) -> str:
    return word.replace("rn", "m").translate(_LOOKALIKES)


def _phrases(folded: str) -> Iterator[tuple[DocumentType, float]]:
    zone = _cue_zone(folded)
    for kind, cues in _knowledge().cues.items():
        yield kind, sum(cue.points for cue in cues if cue.pattern.search(zone))


def _vocabulary(folded: str) -> Iterator[tuple[DocumentType, float]]:
    """Each distinct word counts a little, the less the more kinds use it: what decides where no phrase does."""
    known = _knowledge()
    gained = dict[DocumentType, float]()
    words = set(_WORD.findall(_cue_zone(folded)))
    for users in (known.words[entry] for entry in {entry for word in words for entry in _entries(word, known)}):
        for kind in users:
            gained[kind] = gained.get(kind, 0.0) + known.word_points / len(users)
    return ((kind, min(points, _MOST_OF_WORDS)) for kind, points in gained.items())


def _entries(word: str, known: _Knowledge) -> Iterator[str]:
    if word in known.words:
        yield word
    yield from (entry for n in range(2, len(word) + 1) if (entry := word[:n] + "*") in known.words)


def _cue_zone(folded: str) -> str:
    """The beginning and the end: between them a bundle of papers holds every kind."""
    if len(folded) > _CUE_ZONE_START + _CUE_ZONE_END:
        folded = folded[:_CUE_ZONE_START] + "\n" + folded[-_CUE_ZONE_END:]
    return _MENTION.sub(" ", _joined_letters(" ".join(folded.split())))


@lru_cache(maxsize=1)
def _knowledge() -> _Knowledge:
    source = resources.files(__package__).joinpath("document_types.toml").read_text("utf-8")
    raw = tomllib.loads(source)
    strong, weak, word_points = (
        float(raw.pop(name)) for name in ("title_points", "weak_title_points", "word_points")
    )
    titles = {
        _blurred(plain(title).replace(" ", "")): _Title(cast(DocumentType, kind), points)
        for kind, known in raw.items()
        for points, names in ((strong, known["titles"]), (weak, known.get("weak_titles", ())))
        for title in names
    }
    cues = {cast(DocumentType, k): tuple(_cue(*row) for row in v["cues"]) for k, v in raw.items()}
    return _Knowledge(word_points, titles, cues, _words_of(raw))


def _words_of(raw: dict[str, Any]) -> dict[str, tuple[DocumentType, ...]]:
    kinds = dict[str, list[DocumentType]]()
    for kind, known in raw.items():
        for word in known["words"].split():
            kinds.setdefault(word, []).append(cast(DocumentType, kind))
    return {word: tuple(users) for word, users in kinds.items()}


def _cue(points: float, pattern: str) -> _Cue:
    return _Cue(float(points), re.compile(pattern))
