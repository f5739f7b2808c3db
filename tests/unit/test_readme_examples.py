"""What the DOCUMENTATION shows of the engines is what they answer today."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.engines import SourceDocument
from actors.engines.triage.bank import narratives
from actors.toolbox import Engines
from tasks.payloads import DocumentOptions, TriagePayload, Turn
from tasks.settings import Settings
from tests.documentation import DOCUMENTATION

TODAY = dt.date(2026, 11, 24)


def block(label: str) -> str:
    (found,) = re.findall(rf"^```\w+ {label}\n(.*?)^```$", DOCUMENTATION, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    engines = Engines(Settings.load())
    yield engines
    engines.documents.close()  # type: ignore[attr-defined]


def unheard(_percent: float, _message: str) -> None:
    """Nobody watches."""


def test_the_triage_is_the_one_that_is_shown(engines: Engines) -> None:
    asked = TriagePayload.model_validate_json(block("triage-question"))
    last = Turn(role="client", content=asked.user_message or "")
    conversation = (*(asked.conversation_history or ()), last)

    result = engines.triage.triage(asked.case_id, conversation, asked.reference_date or TODAY, unheard)

    assert rounded(result.model_dump(mode="json")) == rounded(json.loads(block("triage-answer")))


def rounded(triage: dict[str, Any]) -> dict[str, Any]:
    """Scores to two digits: processors differ in the last ones."""
    areas = [{**area, "score": pytest.approx(area["score"], abs=0.01)} for area in triage["areas"]]
    return {**triage, "areas": areas, "confidence": pytest.approx(triage["confidence"], abs=0.01)}


def test_the_document_is_the_one_that_is_shown(engines: Engines, tmp_path: Path) -> None:
    shown = json.loads(block("document-answer"))
    file = tmp_path / "mandado.txt"
    file.write_text(block("document-question"))
    source = SourceDocument(shown["document_id"], file, file.name, "text/plain")

    read = engines.documents.analyze(source, DocumentOptions(reference_date=TODAY), TODAY, unheard)

    assert read.analysis.model_dump(mode="json") == {**shown, "text_url": None}
    for found in (*shown["entities"], *shown["deadlines"]):
        assert read.text[found["start"] : found["end"]] == found["text"]


def test_the_size_of_the_bank_is_the_one_that_is_told() -> None:
    assert f"learns from {len(narratives()):,} narratives" in DOCUMENTATION
