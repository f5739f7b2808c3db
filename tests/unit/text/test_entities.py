"""All entities of a text, put together."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.engines.text.entities import find_entities

PETITION = """EXCELENTÍSSIMO SENHOR JUIZ DE DIREITO DA 4ª VARA CÍVEL DA COMARCA DE SANTOS
MARTA HELENA PRADO, brasileira, CPF 529.982.247-25, e-mail marta@exemplo.com.br, telefone (13) 98765-4321,
vem propor ação em face de MÓVEIS AURORA LTDA., CNPJ 11.222.333/0001-81.
Em 3 de janeiro de 2025 pagou R$ 2.300,00 por um sofá.
Aplica-se o art. 18, § 1º, II, da Lei nº 8.078, de 11 de setembro de 1990, e a Súmula 297 do STJ.
Santos, 10 de março de 2025.
João Pedro Lima – OAB/SP 123.456"""


def told(text: str, kind: str) -> list[str]:
    return [e.text for e in find_entities(text) if e.type == kind]


def test_a_petition_names_its_parties_its_law_and_its_days() -> None:
    assert told(PETITION, "CPF") == ["529.982.247-25"]
    assert told(PETITION, "CNPJ") == ["11.222.333/0001-81"]
    assert told(PETITION, "EMAIL") == ["marta@exemplo.com.br"]
    assert told(PETITION, "PHONE") == ["(13) 98765-4321"]
    assert told(PETITION, "OAB") == ["OAB/SP 123.456"]
    assert told(PETITION, "MONEY") == ["R$ 2.300,00"]
    assert told(PETITION, "PESSOA") == ["MARTA HELENA PRADO", "João Pedro Lima"]
    assert "MÓVEIS AURORA LTDA." in told(PETITION, "ORGANIZACAO")
    assert told(PETITION, "JURISPRUDENCIA") == ["Súmula 297 do STJ"]


def test_a_law_is_told_without_its_date_and_the_date_by_itself() -> None:
    assert told(PETITION, "LEGISLACAO") == ["art. 18, § 1º, II, da Lei nº 8.078"]
    assert told(PETITION, "TEMPO") == ["3 de janeiro de 2025", "11 de setembro de 1990", "10 de março de 2025"]


def test_values_are_normalised() -> None:
    values = {e.type: e.value for e in find_entities(PETITION)}
    assert values["MONEY"] == "2300.00"
    assert values["TEMPO"] == "2025-03-10"
    assert values["PHONE"] == "+5513987654321"
    assert values["CPF"] == "52998224725"


@pytest.mark.parametrize(
    ("text", "references"),
    [
        (
            "Violou os arts. 5º, LV, da Constituição Federal e 818 da CLT.",
            ["arts. 5º, LV, da Constituição Federal", "818 da CLT"],
        ),
        (
            "Nos termos do artigo 927, parágrafo único, do Código Civil.",
            ["artigo 927, parágrafo único, do Código Civil"],
        ),
        ("Incide a Lei Maria da Penha no caso.", ["Lei Maria da Penha"]),
        ("Ver o Decreto-Lei nº 5.452/1943 e a MP 2.200-2/2001.", ["Decreto-Lei nº 5.452/1943", "MP 2.200-2/2001"]),
    ],
)
def test_each_law_of_a_list_is_told_by_itself(text: str, references: list[str]) -> None:
    assert told(text, "LEGISLACAO") == references


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ("Conforme o REsp 1.061.852/PR, julgado pela Corte.", ["REsp 1.061.852/PR"]),
        ("Ver AgRg no AREsp 377.846/SP e HC 110.260/SP.", ["AgRg no AREsp 377.846/SP", "HC 110.260/SP"]),
        ("Óbice da Súmula Vinculante nº 10 do STF.", ["Súmula Vinculante nº 10 do STF"]),
    ],
)
def test_rulings_are_told_with_their_court_or_state(text: str, references: list[str]) -> None:
    assert told(text, "JURISPRUDENCIA") == references


def test_the_own_number_of_a_document_is_no_case_law() -> None:
    text = "SENTENÇA\nProcesso nº 0728977-91.2022.8.26.0550\n" + "O pedido é procedente. " * 12
    assert told(text, "CNJ") == ["0728977-91.2022.8.26.0550"]
    assert told(text, "JURISPRUDENCIA") == []


def test_a_client_may_write_without_capitals() -> None:
    assert told("meu nome é Ana Paula Reis e moro em Betim", "PESSOA") == ["Ana Paula Reis"]
    assert told("isso é contra o art 7 da clt?", "LEGISLACAO") == ["art 7 da clt"]


def test_two_people_joined_by_and_are_two() -> None:
    assert told("Contraentes: Fábio Leal e Denise Couto.", "PESSOA") == ["Fábio Leal", "Denise Couto"]


def test_pages_come_from_the_caller() -> None:
    text = "capa\fvalor de R$ 10,00"
    (entity,) = find_entities(text, page_of=lambda at: 1 + text.count("\f", 0, at))
    assert entity.page == 2


@settings(deadline=None)
@given(st.text(max_size=300))
@example("art. 5\u0301º da CF, R$ 1\u0300,00 \x00 12/03/2025")
def test_any_text_is_read_without_an_error_and_in_order(text: str) -> None:
    found = find_entities(text)
    assert [e.start for e in found] == sorted(e.start for e in found)
    for entity in found:
        assert text[entity.start : entity.end] == entity.text


@pytest.mark.parametrize("bait", ["art. 1, ", "SILVA E ", "AgRg no ", "1.", "R$ 1.", "a@a.", "E-", "\x00", "a\u0301"])
def test_time_grows_with_the_length_and_no_faster(bait: str) -> None:
    find_entities(bait * 100)
    short, long = (_seconds(bait * (size // len(bait))) for size in (25_000, 100_000))
    assert long < 12 * max(short, 0.02)


def _seconds(text: str) -> float:
    begin = time.process_time()
    find_entities(text)
    return time.process_time() - begin
