"""The whole command, over examples that are written here and the engines that ship."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.main import main

CHATS = [
    ("a", "meu patrão me mandou embora e não pagou o acerto", "trabalhista", "medium"),
    ("b", "o plano negou a uti do meu pai, ele tá morrendo", "saude", "critical"),
    ("c", "bom dia, qual o horário de vocês?", "indefinido", "low"),
    ("d", "the airline lost my luggage", "familia", "low"),
]
CONTRACT = "CONTRATO DE LOCAÇÃO\nLOCADOR: Jorge, CPF 104.332.181-00. CLÁUSULA 1ª. O aluguel é de R$ 900,00."


def written(folder: Path, rows: list[dict[str, Any]]) -> str:
    path = folder / "gold.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def chats(tmp_path: Path) -> str:
    rows = [
        {"id": name, "user_message": text, "area": area, "urgency": level, "tags": ["short"]}
        for name, text, area, level in CHATS
    ]
    return written(tmp_path, rows)


def test_triage_is_scored_and_its_misses_are_shown(chats: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["evaluate", chats])

    said = capsys.readouterr().out
    assert code == 0
    assert "triage: 4 examples, engine local/" in said
    assert "  area accuracy                 0.750" in said
    assert "  critical or high as low       0.000" in said
    assert "d, area: familia for consumidor" in said
    assert "the airline lost my luggage" in said


def test_the_page_shows_the_matrix_and_escapes_what_clients_wrote(tmp_path: Path) -> None:
    gold = written(tmp_path, [{"id": "x", "text": "<script>alert(1)</script> fui multado", "area": "saude"}])
    page = tmp_path / "page.html"

    assert main(["evaluate", gold, "--html", str(page)]) == 0

    html = page.read_text()
    assert 'title="saude taken for administrativo: 1"' in html
    assert "<script" not in html
    assert "http" not in html


def test_every_answer_is_written_in_the_order_of_the_file(chats: str, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"

    main(["evaluate", chats, "--answers", str(out)])

    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert [answer["id"] for answer in answers] == ["a", "b", "c", "d"]
    assert answers[1]["urgency"] == "critical"


def test_documents_are_scored_with_what_they_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = CONTRACT.index("104")
    cpf = {"label": "CPF", "start": start, "end": start + 14, "valid": True}
    gold = written(tmp_path, [{"id": "x", "text": CONTRACT, "doc_type": "contrato", "entities": [cpf]}])

    main(["evaluate", gold])

    said = capsys.readouterr().out
    assert "type accuracy               1.000" in said
    assert "check-digit verdicts right  1.000  of 1" in said


def test_entities_are_scored_by_the_labels_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = CONTRACT.index("104")
    entities = [{"label": "CPF", "start": start, "end": start + 14}, {"label": "PESSOA", "start": 0, "end": 8}]
    gold = written(tmp_path, [{"id": "x", "text": CONTRACT, "entities": entities}])

    main(["evaluate", gold, "--label", "CPF"])
    assert "entities, exact F1    1.000" in capsys.readouterr().out

    main(["evaluate", gold])
    assert "x, PESSOA: CONTRATO for –" in capsys.readouterr().out


def test_entities_of_unknown_labels_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold = written(tmp_path, [{"id": "x", "text": CONTRACT, "entities": [{"label": "LOCAL", "start": 0, "end": 3}]}])

    assert main(["evaluate", gold]) == 2
    assert "none has a label that we know" in capsys.readouterr().err


def test_files_are_read_beside_their_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text(CONTRACT)
    (tmp_path / "b.txt").write_text(CONTRACT.partition("\n")[0])
    (tmp_path / "c.txt").touch()
    rows = [{"id": n, "file": f"{n}.txt", "text": CONTRACT, "doc_type": "contrato"} for n in "abcd"]

    code = main(["evaluate", written(tmp_path, rows)])

    said = capsys.readouterr().out
    assert code == 0
    assert "words too many  0.000  per true word" in said
    assert "d, text: all words for 0.000 of them; missing" in said
    assert "a, text" not in said


def test_a_page_that_cannot_be_written_is_said(chats: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", chats, "--html", "no/such/folder/page.html"]) == 2
    assert "--html: can't write no/such/folder/page.html" in capsys.readouterr().err
