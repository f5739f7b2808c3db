from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from actors.evaluation.gold import EntitiesExample, TriageExample, examples, kind_of
from tasks.errors import InvalidInput


def written(folder: Path, *rows: dict[str, Any] | str) -> Path:
    path = folder / "gold.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def test_a_conversation_ends_with_the_message(tmp_path: Path) -> None:
    turn = {"role": "assistant", "content": "Como posso ajudar?"}
    gold = written(
        tmp_path,
        {
            "id": "a",
            "conversation_history": [turn],
            "user_message": "fui multado",
            "area": "administrativo",
            "urgency": "low",
            "reference_date": "2026-05-13",
            "why": "a field that nobody asked for",
        },
    )

    (example,) = examples(gold, TriageExample)

    assert [turn.content for turn in example.conversation] == ["Como posso ajudar?", "fui multado"]
    assert example.reference_date == dt.date(2026, 5, 13)
    assert kind_of(gold) == "triage"


def test_an_example_may_be_a_plain_text_without_a_name(tmp_path: Path) -> None:
    (example,) = examples(written(tmp_path, "", {"text": "fui multado", "area": "administrativo"}), TriageExample)

    assert example.id == "line 2"
    assert example.conversation[0].by_client


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"id": "a", "text": "t", "entities": []}, "entities"),
        ({"id": "a", "text": "t", "doc_type": "contrato", "entities": []}, "documents"),
        ({"id": "a", "text": "t", "doc_type": "contrato", "file": "a.pdf"}, "extraction"),
    ],
)
def test_what_examples_are_for_is_told_by_their_fields(tmp_path: Path, row: dict[str, Any], kind: str) -> None:
    assert kind_of(written(tmp_path, row)) == kind


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("{",), "line 1: is not a JSON object"),
        (("[1]",), "line 1: is not a JSON object"),
        (({"area": "civil", "text": "t"},), "line 1: area"),
        (({"area": "civel", "text": "t"}, {"area": "civel", "text": "t", "urgency": "asap"}), "line 2: urgency"),
        (({"id": "a", "area": "civel"}, {"id": "a", "area": "civel"}), "'a' comes twice"),
        (("",), "has no example"),
    ],
)
def test_examples_that_cannot_be_used_are_named(tmp_path: Path, rows: tuple[Any, ...], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        examples(written(tmp_path, *rows), TriageExample)


def test_examples_of_an_unknown_kind_ask_for_the_task(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--task triage"):
        kind_of(written(tmp_path, {"text": "t"}))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.jsonl: can't be read"):
        examples(tmp_path / "none.jsonl", EntitiesExample)


def test_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_bytes(b'{"text": "a\xe7\xe3o"}\n')

    with pytest.raises(InvalidInput, match="is not UTF-8"):
        examples(path, EntitiesExample)
