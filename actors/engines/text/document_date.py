"""The day a document bears: after its place ('Betim, 14 de fevereiro de 2025'), its label, or as its last word.

Dates that the document only speaks of don't count, so many a document has none.
"""

from __future__ import annotations

import datetime as dt
import re

from actors.engines.text import written_dates as written
from actors.engines.text.folding import fold

EDGE = 1_500
"""Characters at the end and at the beginning where a document may be dated."""

_PLACE = re.compile(
    r"(?:^|[\n.;)(]|\s-)\s*(?:[A-ZÀ-Ú][\w'’-]*(?: (?:d[aeo]s? )?[A-ZÀ-Ú][\w'’-]*){0,4}"
    r"(?: ?[/(–-] ?[A-Z]{2}\)?)?, (?:em |aos? |dia )?)$"
)
_LABEL = re.compile(
    r"(?:\bdata(?: d[aeo](?: emissao| documento| assinatura| juntada| sentenca| decisao| publicacao"
    r"| intimacao| expedicao)?)?|\bemissao|\bemitido em|\bexpedido em|\bdate|\bintimad[ao] em"
    r"|\bassinado (?:eletronicamente |digitalmente )?em) ?:? ?$"
)
_ALONE = re.compile(r"(?:^|[.\n;])\s*(?:em |aos )?$", re.IGNORECASE)
_ENDS = re.compile(r"\s*(?:[.,;]|\n|$)")


def document_date(text: str, reference: dt.date) -> dt.date | None:
    """The date of the document itself, the end of the text before its beginning, or None if it bears none.

    A date long after `reference` is a misreading and is not believed.
    """
    tail_from = max(0, len(text) - EDGE)
    for piece in (text[tail_from:], text[: min(EDGE, tail_from)]):
        dates = [d for d in _dated(piece) if d <= reference + dt.timedelta(days=366)]
        if dates:
            return dates[-1]
    return None


def _dated(piece: str) -> list[dt.date]:
    folded = fold(piece)
    found: list[tuple[int, dt.date]] = []
    for pattern, read in ((written.NUMERIC, _numeric), (written.ISO, _numeric), (written.SPELLED, _spelled)):
        for match in pattern.finditer(folded.text):
            day = read(match)
            before = piece[max(0, folded.start(match.start()) - 90) : folded.start(match.start())]
            if day and _bears(before, folded.text[match.end() : match.end() + 20]):
                found.append((match.start(), day))
    return [day for _, day in sorted(found)]


def _bears(before: str, after: str) -> bool:
    if _PLACE.search(before) or _LABEL.search(fold(before).text):
        return True
    return bool(_ALONE.search(before) and _ENDS.match(after))


def _numeric(match: re.Match[str]) -> dt.date | None:
    return written.read_numeric(match)


def _spelled(match: re.Match[str]) -> dt.date | None:
    spelled = written.read_spelled(match)
    return spelled.on(spelled.year) if spelled and spelled.year else None
