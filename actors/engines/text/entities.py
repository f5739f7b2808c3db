"""All that a text names, in one pass: the finders of this package put together and their overlaps settled.

Identifiers may lie inside a reference to case law ('Apelação nº 0001234-...'): both are told. Of two entities of
one type that overlap, the one that begins first, and then the longer, stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from actors.engines.text.identifiers import find_identifiers
from actors.engines.text.money import find_money
from actors.engines.text.names import find_names
from actors.engines.text.references import find_references
from actors.engines.text.tempo import date_value
from tasks.payloads import Entity

_HEADING = 170
_SHORTEST_DOCUMENT = 200
"""Characters: the case number of a document that is longer than this stands before the heading's end."""
_JUST_A_CASE = re.compile(
    r"(?:processo|ação|apelação cível)?[ nº°o.:]{0,6}\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}", re.IGNORECASE
)
_EDGE = " \t\r\n,;.:()[]\"“”'"


def find_entities(text: str, page_of: Callable[[int], int] | None = None) -> tuple[Entity, ...]:
    """Every entity in `text`, by position; `page_of` gives the page of a character offset. Never raises."""
    identifiers = list(find_identifiers(text))
    references = _without_own_number(_references(text), identifiers, len(text))
    found = _apart([*identifiers, *find_money(text), *find_names(text), *references])
    if page_of is None:
        return tuple(found)
    return tuple(e.model_copy(update={"page": page_of(e.start)}) for e in found)


def _without_own_number(references: Iterable[Entity], identifiers: Iterable[Entity], length: int) -> Iterator[Entity]:
    """The number in a document's heading is the case it belongs to, and no case law wherever it comes again."""
    numbers = sorted((e.start, e.end, e.value) for e in identifiers if e.type == "CNJ")
    heads = length >= _SHORTEST_DOCUMENT and numbers and numbers[0][0] < _HEADING
    own = [(start, end) for start, end, value in numbers if heads and value == numbers[0][2]]
    for reference in references:
        ours = any(reference.start < end and start < reference.end for start, end in own)
        if not (ours and reference.type == "JURISPRUDENCIA" and _JUST_A_CASE.fullmatch(reference.text)):
            yield reference


def _references(text: str) -> Iterator[Entity]:
    for start, end, kind in find_references(text):
        start, end = _trimmed(text, start, end)
        words = text[start:end]
        value = date_value(words) if kind == "TEMPO" else " ".join(words.split())
        yield Entity(type=kind, text=words, value=value, start=start, end=end)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while end > start + 1 and text[end - 1] in _EDGE:
        end -= 1
    while start < end - 1 and text[start] in _EDGE:
        start += 1
    return start, end


def _apart(found: Iterable[Entity]) -> Iterator[Entity]:
    ends: dict[str, int] = {}
    for entity in sorted(found, key=lambda e: (e.start, -e.end)):
        if entity.start >= ends.get(entity.type, 0):
            ends[entity.type] = entity.end
            yield entity
