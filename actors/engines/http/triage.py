"""Triage by a language model, with the local engine beside it: its rules may raise the verdict's urgency, it finds
what the model isn't asked for, and its answer stands where the model gives none.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from actors.engines import Report, TriageEngine
from actors.engines.http.exchange import Deadline, Exchange
from actors.engines.http.verdict import (
    RESPONSE_FORMAT,
    Verdict,
    opening_messages,
    repair_messages,
    what_is_wrong,
)
from actors.engines.triage import conversation as account
from actors.engines.triage import questions
from actors.engines.triage.ranking import secondary
from actors.engines.triage.urgency import LEVELS, LONGEST_EVIDENCE, level_of
from tasks import tracing
from tasks.errors import ProviderFailed
from tasks.payloads import AreaScore, TriageResult, Turn, UrgencyReason

MAX_ANSWER_BYTES = 1 << 20
PARAMETERS = {"temperature": 0, "max_tokens": 1_500, "response_format": RESPONSE_FORMAT}

log = logging.getLogger(__name__)


class HttpTriage:
    """Asks a model through `/chat/completions`. The result's `engine` is the model, or where it failed
    `<local engine> (after <model>: <reason>)`."""

    def __init__(
        self,
        exchange: Exchange,
        local: TriageEngine,
        max_characters: int,
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """`max_characters` of a conversation are sent at most; `options` go over the request's own parameters."""
        self.name = exchange.provider.model
        self._parameters = {name: value for name, value in {**PARAMETERS, **options}.items() if value is not None}
        self._exchange = exchange
        self._local = local
        self._max_characters = max_characters

    @tracing.traced("engine llm triage")
    def triage(
        self, case_id: str, conversation: Sequence[Turn], reference_date: dt.date, report: Report
    ) -> TriageResult:
        """Triage by the model, or by the local engine where the model fails or nobody has said a word."""
        local = self._local.triage(case_id, conversation, reference_date, _up_to_half(report))
        words = account.read(conversation).text
        if not any(letter.isalpha() for letter in words):
            return local
        report(50, "Consultando o modelo de linguagem")
        try:
            verdict = self._verdict(conversation, reference_date)
        except ProviderFailed as failure:
            log.warning("%s; the local engine answers", failure)
            return local.model_copy(update={"engine": f"{local.engine} (after {self.name}: {failure.reason})"})
        report(95, "Conferindo a resposta do modelo")
        return self._combined(verdict, local, words)

    def _verdict(self, conversation: Sequence[Turn], reference_date: dt.date) -> Verdict:
        """The model's answer, checked; a wrong one is sent back once with what is wrong in it."""
        deadline = Deadline.after(self._exchange.provider.timeout_s)
        messages = opening_messages(conversation, reference_date, self._max_characters)
        answer = self._answer(messages, deadline)
        try:
            return Verdict.model_validate_json(answer)
        except ValidationError as error:
            messages += repair_messages(answer, what_is_wrong(error))
        return self._repaired(messages, deadline)

    def _repaired(self, messages: list[dict[str, str]], deadline: Deadline) -> Verdict:
        try:
            return Verdict.model_validate_json(self._answer(messages, deadline))
        except ValidationError:
            raise self._exchange.failed("answer does not fit") from None

    def _answer(self, messages: list[dict[str, str]], deadline: Deadline) -> str:
        question = {"model": self.name, "messages": messages, **self._parameters}
        answer = self._exchange.ask("/chat/completions", question, deadline, MAX_ANSWER_BYTES)
        content = _content(answer)
        if content is None:
            raise self._exchange.failed("empty answer")
        return content

    def _combined(self, verdict: Verdict, local: TriageResult, words: str) -> TriageResult:
        rules = tuple(reason for reason in local.urgency_reasons if reason.rule != "classifier")
        level = max(verdict.urgency, *(level_of(reason.rule) for reason in rules), LEVELS[0], key=LEVELS.index)
        explained = any(level_of(reason.rule) == level for reason in rules)
        by_model = () if explained else (UrgencyReason(rule="classifier", evidence=_quote(verdict.evidence, words)),)
        areas = _with_a_rival(verdict.areas, local.areas)
        open_slots = questions.missing(areas[0].area, words, local.entities, rules)
        return local.model_copy(
            update={
                "area": areas[0].area,
                "secondary_area": secondary(areas),
                "areas": areas,
                "urgency": level,
                "urgency_reasons": (*by_model, *rules),
                "summary": verdict.summary,
                "missing_information": tuple(slot.missing for slot in open_slots),
                "next_question": questions.next_question(areas, open_slots),
                "confidence": areas[0].score,
                "engine": self.name,
            }
        )


def _content(answer: dict[str, Any]) -> str | None:
    """The text of the first choice; `None` where there is none, as in a refusal."""
    try:
        content = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return None
    return content if isinstance(content, str) and content.strip() else None


def _quote(evidence: str, words: str) -> str:
    """Evidence is what the client said: words that nobody said are left out."""
    return evidence[:LONGEST_EVIDENCE] if evidence in words else ""


def _with_a_rival(areas: tuple[AreaScore, ...], local: tuple[AreaScore, ...]) -> tuple[AreaScore, ...]:
    """A ranking has at least two places: the local engine's best other area, with no score, where one is missing."""
    if len(areas) > 1:
        return areas
    rival = next(area.area for area in local if area.area != areas[0].area)
    return (*areas, AreaScore(area=rival, score=0.0))


def _up_to_half(report: Report) -> Report:
    return lambda percent, message: report(percent / 2, message)
