"""Names of people and of organisations, where the words around them leave no doubt.

A person needs a title, a role or personal data beside the name; an organisation its legal form, or to be an
institution everybody knows. A name that merely begins with capitals is left alone: in a case file a wrong
party is worse than a missing one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from actors.engines.text.word_lists import words
from tasks.payloads import Entity, EntityType

_UP, _LOW = "A-ZÀ-ÖØ-Þ", "a-zß-öø-ÿ"
_MIXED = rf"(?:[{_UP}][{_LOW}]+(?:['’-][{_UP}]?[{_LOW}]+)?|[{_UP}]\.)"
_CAPITALS = rf"[{_UP}]{{2,}}"
_PARTICLE = r"(?:d[aeo]s?|e|del|van|von|D[AEO]S?|E)"
_MIXED_NAME = rf"{_MIXED}(?: (?:{_PARTICLE} )?{_MIXED}){{1,6}}+"
_CAPITAL_NAME = rf"{_CAPITALS}(?: (?:{_PARTICLE} )?{_CAPITALS}){{1,6}}+"
_NAME = rf"(?P<name>{_MIXED_NAME}|{_CAPITAL_NAME})"

_TITLE = (
    r"(?:Dr|Dra|Sr|Sra|Des|Desa|Min|Exm[oa]|Prof|Profa|DR|DRA|SR|SRA|DES|DESA|MIN)\. ?(?:\(a\) ?)?"
    r"|(?:[Mm]inistr[oa]|MINISTR[OA]|[Dd]esembargadora?|DESEMBARGADORA?|[Dd]outora?|[Ss]enhora?"
    r"|[Dd]elegad[oa]|[Jj]u[íi]za?(?: de Direito| Federal| do Trabalho)?) "
)
_ROLE = (
    r"(?i:relator(?:a|\(a\))?|autora?|r[ée]u?|requerente|requerid[oa]|reclamante|reclamad[oa]|v[íi]tima"
    r"|paciente|outorgantes?|outorgad[oa]s?|locat[áa]ri[oa]|locadora?"
    r"|funcion[áa]ri[oa]|empregad[oa]|destinat[áa]ri[oa]|notificad[oa]|notificante|contraentes|testemunha"
    r"|declarante|comunicante|nome(?: completo)?|impetrante|agravante|agravad[oa]"
    r"|apelante|apelad[oa]|recorrente|recorrid[oa]|embargante|embargad[oa]|exequente|executad[oa]"
    r"|advogad[oa]|procuradora?|inventariante|benefici[áa]ri[oa]|segurad[oa]|titular|comprador(?:a)?"
    r"|vendedor(?:a)?|contratante|contratad[oa])"
)
_PERSONS = (
    re.compile(rf"\b(?:{_TITLE}){_NAME}"),
    re.compile(rf"\b{_ROLE}(?:\(s\))? ?: ?(?:{_TITLE})?{_NAME}"),
    re.compile(
        rf"\b(?:[oa] r[ée]u?|[oa] autora?|[oa] requerid[oa]|em face de|movida por|[oa] paciente"
        rf"|[oa] v[íi]tima) {_NAME}(?=,? ?[,(])"
    ),
    re.compile(
        rf"\b{_NAME}(?=,? ?\(?(?:brasileir[oa]|CPF|portadora?|inscrit[oa] no CPF|nascid[oa]|solteir[oa]"
        rf"|casad[oa]|divorciad[oa]|vi[úu]v[oa]|\d{{2}} anos|[-–] OAB|OAB|RG )\b)"
    ),
    re.compile(rf"\b(?i:meu nome (?:é|e)|me chamo|eu sou [ao]|aqui (?:é|e) [ao]) {_NAME}"),
)

_LEGAL_FORM = r"(?:LTDA|Ltda|S[./]A|S/A|EIRELI|Eireli|EPP|ME|MEI|SA|Cia|S/C)\b\.?"
_COMPANY_WORD = rf"(?:{_MIXED}|{_CAPITALS}|&|[{_UP}]\b|\d{{1,3}})"
_STATE_NAME = rf"(?:[{_UP}][{_LOW}{_UP}]+(?: (?:d[eo]|D[EO]) [{_UP}][{_LOW}{_UP}]+| [{_UP}][{_LOW}{_UP}]+){{0,3}})"
_ORGANISATIONS = (
    re.compile(rf"\b{_COMPANY_WORD}(?: (?:(?:{_PARTICLE}|de) )?{_COMPANY_WORD}){{0,4}},? {_LEGAL_FORM}"),
    re.compile(
        r"\b(?:Banco|BANCO) (?:d[aeo] )?(?:[A-ZÀ-Þ][\wÀ-ÿ]+)(?: (?:d[aeo] )?[A-ZÀ-Þ][\wÀ-ÿ]+){0,2}"
        r"(?: S[./]A\.?)?"
    ),
    re.compile(
        r"(?<!\w)(?:Supremo Tribunal Federal|Superior Tribunal (?:de Justiça|Militar)"
        r"|Tribunal Superior (?:do Trabalho|Eleitoral)|Tribunal de Contas da União"
        r"|Conselho Nacional de Justiça"
        r"|Caixa Econômica Federal|Receita Federal(?: do Brasil)?|Polícia (?:Civil|Militar|Federal)"
        r"|Defensoria Pública(?: da União| do Estado)?|Advocacia-Geral da União"
        r"|Instituto Nacional do Seguro Social"
        r"|Ministério Público(?: Federal| do Trabalho| Militar| Eleitoral| Estadual| do Estado)?"
        r"|Ordem dos Advogados do Brasil|STF|STJ|TST|TSE|STM|TCU|CNJ|INSS|IBGE|DETRAN|PROCON|ANATEL|ANEEL"
        r"|ANS|CREA|AGU|DPU|MPF|MPT)(?!\w)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?i:tribunal de justiça|tribunal regional (?:federal|do trabalho"
        rf"|eleitoral)) (?i:d[aoe]s? )(?i:(?:estado d[aoe] )|\dª região)?{_STATE_NAME}"
    ),
    re.compile(r"\b(?i:tribunal regional (?:federal|do trabalho) da \d{1,2}ª região)"),
    re.compile(
        r"\b\d{1,2}ª (?i:vara|turma|câmara|seção)(?: (?i:cível|criminal|federal|do trabalho"
        r"|de família(?: e sucessões)?|da fazenda pública|de direito (?:público|privado)|empresarial"
        r"|de execuções fiscais))*"
        rf"(?: (?i:da comarca d[aoe]) {_STATE_NAME})?"
    ),
)
_SHOUTED_ALIKE = frozenset(
    words("STF STJ TST TSE STM TCU CNJ INSS IBGE DETRAN PROCON ANATEL ANEEL ANS CREA AGU DPU MPF MPT")
)
_NO_PERSON = re.compile(
    r"\b(?:Ltda|LTDA|S\.?/?A|EIRELI|Banco|BANCO|Lojas|LOJAS|Estado|ESTADO|Uni[ãa]o|UNI[ÃA]O|Minist[ée]rio"
    r"|MINIST[ÉE]RIO|Munic[íi]pio|MUNIC[ÍI]PIO|Tribunal|TRIBUNAL|Vara|VARA|Instituto|INSTITUTO"
    r"|Empresa|EMPRESA|Companhia|Condom[íi]nio|CONDOM[ÍI]NIO|Juiz|JUIZ|Direito|DIREITO|Comarca|Justi[çc]a"
    r"|JUSTI[ÇC]A|P[úu]blic[oa]|P[ÚU]BLIC[OA]|Federal|FEDERAL|Mercado|Imobili[áa]ria|Processo|PROCESSO)\b"
)
_AND = re.compile(r"(\S+(?: \S+)+?) [eE] (\S+(?: \S+)+)$")
_TRAILING = re.compile(r"(?: (?:CPF|RG|OAB|CNPJ|DJe?|DJE|DJ|[A-Z]\.))+$")


def find_names(text: str) -> Iterator[Entity]:
    """PESSOA and ORGANIZACAO in `text`; a person found twice at the same place is told once."""
    seen: set[tuple[int, int]] = set()
    for pattern in _PERSONS:
        for match in pattern.finditer(text):
            for start, end in _people(match["name"], match.start("name")):
                if (start, end) not in seen and not _NO_PERSON.search(text[start:end]):
                    seen.add((start, end))
                    yield _named("PESSOA", text, start, end)
    yield from _organisations(text)


def _people(names: str, start: int) -> Iterator[tuple[int, int]]:
    """'Fábio Leal e Denise Couto' are two people, 'Ana Silva e Souza' is one."""
    names = _TRAILING.sub("", names)
    both = _AND.match(names)
    parts = [(both.start(1), both.end(1)), (both.start(2), both.end(2))] if both else [(0, len(names))]
    yield from ((start + a, start + b) for a, b in parts if " " in names[a:b])


def _organisations(text: str) -> Iterator[Entity]:
    for pattern in _ORGANISATIONS:
        for match in pattern.finditer(text):
            if match[0].upper() not in _SHOUTED_ALIKE or match[0].isupper():
                yield _named("ORGANIZACAO", text, match.start(), match.end())


def _named(kind: EntityType, text: str, start: int, end: int) -> Entity:
    words = text[start:end]
    return Entity(type=kind, text=words, value=" ".join(words.split()), start=start, end=end)
