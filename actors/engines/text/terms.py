"""How the law counts a term: which statute governs a document, and the day its terms end.

The statute is told from the words of the document; a court document without a special sign follows the CPC,
any other paper the Civil Code. Local holidays and the true day of service are not known here.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace

from actors.engines.text.date_grammar import add_months
from actors.engines.text.folding import fold
from actors.engines.text.holidays import DAY, in_recess, is_business_day

LONGEST = 3_700
"""Days: a longer term is a duration or a misreading and gets no due day."""


@dataclass(frozen=True, slots=True)
class Counting:
    """A way to count. `business`: only business days count; `recess`: 20 December to 20 January don't count;
    `rolls`: a term neither begins nor ends on a day without court business; `judicial`: a court's term."""

    rule: str
    business: bool = False
    recess: bool = False
    rolls: bool = True
    judicial: bool = True

    def said_to_be(self, kind: str) -> Counting:
        """The same law where the document itself says 'úteis' or 'corridos'."""
        if kind.startswith("ut"):
            return replace(self, business=True)
        if kind.startswith(("corr", "cont")) and self.business:
            return replace(self, business=False, rule="CPC art. 224" if self.rule == CPC.rule else self.rule)
        return self

    def due(self, origin: dt.date, count: int, unit: str) -> dt.date | None:
        """The last day of a term of `count` units that `origin` sets off, None outside the calendar."""
        try:
            return self._end(origin, count, unit)
        except (OverflowError, ValueError):
            return None

    def _end(self, origin: dt.date, count: int, unit: str) -> dt.date | None:
        if unit.startswith("hora"):
            return origin + -(-count // 24) * DAY
        if unit.startswith("mes"):
            return self._rolled(add_months(origin, count))
        days = count * (7 if unit.startswith("semana") else 1)
        return None if days > LONGEST else self._counted(origin, days)

    def _counted(self, origin: dt.date, days: int) -> dt.date:
        day = self._rolled(origin + DAY) if self.judicial else origin + DAY
        counted = 1
        while counted < days:
            day += DAY
            counted += self._counts(day)
        return self._rolled(day)

    def _counts(self, day: dt.date) -> bool:
        return not (self.recess and in_recess(day)) and (is_business_day(day) or not self.business)

    def _rolled(self, day: dt.date) -> dt.date:
        while self.rolls and (not is_business_day(day) or (self.recess and in_recess(day))):
            day += DAY
        return day


CPC = Counting("CPC art. 219", business=True, recess=True)
CLT = Counting("CLT art. 775", business=True, recess=True)
SMALL_CLAIMS = Counting("Lei 9.099/1995 art. 12-A", business=True, recess=True)
PENAL = Counting("CPP art. 798", recess=True)
PENAL_URGENT = Counting("CPP art. 798")
CHILDREN = Counting("ECA art. 152 § 2º")
ELECTORAL = Counting("Res. TSE 23.478/2016 art. 7º")
TAX = Counting("Decreto 70.235/1972 art. 5º", judicial=False)
ADMINISTRATIVE = Counting("Lei 9.784/1999 art. 66", judicial=False)
CIVIL_CODE = Counting("CC art. 132", judicial=False)
HOURS = Counting("CC art. 132 § 4º", rolls=False, judicial=False)
"""Terms in hours run from minute to minute."""

_COURT = re.compile(
    r"\b(?:juizo?|juiza|vara|comarca|tribunal|desembargador[ae]?s?|relatora?|autos|cite-se|intime-se"
    r"|intimem-se|cumpra-se|oficial de justica|processo n|processo:|despacho"
    r"|sentenca|mandado|poder judiciario|conclusos|exequente|executad[oa]|requerente"
    r"|\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4})\b"
)
_OUT_OF_COURT = re.compile(r"\b(?:notificacao extrajudicial|contrato de|boleto|nota fiscal|holerite|prezad[oa]s?)\b")
_SIGNS: tuple[tuple[Counting, re.Pattern[str]], ...] = (
    (CHILDREN, re.compile(r"\b(?:vara da infancia|infancia e (?:da )?juventude|estatuto da crianca)\b")),
    (
        CLT,
        re.compile(
            r"\b(?:vara do trabalho|justica do trabalho|regional do trabalho|tribunal superior do trabalho"
            r"|reclamante|reclamad[oa]|reclamacao trabalhista"
            r"|\d{7}-\d{2}\.\d{4}\.5\.\d{2}\.\d{4})\b"
        ),
    ),
    (
        ELECTORAL,
        re.compile(
            r"\b(?:justica eleitoral|zona eleitoral|regional eleitoral|superior eleitoral"
            r"|\d{7}-\d{2}\.\d{4}\.6\.\d{2}\.\d{4})\b"
        ),
    ),
    (
        PENAL,
        re.compile(
            r"\b(?:vara criminal|camara criminal|juizado especial criminal|acao penal|resposta a acusacao"
            r"|denunciad[oa]|codigo de processo penal|do cpp|reu preso"
            r"|vara de execucoes (?:penais|criminais)|tribunal do juri|violencia domestica|auditoria militar"
            r"|inquerito policial)\b"
        ),
    ),
    (SMALL_CLAIMS, re.compile(r"\b(?:juizado especial|juizados especiais|turma recursal)\b")),
)
_URGENT_PENAL = re.compile(
    r"\b(?:reus? pres[oa]s?|presos? preventiva|prisao preventiva|maria da penha|violencia domestica)\b"
)
_TAX_PAPER = re.compile(
    r"\b(?:auto de infracao|receita federal|delegacia da receita|impugnacao ao lancamento"
    r"|notificacao de lancamento)\b"
)
_OFFICE_PAPER = re.compile(
    r"\b(?:processo administrativo|inss|previdencia social|autarquia|secretaria (?:municipal|estadual"
    r"|de estado)|prefeitura|detran|edital)\b"
)


def counting_for(text: str) -> Counting:
    """The law that counts the terms of this document."""
    folded = fold(text).text[:50_000]
    if not _COURT.search(folded) or _OUT_OF_COURT.search(folded[:400]):
        return _out_of_court(folded)
    counting = next((c for c, sign in _SIGNS if sign.search(folded)), CPC)
    return PENAL_URGENT if counting is PENAL and _URGENT_PENAL.search(folded) else counting


def _out_of_court(folded: str) -> Counting:
    if _TAX_PAPER.search(folded):
        return TAX
    return ADMINISTRATIVE if _OFFICE_PAPER.search(folded) else CIVIL_CODE


@dataclass(frozen=True, slots=True)
class LegalTerm:
    """A term whose length the law itself gives, in days of the document's counting."""

    days: int
    rule: str


_LEGAL_TERMS: tuple[tuple[str, re.Pattern[str], LegalTerm], ...] = (
    (
        "CPP",
        re.compile(r"\b(?:resposta a acusacao|responder a acusacao|defesa preliminar)"),
        LegalTerm(10, "CPP art. 396"),
    ),
    ("CPP", re.compile(r"\bembargos de declaracao"), LegalTerm(2, "CPP art. 619")),
    ("CPP", re.compile(r"\b(?:recurso|apela|recorrer)"), LegalTerm(5, "CPP art. 593")),
    ("CLT", re.compile(r"\bembargos de declaracao"), LegalTerm(5, "CLT art. 897-A")),
    ("CLT", re.compile(r"\b(?:recurso|recorrer|contrarrazoes|agravo)"), LegalTerm(8, "CLT art. 895")),
    ("Lei 9.099", re.compile(r"\bembargos de declaracao"), LegalTerm(5, "Lei 9.099/1995 art. 49")),
    ("Lei 9.099", re.compile(r"\b(?:recurso|recorrer)"), LegalTerm(10, "Lei 9.099/1995 art. 42")),
    ("CPC", re.compile(r"\bembargos de declaracao"), LegalTerm(5, "CPC art. 1.023")),
    ("CPC", re.compile(r"\b(?:embargos a execucao|opor embargos|embargar)"), LegalTerm(15, "CPC art. 915")),
    ("CPC", re.compile(r"\b(?:replica|impugnar a contestacao|sobre a contestacao)"), LegalTerm(15, "CPC art. 350")),
    ("CPC", re.compile(r"\b(?:contest|defesa|resposta)"), LegalTerm(15, "CPC art. 335")),
    ("CPC", re.compile(r"\b(?:cumprimento de sentenca|pagamento voluntario)"), LegalTerm(15, "CPC art. 523")),
    ("CPC", re.compile(r"\b(?:recurso|apela|recorrer|contrarrazoes|agravo)"), LegalTerm(15, "CPC art. 1.003 § 5º")),
)


def legal_term(sentence: str, counting: Counting) -> LegalTerm | None:
    """The term the law gives for the act that the folded `sentence` asks for, or None if it names none known."""
    for law, act, term in _LEGAL_TERMS:
        if counting.judicial and counting.rule.startswith(law) and act.search(sentence):
            return term
    return None
