"""Numbers and addresses that identify someone or something: CNJ, CPF, CNPJ, OAB, e-mail and telephone.

`valid` is the verdict of the check digit. A bare run of digits is only taken with its name before it, or when
its check digit holds and it can't be a mobile number: a wrong identifier in a case is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from actors.engines.text.check_digits import cnj_is_valid, cnpj_is_valid, cpf_is_valid
from actors.engines.text.folding import fold
from actors.engines.text.word_lists import words
from tasks.payloads import Entity, EntityType

UF = "AC|AL|AM|AP|BA|CE|DF|ES|GO|MA|MG|MS|MT|PA|PB|PE|PI|PR|RJ|RN|RO|RR|RS|SC|SE|SP|TO"

_GAP = r"\s?"
"""What OCR, a justified line or the end of a line leaves between the parts of a number."""
_DASH = "[-–—‑‐−]"
_START = r"(?<!\d)(?<!\d[.,/-])"
_END = r"(?!\d|[/-]\d|[.,]\d)"

_CNJ = re.compile(
    rf"(?<!\d)(?<!\d\.)(\d{{1,7}}){_GAP}{_DASH}{_GAP}(\d{{2}}){_GAP}\.{_GAP}(\d{{4}}){_GAP}\.{_GAP}(\d)"
    rf"{_GAP}\.{_GAP}(\d{{2}}){_GAP}\.{_GAP}(\d{{4}})(?!\d)"
)
_CNJ_BARE = re.compile(r"(?<![\d.,/-])\d{20}(?![\d/-]|[.,]\d)")
_CPF = re.compile(
    rf"(?<!\d)(?<!\d\.)\d{{3}}{_GAP}\.{_GAP}\d{{3}}{_GAP}\.{_GAP}\d{{3}}{_GAP}(?:{_DASH}|[./]){_GAP}\d{{2}}(?!\d|/\d)"
)
_CPF_LOOSE = re.compile(
    rf"{_START}(?:\d{{11}}|\d{{9}}{_GAP}{_DASH}{_GAP}\d{{2}}|\d{{3}} \d{{3}} \d{{3}}[ -]\d{{2}}"
    rf"|\d{{3}}\.{_GAP}\d{{3}}\.{_GAP}\d{{3}}\s\d{{2}}|\d{{3}},{_GAP}\d{{3}},{_GAP}\d{{3}}{_GAP}{_DASH}{_GAP}\d{{2}}){_END}"
)
"""Without its signs, or with others in their place: to be had with its name or its check digit only."""
_CNPJ = re.compile(
    rf"(?<![A-Za-z0-9])(?<!\d\.)[A-Za-z0-9]{{2}}{_GAP}\.{_GAP}[A-Za-z0-9]{{3}}{_GAP}\.{_GAP}[A-Za-z0-9]{{3}}{_GAP}/{_GAP}"
    rf"[A-Za-z0-9]{{4}}{_GAP}{_DASH}{_GAP}\d{{2}}(?!\d)"
)
_CNPJ_LOOSE = re.compile(
    rf"(?<![A-Za-z0-9])(?<![A-Za-z0-9][.,/-])(?:[A-Z0-9]{{8}}/?[A-Z0-9]{{4}}-?\d{{2}}|\d{{8}}{_GAP}/{_GAP}\d{{4}}{_GAP}{_DASH}{_GAP}\d{{2}}"
    rf"|[A-Z0-9]{{2}} [A-Z0-9]{{3}} [A-Z0-9]{{3}}[ /][A-Z0-9]{{4}}[ -]\d{{2}})(?![A-Za-z0-9]|[/-]\d|[.,]\d)"
)

_STATES = {
    "Acre": "AC", "Alagoas": "AL", "Amazonas": "AM", "Amapá": "AP", "Bahia": "BA", "Ceará": "CE",
    "Distrito Federal": "DF", "Espírito Santo": "ES", "Goiás": "GO", "Maranhão": "MA", "Minas Gerais": "MG",
    "Mato Grosso do Sul": "MS", "Mato Grosso": "MT", "Pará": "PA", "Paraíba": "PB", "Pernambuco": "PE", "Piauí": "PI",
    "Paraná": "PR", "Rio de Janeiro": "RJ", "Rio Grande do Norte": "RN", "Rondônia": "RO", "Roraima": "RR",
    "Rio Grande do Sul": "RS", "Santa Catarina": "SC", "Sergipe": "SE", "São Paulo": "SP", "Tocantins": "TO",
}  # fmt: skip
_STATE_NAMES = "|".join(sorted(_STATES, key=len, reverse=True))
_STATE_OF = {fold(name).text: state for name, state in _STATES.items()}
_OAB = re.compile(
    rf"(?:\b[O0]\.?\s?A\.?\s?B\b\.?|\bOrdem dos Advogados do Brasil\b)[-–/.,:(\s]{{0,4}}"
    rf"(?:(?:Sub)?(?:Se[cç][cç]?[aã]o|Seccional)\s?(?:d[eoa]\s|/)?\s?)?"
    rf"(?:(?P<uf>(?:{UF})(?![A-Za-zÀ-ÿ])|(?:{_STATE_NAMES})\b)\)?)?"
    rf"[\s:,.–/-]{{0,3}}(?P<marked>(?:inscri[cç][aã]o\s)?(?:sob\s)?(?:o\s)?(?:n(?:[.º°o]|[uú]mero|r)*\.?\s?:?\s?)?)"
    rf"(?P<number>\d{{1,3}}\.\s?\d{{3}}|\d{{1,3}} \d{{3}}|\d{{2,6}})(?![ºª°%\d]|[.,]\d|/\d)"
    rf"(?:(?:\s?[-–/]\s?(?P<letter>[A-Z])|(?P<attached>[A-Z]))(?![A-Za-z]))?"
    rf"(?:\s?[-–/(]\s?(?P<after>{UF})\b\)?)?",
    re.IGNORECASE,
)
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9](?:[A-Za-z0-9._%+-]{0,62}[A-Za-z0-9_+-])?@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}"
    r"[A-Za-z]{2,24}(?![A-Za-z0-9@])"
)
_PHONE = re.compile(
    r"(?<![\w.,/+-])(?:\+?55[ .-]{0,2})?(?:\(0?(?P<a>[1-9]\d)\)|0?(?P<b>[1-9]\d))[ .-]{0,2}"
    r"(?P<number>9[ .-]?\d{4}[ .-]{0,2}\d{4}|[2-5]\d{3}[ .-]{0,2}\d{4})(?![\d/]|[.,-]\d)"
)
_TOLL_FREE = re.compile(r"(?<![\w.,/-])0[ .-]?(?P<prefix>[38]00)[ .-]?(?P<number>\d{3}[ .-]?\d{4})(?!\d|[.,/-]\d)")

_AREA_CODES = frozenset(
    words(
        "11 12 13 14 15 16 17 18 19 21 22 24 27 28 31 32 33 34 35 37 38 41 42 43 44 45 46 47 48 49 51 53 54 55"
        " 61 62 63 "
        "64 65 66 67 68 69 71 73 74 75 77 79 81 82 83 84 85 86 87 88 89 91 92 93 94 95 96 97 98 99"
    )
)
"""Plano Geral de Códigos Nacionais, Resolução Anatel nº 749/2022."""

_NAME_REACH = 60
_OTHER_NUMBERS = re.compile(
    r"\b(?:tel(?:efone)?|fone|cel(?:ular)?|whats\w*|zap|rg|identidade|pis|pasep|nit|nis|cep|cnh|renavam|titulo|protocolo"
    r"|matricula|conta|agencia|nb|beneficio|chave|barras|boleto|fatura|pedido|codigo|serie|cartao|ctps|cns|sus)\b[^\d]{0,20}$"
)
"""The names of other numbers; the last name before a number is its own."""


def find_identifiers(text: str) -> Iterator[Entity]:
    """Every identifier in `text`, in no particular order; overlaps are for the caller to settle."""
    yield from _find_cnj(text)
    yield from _find_cpf(text)
    yield from _find_cnpj(text)
    yield from _find_oab(text)
    yield from _find_email(text)
    yield from _find_phone(text)


def _entity(
    kind: EntityType, match: re.Match[str], value: str, verdict: Callable[[str], bool] | None = None
) -> Entity:
    valid = verdict(value) if verdict else None
    return Entity(type=kind, text=match[0], value=value, start=match.start(), end=match.end(), valid=valid)


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdecimal() and c.isascii())


def _named(text: str, start: int, *names: str) -> bool:
    before = _folded_before(text, start)
    return any(
        re.search(rf"(?<![a-z]){name}(?![a-z])[^\d]*$", before) for name in names
    ) and not _OTHER_NUMBERS.search(before)


def _folded_before(text: str, start: int) -> str:
    return fold(text[max(0, start - _NAME_REACH) : start]).text


def _is_another(text: str, start: int) -> bool:
    return bool(_OTHER_NUMBERS.search(_folded_before(text, start)))


def _find_cnj(text: str) -> Iterator[Entity]:
    for match in _CNJ.finditer(text):
        yield _entity("CNJ", match, match[1].zfill(7) + "".join(match.groups()[1:]), cnj_is_valid)
    for match in _CNJ_BARE.finditer(text):
        if cnj_is_valid(match[0]) or _named(text, match.start(), "processo", "autos", "acao"):
            yield _entity("CNJ", match, match[0], cnj_is_valid)


def _find_cpf(text: str) -> Iterator[Entity]:
    for match in _CPF.finditer(text):
        yield _entity("CPF", match, _digits(match[0]), cpf_is_valid)
    for match in _CPF_LOOSE.finditer(text):
        digits, start = _digits(match[0]), match.start()
        sure = cpf_is_valid(digits) and not _may_be_mobile(digits) and not _is_another(text, start)
        if sure or _named(text, start, *_CPF_NAMES):
            yield _entity("CPF", match, digits, cpf_is_valid)


_CPF_NAMES = ("cpfs?", r"c\.p\.f\.?", "cic", "cadastro de pessoas? fisicas?")
_CNPJ_NAMES = ("cnpjs?", r"c\.n\.p\.j\.?", "cgc", "cadastro nacional d[ae]s? pessoas? juridicas?")


def _may_be_mobile(digits: str) -> bool:
    return digits[:2] in _AREA_CODES and digits[2] == "9"


def _find_cnpj(text: str) -> Iterator[Entity]:
    for match in _CNPJ.finditer(text):
        yield _entity("CNPJ", match, _alphanumeric(match[0]), cnpj_is_valid)
    for match in _CNPJ_LOOSE.finditer(text):
        value, start = _alphanumeric(match[0]), match.start()
        sure = value.isdigit() and cnpj_is_valid(value) and not _is_another(text, start)
        if sure or _named(text, start, *_CNPJ_NAMES):
            yield _entity("CNPJ", match, value, cnpj_is_valid)


def _alphanumeric(text: str) -> str:
    return "".join(c for c in text if c.isalnum()).upper()


def _find_oab(text: str) -> Iterator[Entity]:
    for match in _OAB.finditer(text):
        state = match["uf"] or match["after"] or ""
        state = _STATE_OF.get(fold(state).text, state.upper())
        if state or _is_a_register(match):
            letter = (match["letter"] or match["attached"] or "").upper()
            yield _entity("OAB", match, state + _digits(match["number"]) + letter)


def _is_a_register(match: re.Match[str]) -> bool:
    """Without a state the OAB has editions and years too; its registers say 'nº', or have five digits and more."""
    return bool(match["marked"]) or len(_digits(match["number"])) > 4 or "." in match["number"]


def _find_email(text: str) -> Iterator[Entity]:
    for match in _EMAIL.finditer(text):
        yield _entity("EMAIL", match, match[0].lower())


def _find_phone(text: str) -> Iterator[Entity]:
    for match in _PHONE.finditer(text):
        area = match["a"] or match["b"]
        if area in _AREA_CODES:
            yield _entity("PHONE", match, f"+55{area}{_digits(match['number'])}")
    for match in _TOLL_FREE.finditer(text):
        yield _entity("PHONE", match, f"+550{match['prefix']}{_digits(match['number'])}")
