"""What kind a document is: by its title, by its phrases without one, and through the noise of OCR."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.documents.classification import classify
from tasks.payloads import DocumentType
from tests.unit.documents.specimens import SPECIMENS

KINDS = get_args(DocumentType)


def test_every_kind_has_specimens() -> None:
    assert {kind for kind, _ in SPECIMENS} == set(KINDS)


@pytest.mark.parametrize(("kind", "text"), SPECIMENS, ids=lambda value: value[:40])
def test_a_document_is_known_by_its_form(kind: DocumentType, text: str) -> None:
    assert classify(text)[0] == kind


@pytest.mark.parametrize(
    "worn", [str.upper, lambda t: _unaccented(t), lambda t: t.replace("\n", " "), lambda t: t.replace(" ", "  ")]
)
def test_case_accents_and_line_breaks_hardly_matter(worn: Callable[[str], str]) -> None:
    right = sum(classify(worn(text))[0] == kind for kind, text in SPECIMENS)

    assert right / len(SPECIMENS) >= 0.94


@pytest.mark.parametrize("title", ["S E N T E N Ç A", "SENTENGA", "SENTENÇA", "sentença", "SENTEN�A", "5ENTENÇA"])
def test_a_title_is_read_through_the_mistakes_of_ocr(title: str) -> None:
    assert classify(f"{title}\nO pedido merece acolhida em parte.")[0] == "sentenca"


def test_a_title_far_down_does_not_count() -> None:
    text = "Bom dia, doutora. Segue o que chegou ontem. Obrigada. Abraços, Rute.\n" + "linha\n" * 200 + "SENTENÇA\n"

    assert classify(text)[0] == "carta_email"


def test_words_of_no_kind_are_other_and_unsure() -> None:
    kind, score = classify("lorem ipsum dolor sit amet")

    assert kind == "outro"
    assert score < 0.9


def test_an_email_without_marks_of_another_kind_is_a_letter() -> None:
    text = "Preciso saber se dá para adiar. Telefone 11 4002-8922."

    assert classify(text, letter=True)[0] == "carta_email"


@given(st.text(max_size=400))
def test_any_text_has_a_kind_and_a_score(text: str) -> None:
    kind, score = classify(text)

    assert kind in KINDS
    assert 0 <= score <= 1


@pytest.mark.parametrize(
    "bait", ["a ", "julgo ", "contratante ", "s e ", "\n", ". ", "de: ", "requer ", "constitui "]
)
def test_a_megabyte_of_repeats_is_judged_at_once(bait: str) -> None:
    started = time.monotonic()

    classify(bait * (1_000_000 // len(bait)))

    assert time.monotonic() - started < 2


def _unaccented(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
