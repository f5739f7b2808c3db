"""Identifiers and amounts in all the forms that people, forms, OCR and line breaks give them; and what only looks
like one."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.text.check_digits import cnpj_is_valid, cpf_is_valid
from actors.engines.text.entities import find_entities
from actors.engines.text.identifiers import find_identifiers
from actors.engines.text.money import find_money
from tasks.payloads import Entity

CHECKED = ("CNJ", "CPF", "CNPJ", "OAB", "MONEY")
NUMBER = "1234567-47.2023.8.26.0100"
BARE = "12345674720238260100"


def found(text: str) -> list[Entity]:
    entities = [entity for entity in find_entities(text) if entity.type in CHECKED]
    assert all(text[entity.start : entity.end] == entity.text for entity in entities)
    return entities


def told(text: str) -> list[tuple[str, str, str]]:
    return [(entity.type, entity.text, entity.value) for entity in found(text)]


@pytest.mark.parametrize(
    ("before", "written", "after"),
    [
        ("Processo nº ", NUMBER, "."),
        ("proc.", NUMBER, " em curso"),
        ("Processo nº ", "1234567-47\n.2023.8.26.0100", " em curso"),
        ("Processo nº ", "1234567-\n47.2023.8.26.0100", " em curso"),
        ("Autos ", "1234567 - 47 . 2023 . 8 . 26 . 0100", ", fls. 3"),
        ("Autos ", "1234567–47.2023.8.26.0100", ""),
        ("Autos n. ", NUMBER, "/001"),
        ("(", NUMBER, ")"),
        ("o número é ", BARE, "."),
    ],
)
def test_a_case_number(before: str, written: str, after: str) -> None:
    assert told(before + written + after) == [("CNJ", written, BARE)]


@pytest.mark.parametrize(
    "written",
    [
        "CPF/MF sob o nº [529.982.247-25],",
        "CPF: [529 982 247 25]",
        "CPF: [529.982.247 25]",
        "CPF [529982247-25]",
        "CPF nº [529.982.\n247-25]",
        "CPF nº [529.982.247-\n25]",
        "CPF n. [529 . 982 . 247 - 25]",
        "CPF [529,982,247-25]",
        "C.P.F. [52998224725]",
        "CPF de Maria: [52998224725]",
        "CPF/CNPJ: [529.982.247-25]",
        "inscrito no Cadastro de Pessoas Físicas sob o número [52998224725]",
        "tel. (11) 98765-4321, CPF [52998224725]",
        "portadora do RG 12.345.678-9 e do CPF [529.982.247-25]",
    ],
)
def test_a_cpf(written: str) -> None:
    text, span = unmarked(written)

    (entity,) = found(text)

    assert (entity.type, entity.text, entity.value, entity.valid) == ("CPF", span, "52998224725", True)


def unmarked(written: str) -> tuple[str, str]:
    """The text without the brackets around what is to be found, and that."""
    return written.replace("[", "").replace("]", ""), written[written.index("[") + 1 : written.index("]")]


@pytest.mark.parametrize(
    ("written", "valid"),
    [
        ("CNPJ [11.222.333/0001 - 81]", True),
        ("CNPJ [11 222 333 0001 81]", True),
        ("CNPJ: [11.222.333 / 0001-81]", True),
        ("CNPJ [11.222.333/\n0001-81]", True),
        ("CNPJ [11. 222. 333/0001-\n81]", True),
        ("CNPJ [11222333/0001-81]", True),
        ("C.N.P.J. [11222333000180]", False),
        ("inscrita no CNPJ/MF sob o nº [11.222.333/0001-81]", True),
        ("CNPJ [12.ABC.345/01DE-35]", True),
        ("CNPJ [12.abc.345/01de-35]", True),
        ("CNPJ [12ABC34501DE35]", True),
        ("CNPJ [12ABC345/01DE-35]", True),
        ("CNPJ: [12 ABC 345 01DE 35]", True),
        ("CNPJ n.º [12.ABC.345/01DE-36]", False),
        ("a empresa [12.ABC.345/01DE-35] está ativa", True),
    ],
)
def test_a_cnpj(written: str, valid: bool) -> None:
    text, span = unmarked(written)

    (entity,) = found(text)

    assert (entity.type, entity.text, entity.valid) == ("CNPJ", span, valid)
    assert entity.value == "".join(c for c in span if c.isalnum()).upper()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("OAB/SP nº 123.456", "SP123456"),
        ("OAB-RJ 12.345-A", "RJ12345A"),
        ("OAB/SP123.456", "SP123456"),
        ("OAB SP 123.456", "SP123456"),
        ("OAB/SP, sob o n.º 123.456", "SP123456"),
        ("OAB (SP) 123.456", "SP123456"),
        ("OAB nº 123.456/SP", "SP123456"),
        ("OAB 123.456-SP", "SP123456"),
        ("OAB/SP n° 123.456-B", "SP123456B"),
        ("O.A.B./SP 123.456", "SP123456"),
        ("O.A.B. - SP nº 123.456", "SP123456"),
        ("0AB/SP 123.456", "SP123456"),
        ("OAB/\nSP 123.456", "SP123456"),
        ("OAB/SP nº\n123.456", "SP123456"),
        ("OAB/SP 123 456", "SP123456"),
        ("OAB/SP 2.233", "SP2233"),
        ("OAB, seccional do Paraná, sob o nº 45.678", "PR45678"),
        ("OAB, Seção São Paulo, sob nº 45.678", "SP45678"),
        ("OAB/Seccional de Minas Gerais sob o número 45678", "MG45678"),
        ("Ordem dos Advogados do Brasil, Seção do Rio de Janeiro, sob o nº 45.678", "RJ45678"),
    ],
)
def test_a_bar_number(written: str, value: str) -> None:
    assert told(f"Dra. Ana Reis, inscrita na {written}, com escritório") == [("OAB", written, value)]


def test_two_bar_numbers_in_a_row_are_two() -> None:
    assert [value for _, _, value in told("OAB/SP 123.456 e OAB/RJ 98.765 A parte")] == ["SP123456", "RJ98765"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("R$1.234.567", "1234567.00"),
        ("R$ 2,5 milhões", "2500000.00"),
        ("R$\n1.234,56", "1234.56"),
        ("R$ 1.234,\n56", "1234.56"),
        ("R$ 1. 234,56", "1234.56"),
        ("R$ 1.234 ,56", "1234.56"),
        ("R $ 1.234,56", "1234.56"),
        ("R$: 1.234,56", "1234.56"),
        ("R$ 1 234,56", "1234.56"),
        ("mil e duzentos reais", "1200.00"),
        ("dois milhões e quinhentos mil reais", "2500000.00"),
        ("trezentos reais e dez centavos", "300.10"),
        ("10 reais e 50 centavos", "10.50"),
        ("cinquenta centavos", "0.50"),
        ("USD 300", "USD 300.00"),
        ("US$ 300,00", "USD 300.00"),
        ("US$ 1,200.00", "USD 1200.00"),
        ("€ 1.000,00", "EUR 1000.00"),
        ("mil euros", "EUR 1000.00"),
        ("BRL 1.234,56", "1234.56"),
    ],
)
def test_an_amount(written: str, value: str) -> None:
    assert told(f"pagou {written}. Depois") == [("MONEY", written, value)]


@pytest.mark.parametrize(
    "said",
    [
        "[12.000,00] (doze mil reais)",
        "[R$ 12.000,00] (doze mil reais)",
        "[R$ 12.000,01] (doze mil reais e um centavo)",
        "doze mil reais ([R$ 12.000,00])",
    ],
)
def test_an_amount_said_twice_is_told_once_by_its_figure(said: str) -> None:
    text, span = unmarked(said)

    assert [written for _, written, _ in told(f"a quantia de {text}, à vista")] == [span]


def test_a_term_behind_an_amount_is_no_part_of_it() -> None:
    assert [value for _, _, value in told("multa de R$ 1.500, 10 dias depois")] == ["1500.00"]


@pytest.mark.parametrize(
    "text",
    [
        "tel. (11) 98765-4321 ou 11987654321",
        "CEP 01310-100, RG 12.345.678-9, RG nº 529.982.247",
        "protocolo 20240912778",
        "PIS 120.12345.67-8, NB 712.345.678-9",
        "título de eleitor 1234 5678 9012",
        "CNH 01234567890",
        "Matrícula 104539 01 55 2013 2 00012 021 0000123 21",
        "23793.38128 60000.000003 00000.000402 1 97450000075000",
        "82660000001-6 69090123456-7 20240715778-8 81230000000-0",
        "chave de acesso 3525 0112 3456 7800 0199 5500 1000 0000 1100 0000 0017",
        "IE 110.042.490.114, placa ABC1D23, código A1B2C3D4E5F607",
        "Nota nº 1234567-89.2024",
        "CPF ***.982.247-**",
        "raiz do CNPJ 11.222.333",
        "a OAB 2024, o exame da OAB 38ª edição",
        "cinco casos reais, Lei 8.078, artigo 1.234, 100 dias, três salários mínimos",
    ],
)
def test_what_only_looks_like_one(text: str) -> None:
    assert found(text) == []


WORN = st.sampled_from(["", "", "", " ", "\n"])


@st.composite
def worn(draw: st.DrawFn, numbers: st.SearchStrategy[str]) -> tuple[str, str]:
    """A number as it is, and with blanks and line breaks around its signs."""
    number = draw(numbers)
    return number, "".join(c if c.isalnum() else draw(WORN) + c + draw(WORN) for c in number)


def with_check_digits(body: str, holds: Callable[[str], bool], pattern: str) -> str:
    """`body` with the two digits for which `holds`, written by `pattern` ('#' for each character)."""
    characters = iter(next(body + f"{check:02}" for check in range(100) if holds(body + f"{check:02}")))
    return "".join(next(characters) if place == "#" else place for place in pattern)


CNJS = st.builds(
    lambda sequence, year: f"{sequence:07}-{98 - int(f'{sequence:07}{year}826010000') % 97:02}.{year}.8.26.0100",
    st.integers(0, 9_999_999),
    st.integers(1980, 2040),
)
CPFS = (
    st.text("0123456789", min_size=9, max_size=9)
    .filter(lambda body: len(set(body)) > 1)
    .map(lambda body: with_check_digits(body, cpf_is_valid, "###.###.###-##"))
)
CNPJS = (
    st.text("0123456789ABCDEFGHJKLMNPRSTVWXYZ", min_size=12, max_size=12)
    .filter(lambda body: len(set(body)) > 1)
    .map(lambda body: with_check_digits(body, cnpj_is_valid, "##.###.###/####-##"))
)


@pytest.mark.parametrize(("kind", "numbers"), [("CNJ", CNJS), ("CPF", CPFS), ("CNPJ", CNPJS)])
def test_a_number_is_found_whole_however_its_signs_are_spaced(kind: str, numbers: st.SearchStrategy[str]) -> None:
    @given(worn(numbers))
    def holds(case: tuple[str, str]) -> None:
        number, written = case
        (entity,) = [e for e in find_identifiers(f"{kind} nº {written}, nos autos") if e.type == kind]
        assert (entity.text, entity.valid) == (written, True)
        assert entity.value == "".join(c for c in number if c.isalnum())

    holds()


@pytest.mark.parametrize(
    "bait",
    [
        "R$ ", "1.000", "1 000 ", "529 ", "529.", "cem e ", "um mil e ", "OAB ", "OAB/SP ", "1234567-", "US$ 1,000",
        "12 ABC 345 ", "reais e ", "Ordem dos Advogados do Brasil ", "\n",
    ],
)  # fmt: skip
def test_a_hundred_thousand_characters_of_repeats_are_read_at_once(bait: str) -> None:
    text = bait * (100_000 // len(bait))
    started = time.process_time()

    list(find_identifiers(text))
    list(find_money(text))

    assert time.process_time() - started < 2
