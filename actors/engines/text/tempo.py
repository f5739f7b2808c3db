"""Dates as entities (TEMPO): the days, months and years that a document writes out, with their ISO value.

Terms such as '15 dias' are no dates; clients' relative words ('amanhã') are read by `dates`.
"""

from __future__ import annotations

from collections.abc import Iterator

from actors.engines.text import written_dates as written
from actors.engines.text.folding import fold, plain
from tasks.payloads import Entity


def find_written_dates(text: str) -> Iterator[Entity]:
    """Written dates and months with a year, `value` as far as they go: '2025-03-12', '2025-03', '03-12'."""
    folded = fold(text)
    for start, end, value in _valued(folded.text):
        s, e = folded.start(start), folded.end(end)
        yield Entity(type="TEMPO", text=text[s:e], value=value, start=s, end=e)


def date_value(words: str) -> str:
    """The normalised form of a date's words: ISO where they name one, else the words themselves, folded."""
    folded = plain(words)
    values = [value for _, _, value in sorted(_valued(folded))]
    return values[0] if values else " ".join(folded.split())


def _valued(folded: str) -> Iterator[tuple[int, int, str]]:
    for pattern in (written.NUMERIC, written.ISO):
        for match in pattern.finditer(folded):
            day = written.read_numeric(match)
            if day:
                yield match.start(), match.end(), day.isoformat()
    for match in written.SPELLED.finditer(folded):
        spelled = written.read_spelled(match)
        if spelled:
            value = f"{spelled.month:02}-{spelled.day:02}"
            yield match.start(), match.end(), f"{spelled.year:04}-{value}" if spelled.year else value
    for match in written.MONTH_YEAR.finditer(folded):
        yield match.start(), match.end(), f"{match['year']}-{written.month_number(match['month']):02}"
