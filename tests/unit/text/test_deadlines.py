"""Terms and events of documents, counted by the law that governs them."""

from __future__ import annotations

import datetime as dt
import time

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


COURT = "Juízo da 2ª Vara Cível de Campinas. {} Campinas, 3 de fevereiro de 2025."


@pytest.mark.parametrize(
    ("order", "text", "rule", "due"),
    [
        (
            "Cite-se o Município para contestar em 30 dias, já contado em dobro.",
            "em 30 dias",
            "CPC art. 219",
            (3, 19),
        ),
        (
            "Intime-se a Fazenda para se manifestar no prazo de 15 dias, em dobro.",
            "no prazo de 15 dias",
            "CPC art. 219, em dobro (art. 183)",
            (3, 19),
        ),
        (
            "A Defensoria Pública manifeste-se: prazo em dobro: 10 dias.",
            "prazo em dobro: 10 dias",
            "CPC art. 219, em dobro (art. 186)",
            (3, 5),
        ),
        (
            "Mandado juntado aos autos em 05/02/2025. Conteste em 15 dias, contados da juntada.",
            "em 15 dias",
            "CPC art. 219",
            (2, 26),
        ),
        ("Conteste em 15 dias, contados da juntada do mandado.", "em 15 dias", "CPC art. 219", (2, 24)),
        ("Conteste em 15 dias, a contar de 10/02/2025.", "em 15 dias", "CPC art. 219", (3, 5)),
        ("Concedo o derradeiro prazo de 48h para pagamento.", "prazo de 48h", "CC art. 132 § 4º", (2, 5)),
        ("Concedo mais 10 dias.", "Concedo mais 10 dias", "CPC art. 219", (2, 17)),
        ("Requeiram o que entenderem em cinco dias.", "em cinco dias", "CPC art. 219", (2, 10)),
        ("Manifeste-se em 15 (quinze)\ndias úteis.", "em 15 (quinze)\ndias úteis", "CPC art. 219", (2, 24)),
        ("No prazo de 1 (um) mês, preste contas.", "No prazo de 1 (um) mês", "CC art. 132 § 3º", (3, 5)),
    ],
)
def test_a_term_of_a_court_is_counted_as_its_order_says(
    order: str, text: str, rule: str, due: tuple[int, int]
) -> None:
    deadline = only(COURT.format(order))
    assert (deadline.text, deadline.rule, deadline.due) == (text, rule, dt.date(2025, *due))


def test_a_notice_grants_its_term_to_the_reader() -> None:
    deadline = only(
        "NOTIFICAÇÃO EXTRAJUDICIAL. Concedo a V. Sa. trinta dias para sair. Guarapuava, 6 de agosto de 2024."
    )
    assert (deadline.rule, deadline.due) == ("CC art. 132", dt.date(2024, 9, 5))


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
        (
            "Designo o dia 22/04/2025, às 14h30min, para audiência de conciliação.",
            "22/04/2025, às 14h30min, para audiência",
            "audiência",
            (2025, 4, 22),
        ),
        (
            "Fica designado o dia 5 de maio de 2025, às 9 horas, para a realização da perícia.",
            "5 de maio de 2025, às 9 horas, para a realização da perícia",
            "perícia",
            (2025, 5, 5),
        ),
        (
            "Audiência de instrução e julgamento: 22 de abril de 2025 às 14:30 horas, sala 3.",
            "Audiência de instrução e julgamento: 22 de abril de 2025 às 14:30 horas",
            "audiência",
            (2025, 4, 22),
        ),
        (
            "A audiência se realizará no dia 22 de abril de 2025, às quatorze horas.",
            "audiência se realizará no dia 22 de abril de 2025, às quatorze horas",
            "audiência",
            (2025, 4, 22),
        ),
        ("Deposite até o dia 10 de abril de 2025.", "até o dia 10 de abril de 2025", "data fixada", (2025, 4, 10)),
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


def test_two_days_of_one_event_are_told_apart() -> None:
    text = "O leilão ocorrerá em 1ª praça em 12/05/2025, às 10h, e 2ª praça em 26/05/2025, às 10h."
    assert [(d.due, d.rule) for d in find_deadlines(text, READ_ON)] == [
        (dt.date(2025, 5, 12), "leilão"),
        (dt.date(2025, 5, 26), "leilão"),
    ]


def test_a_day_of_each_month_is_no_deadline() -> None:
    assert find_deadlines("Pague até o dia 10 de cada mês.", READ_ON) == ()


def test_many_terms_counted_from_a_step_are_read_at_once() -> None:
    text = "Vara Cível. Em 05/02/2025 pagou. Manifeste-se em 5 dias, contados da juntada. " * 1_000
    started = time.process_time()
    find_deadlines(text, READ_ON)
    assert time.process_time() - started < 5


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
