"""`despacho evaluate`: how good the engines that are set are on a file of labelled examples. Needs no server.

What is read, asked and measured is the business of `actors.evaluation`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.errors import InvalidInput
from tasks.settings import Settings

if TYPE_CHECKING:
    from actors.evaluation.evaluation import Evaluation
    from actors.evaluation.gold import Kind


def evaluate(given: argparse.Namespace, settings: Settings) -> int:
    """Print the evaluation; write the page and the answers that were asked for. Raises `InvalidInput` for examples
    that can't be used and for a file that can't be written."""
    from actors.evaluation.as_page import as_page
    from actors.evaluation.as_text import as_text
    from actors.evaluation.gold import kind_of

    gold = Path(given.gold)
    evaluation = _evaluated(given.task or kind_of(gold), gold, given.labels or (), settings)
    print(as_text(evaluation), end="")
    if given.html:
        _write(given.html, [as_page(evaluation, gold.name)], "--html")
    if given.answers:
        _write(given.answers, (json.dumps(a, ensure_ascii=False) + "\n" for a in evaluation.answers), "--answers")
    return 0


def _evaluated(kind: Kind, gold: Path, labels: Sequence[str], settings: Settings) -> Evaluation:
    from actors.engines.documents.classification import classify
    from actors.engines.text.entities import find_entities
    from actors.evaluation import documents, entities, extraction, triage
    from actors.evaluation.gold import (
        DocumentsExample,
        EntitiesExample,
        ExtractionExample,
        TriageExample,
        examples,
    )
    from actors.toolbox import Engines

    engines = Engines(settings)
    if kind == "triage":
        conversations = examples(gold, TriageExample)
        return triage.evaluate(conversations, engines.triage, engines.today(), _told)
    if kind == "entities":
        return entities.evaluate(examples(gold, EntitiesExample), find_entities, _told, labels)
    if kind == "documents":
        return documents.evaluate(examples(gold, DocumentsExample), classify, find_entities, _told)
    files = examples(gold, ExtractionExample)
    return extraction.evaluate(files, gold.parent, engines.documents, engines.today(), _told)


def _told(done: int, total: int) -> None:
    """How far it is, on one line of a terminal, and nowhere else."""
    if sys.stderr.isatty():
        print(f"\r{done} of {total}", end="" if done < total else "\r\033[K", file=sys.stderr, flush=True)


def _write(path: str, parts: Iterable[str], flag: str) -> None:
    try:
        with Path(path).open("w", encoding="utf-8") as file:
            file.writelines(parts)
    except OSError as error:
        raise InvalidInput.of(flag, f"can't write {path}: {error.strerror}") from None
