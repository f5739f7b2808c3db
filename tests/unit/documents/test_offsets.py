"""In every format, all that is found stands in the stored text where it is said to stand, and on that page."""

from __future__ import annotations

import datetime as dt
import html
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.engines.documents.analysis import analyze
from actors.engines.documents.limits import Limits
from actors.engines.documents.protocol import Order
from tasks.payloads import DocumentOptions
from tests.unit.documents import builders

TOLD = (
    "Juízo da 2ª Vara Cível de Campinas.",
    "Processo nº 1234567-47.2023.8.26.0100",
    "CPF nº 529.982.247-25,",
    "CNPJ 12.ABC.345/01DE-35",
    "Dra. Ana Reis, OAB/SP nº 187.654",
    "multa de R$ 1.500,00 (mil e quinhentos reais)",
    "nos termos do art. 487, I, do CPC e da Súmula 608 do STJ",
    "Intime-se o réu para pagar no prazo de 15 (quinze) dias úteis, sob pena de multa.",
    "Designo o dia 22/04/2025, às 14h30, para audiência de conciliação.",
    "Campinas, 3 de fevereiro de 2025.",
    "escreva a ana@example.com ou ligue (11) 98765-4321",
)
ODD = (
    "a\u0301\u0327",
    "ﬁm",
    "\xa0",
    "co\xadmarca",
    "“aspas”",
    "–",
    "\u200b",
    "  ",
    "<&>",
    "ÿÿ",
    "İ",
    "😀",
    "\t",
    "ß",
)
PARAGRAPHS = st.lists(
    st.lists(st.sampled_from(TOLD + ODD), min_size=1, max_size=5).map(" ".join), min_size=1, max_size=6
)


def in_latin(text: str) -> str:
    return text.encode("cp1252", "ignore").decode("cp1252")


def escaped(lines: list[str]) -> list[str]:
    return [html.escape(line) for line in lines]


BUILDERS: dict[str, Callable[[list[str]], bytes]] = {
    "pdf": lambda lines: builders.pdf(*map(in_latin, lines)),
    "docx": lambda lines: builders.docx(*escaped(lines)[1:], header=escaped(lines)[0], footer=escaped(lines)[-1]),
    "odt": lambda lines: builders.odt(*escaped(lines)[1:], header=escaped(lines)[0]),
    "rtf": lambda lines: builders.rtf(in_latin("\\par ".join(lines))),
    "html": lambda lines: f"<html><body><p>{'<p>'.join(escaped(lines))}</body></html>".encode(),
    "eml": lambda lines: builders.eml("\n".join(lines), attachments={"a.docx": builders.docx(*escaped(lines))}),
    "xlsx": lambda lines: builders.xlsx(*((line, line) for line in escaped(lines))),
    "txt": lambda lines: "\r\n".join(lines).encode(),
    "utf-16": lambda lines: "\n".join(lines).encode("utf-16"),
    "cp1252": lambda lines: in_latin("\n".join(lines)).encode("cp1252"),
}


@pytest.mark.parametrize("kind", BUILDERS)
def test_what_is_found_stands_where_it_is_said_to(kind: str) -> None:
    with tempfile.NamedTemporaryFile() as stored:

        @settings(max_examples=25, deadline=None)
        @given(PARAGRAPHS)
        def holds(paragraphs: list[str]) -> None:
            Path(stored.name).write_bytes(BUILDERS[kind](paragraphs))
            assert_found_in_place(stored.name, len(paragraphs) if kind == "pdf" else None)

        holds()


def assert_found_in_place(path: str, pages: int | None) -> None:
    result = analyze(order(path), lambda _told: None)
    found = (*result.analysis.entities, *result.analysis.deadlines)
    stored = result.text.encode(errors="replace").decode()  # as the blob keeps it
    assert [one.text for one in found] == [stored[one.start : one.end] for one in found]
    assert all(one.start < one.end and one.text == one.text.strip() for one in found)
    assert result.analysis.pages == pages
    assert {one.page for one in found} <= (set(range(1, pages + 1)) if pages else {None})
    for kind in {entity.type for entity in result.analysis.entities}:
        of_kind = [entity for entity in result.analysis.entities if entity.type == kind]
        assert all(one.end <= other.start for one, other in pairwise(of_kind))


def order(path: str) -> Order:
    return Order(
        document_id="doc-1",
        path=path,
        filename="arquivo",
        media_type="",
        options=DocumentOptions(),
        reference_date=dt.date(2025, 3, 10),
        limits=Limits(),
    )


def test_each_page_of_a_pdf_keeps_its_own_finds() -> None:
    pages = [f"Folha {n} dos autos, em que se cobra a quantia de R$ {n}.500,00." for n in range(1, 30)]
    with tempfile.NamedTemporaryFile() as stored:
        Path(stored.name).write_bytes(builders.pdf(*pages))
        result = analyze(order(stored.name), lambda _told: None)

    amounts = [entity for entity in result.analysis.entities if entity.type == "MONEY"]
    assert [(entity.page, entity.value) for entity in amounts] == [(n, f"{n}500.00") for n in range(1, 30)]
