"""Terms and events of documents, counted by the law that governs them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.engines.text.deadlines import find_deadlines
from actors.engines.text.document_date import document_date
from tasks.payloads import Deadline

READ_ON = dt.date(2025, 3, 10)


def only(text: str, reference: dt.date = READ_ON) -> Deadline:
    (deadline,) = find_deadlines(text, reference)
    assert text[deadline.start : deadline.end] == deadline.text
    return deadline


@pytest.mark.parametrize(
    ("document", "rule", "due"),
    [
        (
            "Juízo da 2ª Vara Cível. Intime-se a autora para, no prazo de 15 (quinze) dias úteis, emendar a "
            "inicial. Campinas, 3 de fevereiro de 2025.",
            "CPC art. 219",
            (2025, 2, 24),
        ),
        (
            "1ª Vara do Trabalho de Betim. Intime-se a reclamada para se manifestar em 5 dias. 14/02/2025.",
            "CLT art. 775",
            (2025, 2, 21),
        ),
        (
            "2ª Vara Criminal. Cite-se o réu para responder no prazo de 10 dias. Recife, 7 de março de 2025.",
            "CPP art. 798",
            (2025, 3, 19),
        ),
        (
            "Juizado Especial Cível. Intime-se o autor para juntar documentos em 10 dias. 06/03/2025.",
            "Lei 9.099/1995 art. 12-A",
            (2025, 3, 20),
        ),
        (
            "Vara Cível. Intime-se o executado para pagar em 3 (três) dias. Recife, 18 de dezembro de 2024.",
            "CPC art. 219",
            (2025, 1, 22),
        ),
        (
            "Vara Cível. Intime-se o réu para cumprir a ordem em 48 horas, sob pena de multa.",
            "CC art. 132 § 4º",
            (2025, 3, 12),
        ),
        (
            "Notificação extrajudicial. Fica o devedor notificado a pagar no prazo de 10 (dez) dias, sob pena "
            "das medidas cabíveis. Belém, 12/02/2025.",
            "CC art. 132",
            (2025, 2, 24),
        ),
        (
            "Receita Federal. Auto de infração. Fica o contribuinte notificado a impugnar no prazo de 30 dias.",
            "Decreto 70.235/1972 art. 5º",
            (2025, 4, 9),
        ),
        (
            "Vara Cível. Intime-se o réu para contestar no prazo legal, sob pena de revelia. 10/03/2025.",
            "CPC art. 335",
            (2025, 3, 31),
        ),
        (
            "Poder Judiciário. Cumpra-se, sob pena de multa diária. Juiz de Direito.",
            "CPC art. 218 § 3º",
            (2025, 3, 17),
        ),
    ],
)
def test_a_term_is_counted_by_the_law_of_its_document(document: str, rule: str, due: tuple[int, int, int]) -> None:
    deadline = only(document)
    assert (deadline.rule, deadline.due) == (rule, dt.date(*due))


@pytest.mark.parametrize(
    ("document", "text", "rule", "due"),
    [
        (
            "Designo audiência de instrução para o dia 15/04/2025, às 14h. Intimem-se.",
            "audiência de instrução para o dia 15/04/2025, às 14h",
            "audiência",
            (2025, 4, 15),
        ),
        (
            "Fica o segurado ciente da perícia médica agendada para 20 de março de 2025 às 08:30.",
            "perícia médica agendada para 20 de março de 2025 às 08:30",
            "perícia",
            (2025, 3, 20),
        ),
        ("BOLETO. Vencimento: 10/04/2025. Valor R$ 300,00", "Vencimento: 10/04/2025", "vencimento", (2025, 4, 10)),
        ("A fatura vence em 05/04/2025.", "vence em 05/04/2025", "vencimento", (2025, 4, 5)),
        ("A paciente deve ser operada até 12/03/2025.", "até 12/03/2025", "data fixada", (2025, 3, 12)),
    ],
)
def test_an_event_falls_on_its_day(document: str, text: str, rule: str, due: tuple[int, int, int]) -> None:
    deadline = only(document)
    assert (deadline.text, deadline.rule, deadline.due) == (text, rule, dt.date(*due))


@pytest.mark.parametrize(
    "document",
    [
        "A audiência realizada em 10/02/2025 restou infrutífera.",
        "O contrato vigora pelo prazo de 30 meses.",
        "Vara Cível. O réu, no prazo de 15 dias, apresentou contestação.",
        "Trabalhou em 15 dias o que outros fazem num mês.",
        "Oi, boa tarde!",
        "",
    ],
)
def test_what_is_past_or_a_mere_duration_is_no_deadline(document: str) -> None:
    assert find_deadlines(document, READ_ON) == ()


def test_two_events_of_one_sentence_are_two_deadlines() -> None:
    text = "O primeiro leilão será em 2 de abril de 2025, às 10h, e o segundo leilão em 16 de abril de 2025."
    assert [d.due for d in find_deadlines(text, READ_ON)] == [dt.date(2025, 4, 2), dt.date(2025, 4, 16)]


def test_a_term_without_a_length_has_no_due_day() -> None:
    deadline = only("Fica notificado a responder no prazo legal.")
    assert (deadline.rule, deadline.due) == ("prazo legal", None)


def test_pages_come_from_the_caller() -> None:
    text = "capa\fA fatura vence em 05/04/2025."
    (deadline,) = find_deadlines(text, READ_ON, page_of=lambda at: 1 + text.count("\f", 0, at))
    assert deadline.page == 2


def test_a_document_is_dated_by_its_place_and_not_by_what_it_tells() -> None:
    text = "Em 10/08/2023 o autor pagou. Vence até 12/03/2025.\nBetim, 14 de fevereiro de 2025. Juíza de Direito"
    assert document_date(text, READ_ON) == dt.date(2025, 2, 14)
    assert document_date("O fato ocorreu em 10/08/2023, às 15h.", READ_ON) is None
    assert document_date("Intime-se. 06/03/2025.", READ_ON) == dt.date(2025, 3, 6)


@given(st.text(max_size=300), st.dates())
@example("no prazo de 9999 dias úteis. Vara Cível. Intime-se.", dt.date.max)
@example("em 9999 horas cumpra-se; prazo: 0 dias", dt.date.min)
def test_any_text_is_read_without_an_error(text: str, reference: dt.date) -> None:
    for deadline in find_deadlines(text, reference):
        assert text[deadline.start : deadline.end] == deadline.text
