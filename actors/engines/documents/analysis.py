"""One order, start to end, in the reading process: text, then type, entities, deadlines, summary and language.

It raises nothing for a file's sake: what can't be read becomes `AnalyzedDocument.error`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from actors.engines.documents.classification import classify
from actors.engines.documents.errors import Code, UnreadableError
from actors.engines.documents.extraction import extract, load
from actors.engines.documents.formats import mail
from actors.engines.documents.limits import Limits
from actors.engines.documents.protocol import Order, Progress, Result
from actors.engines.documents.reading import Extract, Reading
from actors.engines.documents.sniffing import sniff
from actors.engines.documents.tidying import unwrap
from actors.engines.text.deadlines import find_deadlines
from actors.engines.text.entities import find_entities
from actors.engines.text.language import detect_language
from actors.engines.text.summary import summarize
from tasks.payloads import AnalyzedDocument, Deadline, DocumentOptions, Entity

_LONGEST_ERROR = 1_000
_DEADLINES_IN_SUMMARY = 50
_PASSAGE = 60_000
_MOST_ENTITIES, _MOST_DEADLINES = 20_000, 2_000
"""Far more than five hundred pages hold; a file made to flood the store stops here."""


Tell = Callable[[Progress | Result], None]


def analyze(order: Order, tell: Tell) -> Result:
    """Read and analyse one file, telling each step and each result on the way."""
    reading = Reading(order.limits, order.options, lambda share, said: tell(Progress(percent=share, sentence=said)))
    document = _Document(order, tell)
    try:
        document.read(reading)
    except UnreadableError as error:
        reading.note(error.code, error.sentence)
    except MemoryError:
        reading.note("memory_limit", "reading it takes more memory than is allowed")
    except RecursionError:
        reading.note("damaged", "the file is nested too deeply")
    except Exception as error:  # noqa: BLE001 - a parser's surprise costs this document, and no other
        reading.note("damaged", f"the file can't be read ({type(error).__name__})")
    document.add(None, error=_error(reading))
    return document.known


class _Document:
    """One file on its way through the steps; `known` is what has been found out by now."""

    def __init__(self, order: Order, tell: Tell) -> None:
        self._order = order
        self._tell = tell
        self.known = Result(analysis=AnalyzedDocument(document_id=order.document_id), text="")

    def read(self, reading: Reading) -> None:
        data = load(Path(self._order.path), reading)
        media_type = sniff(data, self._order.filename, self._order.media_type)
        self.add(None, media_type=media_type)
        self._tell(self.known)
        found = _bounded(extract(data, media_type, reading), reading)
        self.add(found.text, pages=found.pages)
        if not found.text.strip() and not reading.problems:
            raise UnreadableError("no_text", "no text was found in the file")
        if found.text:
            self._tell(self.known)
            self.add(found.text, **_findings(found, self._order, reading))

    def add(self, text: str | None, /, **fields: object) -> None:
        """Set fields of the analysis, and the text unless it is `None`."""
        analysis = self.known.analysis.model_copy(update=fields)
        self.known = Result(analysis=analysis, text=self.known.text if text is None else text)


def _bounded(found: Extract, reading: Reading) -> Extract:
    """Without pages that are all blank, and no longer than the limit."""
    text = found.text if found.text.strip() else ""
    if len(text) > reading.limits.characters:
        text = text[: reading.limits.characters]
        reading.note("text_limit", f"only the first {len(text)} characters were kept")
    return replace(found, text=text)


def rehearse() -> None:
    """Go once through everything that a text is put through, so that each pattern is compiled and table read."""
    text = "DESPACHO. Intime-se o autor, CPF 104.332.181-00, em 5 dias. Campinas, 5 de março de 2025. R$ 10,00."
    order = Order(
        document_id="rehearsal",
        path="",
        filename="",
        media_type="",
        options=DocumentOptions(),
        reference_date=dt.date(2025, 3, 5),
        limits=Limits(),
    )
    _findings(Extract("text/plain", text), order, Reading(order.limits, order.options, lambda _share, _said: None))


def _findings(found: Extract, order: Order, reading: Reading) -> dict[str, object]:
    body = found.own_text
    reading.tell(86, "Identificando o tipo do documento")
    kind, score = classify(body, letter=found.media_type == mail.MEDIA_TYPE)
    entities = _entities(found, reading)
    page_of = found.page_of if found.page_starts else None
    reading.tell(94, "Procurando prazos")
    deadlines = find_deadlines(found.text, order.reference_date, page_of=page_of)
    reading.tell(97, "Resumindo")
    return {
        "document_type": kind,
        "document_type_score": score,
        "entities": entities,
        "deadlines": deadlines[:_MOST_DEADLINES],
        "summary": summarize(unwrap(body), weight=_weight(deadlines)),
        "language": detect_language(body),
    }


def _entities(found: Extract, reading: Reading) -> tuple[Entity, ...]:
    """Passage by passage, so that a long text shows progress and can stop in time."""
    entities: list[Entity] = []
    for start, end in passages(found.text, _PASSAGE):
        reading.tell(88 + 6 * start / len(found.text), "Procurando nomes, valores, datas e leis")
        if reading.time_is_up or len(entities) >= _MOST_ENTITIES:
            code: Code = "time_limit" if reading.time_is_up else "text_limit"
            reading.note(code, f"names and amounts were looked for in the first {start} characters only")
            break
        entities += (_moved(entity, start, found) for entity in find_entities(found.text[start:end]))
    return tuple(entities[:_MOST_ENTITIES])


def passages(text: str, longest: int) -> Iterator[tuple[int, int]]:
    """Stretches of `text` of at most `longest` characters, cut at the end of a line where there is one."""
    start = 0
    while start < len(text):
        end = start + longest
        if end < len(text):
            end = _cut(text, end - longest // 2, end)
        yield start, min(end, len(text))
        start = end


def _cut(text: str, earliest: int, latest: int) -> int:
    """Just behind the last line break between the two, else behind the last blank, else at `latest`."""
    line, blank = text.rfind("\n", earliest, latest), text.rfind(" ", earliest, latest)
    return 1 + (line if line >= 0 else blank if blank >= 0 else latest - 1)


def _moved(entity: Entity, start: int, found: Extract) -> Entity:
    """The entity of a passage that begins at `start`, placed in the whole text."""
    place = entity.start + start
    page = found.page_of(place) if found.page_starts else None
    return entity.model_copy(update={"start": place, "end": entity.end + start, "page": page})


def _weight(deadlines: Sequence[Deadline]) -> Callable[[str], float]:
    """Lifts the sentences that set a term or an event: they are what a lawyer must not miss."""
    told = tuple(" ".join(deadline.text.split()) for deadline in deadlines[:_DEADLINES_IN_SUMMARY])
    return lambda sentence: 1.6 if any(words in sentence for words in told) else 1.0


def _error(reading: Reading) -> str | None:
    """Each kind of problem once, the first of its kind: a thousand bad pages need no thousand sentences."""
    first: dict[str, str] = {}
    for problem in reading.problems:
        first.setdefault(problem.partition(":")[0], problem)
    return "; ".join(first.values())[:_LONGEST_ERROR] or None
