"""Numbers with check digits, bar numbers, e-mails and telephones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.text.check_digits import cnj_is_valid, cnpj_is_valid, cpf_is_valid
from actors.engines.text.identifiers import find_identifiers
from tasks.payloads import Entity

digits = st.text(alphabet="0123456789", min_size=1)


def found(text: str, kind: str) -> list[Entity]:
    return [e for e in find_identifiers(text) if e.type == kind]


def only(text: str, kind: str) -> Entity:
    (entity,) = found(text, kind)
    assert text[entity.start : entity.end] == entity.text
    return entity


def cnj_of(sequence: int, year: int, court: str) -> str:
    """A true number: the check digits make the whole leave 1 when divided by 97."""
    body = f"{sequence:07}{year}{court}"
    check = 98 - int(body + "00") % 97
    return f"{sequence:07}-{check:02}.{year}.{court[0]}.{court[1:3]}.{court[3:]}"


@given(st.integers(0, 9_999_999), st.integers(1980, 2030), st.text("0123456789", min_size=7, max_size=7))
def test_a_case_number_is_checked_modulo_97(sequence: int, year: int, court: str) -> None:
    number = cnj_of(sequence, year, court)
    entity = only(f"Processo nº {number}.", "CNJ")
    assert (entity.text, entity.valid) == (number, True)
    assert entity.value == "".join(c for c in number if c.isdigit())


@given(st.integers(0, 9_999_999), st.integers(0, 99))
def test_a_case_number_with_other_check_digits_is_invalid(sequence: int, check: int) -> None:
    number = cnj_of(sequence, 2024, "8260100")
    written = f"{number[:8]}{check:02}{number[10:]}"
    assert only(f"autos {written}", "CNJ").valid is ((check - int(number[8:10])) % 97 == 0)


def test_a_case_number_without_its_signs_or_leading_zeros() -> None:
    number = cnj_of(1188, 2014, "5030011")
    bare = "".join(c for c in number if c.isdigit())
    assert only(f"o processo é {bare}", "CNJ").value == bare
    assert only(f"AIRR-{number.lstrip('0')}", "CNJ").value == bare


@given(st.text("0123456789", min_size=9, max_size=9).filter(lambda body: len(set(body)) > 1))
def test_of_the_hundred_endings_of_a_cpf_one_holds(body: str) -> None:
    assert len([end for end in range(100) if cpf_is_valid(f"{body}{end:02}")]) == 1


@pytest.mark.parametrize(
    ("number", "valid"),
    [("529.982.247-25", True), ("529.982.247-24", False), ("111.111.111-11", False), ("000.000.000-00", False)],
)
def test_a_cpf_is_told_with_its_verdict(number: str, valid: bool) -> None:
    entity = only(f"CPF {number}, residente", "CPF")
    assert (entity.text, entity.valid) == (number, valid)


def test_a_bare_cpf_needs_its_name_or_its_check_digit() -> None:
    assert only("meu cpf é 52998224725", "CPF").value == "52998224725"
    assert only("cpf: 52998224724", "CPF").valid is False
    assert found("protocolo 52998224724", "CPF") == []
    assert found("me liga no 11987654321", "CPF") == []


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("11.222.333/0001-81", True),
        ("11.222.333/0001-80", False),
        ("12.ABC.345/01DE-35", True),
        ("12.ABC.345/01DE-53", False),
    ],
)
def test_a_cnpj_may_hold_letters(number: str, valid: bool) -> None:
    entity = only(f"empresa inscrita no CNPJ {number}.", "CNPJ")
    assert (entity.text, entity.valid) == (number, valid)
    assert entity.value == "".join(c for c in number if c.isalnum())


def test_a_bare_cnpj() -> None:
    assert only("cnpj 11222333000181", "CNPJ").valid is True
    assert only("CNPJ 12ABC34501DE35", "CNPJ").valid is True
    assert found("chave 35250112345678000199550010000000011000000017", "CNPJ") == []


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("OAB/SP 187.654", "SP187654"),
        ("OAB-RJ nº 120334", "RJ120334"),
        ("OAB 33.219/BA", "BA33219"),
        ("oab/mg 12.345-B", "MG12345B"),
        ("OAB nº 54321", "54321"),
    ],
)
def test_a_bar_number_keeps_its_state(said: str, value: str) -> None:
    assert only(f"Dra. Ana Reis – {said}.", "OAB").value == value


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("(11) 98765-4321", "+5511987654321"),
        ("11987654321", "+5511987654321"),
        ("+55 21 2345-6789", "+552123456789"),
        ("(0xx) 0800 123 4567", "+5508001234567"),
        ("71 9 8877 6655", "+5571988776655"),
    ],
)
def test_a_telephone_is_told_with_its_country(said: str, value: str) -> None:
    assert only(f"me liga: {said}", "PHONE").value == value


@pytest.mark.parametrize("text", ["protocolo 2025031012345", "R$ 1.198.765.432,10", "CEP 69915-631", "20 98765-4321"])
def test_other_numbers_are_no_telephones(text: str) -> None:
    assert found(text, "PHONE") == []


def test_an_email_is_told_in_small_letters() -> None:
    assert (
        only("escreve pra Maria.Silva+casa@Exemplo.com.br, por favor", "EMAIL").value
        == "maria.silva+casa@exemplo.com.br"
    )
    assert found("preço @ 10.5 e a@b", "EMAIL") == []


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text: str) -> None:
    for entity in find_identifiers(text):
        assert text[entity.start : entity.end] == entity.text


@given(digits)
def test_check_digits_never_raise(number: str) -> None:
    assert [cpf_is_valid(number), cnpj_is_valid(number), cnj_is_valid(number)].count(True) <= 1
