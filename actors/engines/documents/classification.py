"""Which of the sixteen kinds a document is, by its title and by the phrases that only its kind uses.

The knowledge is in `document_types.toml`; here is how it is weighed. It judges the form of a text, never its
content: a petition about a medical report is a petition.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import cast, get_args

from actors.engines.text.folding import plain
from tasks.payloads import DocumentType

_TITLE_ZONE = 1_500
_SEGMENTS = 14
_LONGEST_TITLE = 8
_LATE_TITLE_COSTS = 0.3
_ALONE_ADDS = 1.5
_CUE_ZONE_START, _CUE_ZONE_END = 12_000, 3_000
_LEAST = 3.0
_HALF_SURE = 2.0
"""Points of lead over the next kind at which a verdict is as good as a coin's toss between the two."""

_SEGMENT_BREAK = re.compile(r"\n+|(?<=[a-z)]{3})[.:](?=\s|$)|\s[-|]\s|;")
_SPACED_OUT = re.compile(r"\b(?:[a-z] ){4,40}[a-z]\b")
_NOT_WORD = re.compile(r"[^a-z0-9]+")
# What OCR takes for one another in capitals: Ç/C/G, I/L/1, O/0/Q, S/5, B/8, and RN/M.
_LOOKALIKES = str.maketrans({"g": "c", "q": "o", "0": "o", "1": "i", "l": "i", "5": "s", "8": "b", "6": "b"})


@dataclass(frozen=True, slots=True)
class _Cue:
    points: float
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Knowledge:
    title_points: float
    titles: dict[str, DocumentType]
    cues: dict[DocumentType, tuple[_Cue, ...]]


def classify(text: str, letter: bool = False) -> tuple[DocumentType, float]:
    """The kind of document and how sure that is, 0 to 1. `letter` says that it came as an e-mail's body, which
    then is a letter unless it shows another kind's marks."""
    folded = plain(text)
    points = dict.fromkeys(get_args(DocumentType), 0.0)
    for kind, gained in [*_titles(folded), *_phrases(folded)]:
        points[kind] += gained
    points["carta_email"] += 2.0 if letter else 0.0
    points["outro"] = max(points["outro"], _LEAST)
    return _verdict(points)


def _verdict(points: dict[DocumentType, float]) -> tuple[DocumentType, float]:
    ranked = sorted(points, key=lambda kind: -points[kind])
    lead = points[ranked[0]] - max(0.0, points[ranked[1]])
    return ranked[0], round(1 - 0.5 ** (1 + lead / _HALF_SURE), 3)


def _titles(folded: str) -> Iterator[tuple[DocumentType, float]]:
    """Each kind's best title among the first segments; the earlier, the better, best alone on its line."""
    known, best = _knowledge(), dict[DocumentType, float]()
    for place, segment in enumerate(_segments(folded)):
        for kind, alone in _titles_of(segment.split(), known.titles):
            points = known.title_points - _LATE_TITLE_COSTS * place + (_ALONE_ADDS if alone else 0.0)
            best[kind] = max(best.get(kind, 0.0), points)
    return iter(best.items())


def _segments(folded: str) -> list[str]:
    head = _SPACED_OUT.sub(lambda m: m[0].replace(" ", ""), folded[:_TITLE_ZONE])
    pieces = (_NOT_WORD.sub(" ", piece).strip() for piece in _SEGMENT_BREAK.split(head))
    return [piece for piece in pieces if piece][:_SEGMENTS]


def _titles_of(words: list[str], titles: dict[str, DocumentType]) -> Iterator[tuple[DocumentType, bool]]:
    """The longest title that the words open with, and whether it is all there is."""
    for count in range(min(_LONGEST_TITLE, len(words)), 0, -1):
        opening = _blurred("".join(words[:count]))
        kind = titles.get(opening) or _nearly(opening, titles)
        if kind is not None:
            yield kind, count == len(words)
            return


def _nearly(opening: str, titles: dict[str, DocumentType]) -> DocumentType | None:
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


def _cue_zone(folded: str) -> str:
    """The beginning and the end: between them a bundle of papers holds every kind."""
    if len(folded) > _CUE_ZONE_START + _CUE_ZONE_END:
        folded = folded[:_CUE_ZONE_START] + "\n" + folded[-_CUE_ZONE_END:]
    return " ".join(folded.split())


@lru_cache(maxsize=1)
def _knowledge() -> _Knowledge:
    source = resources.files(__package__).joinpath("document_types.toml").read_text("utf-8")
    raw = tomllib.loads(source)
    points = float(raw.pop("title_points"))
    titles = {_blurred(plain(t).replace(" ", "")): cast(DocumentType, k) for k, v in raw.items() for t in v["titles"]}
    cues = {cast(DocumentType, k): tuple(_cue(*row) for row in v["cues"]) for k, v in raw.items()}
    return _Knowledge(points, titles, cues)


def _cue(points: float, pattern: str) -> _Cue:
    return _Cue(float(points), re.compile(pattern))
