"""The local triage engine: a row of steps from a conversation to its triage, offline and deterministic.

It only puts together what the modules beside it know. It does not look anything up, and keeps no text.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from actors.engines import EmbeddingEngine, Report
from actors.engines.text.entities import find_entities
from actors.engines.text.language import detect_language
from actors.engines.text.summary import split_sentences, summarize
from actors.engines.triage import features, lexicon, model, questions, urgency
from actors.engines.triage.conversation import Account
from actors.engines.triage.conversation import read as read_account
from actors.engines.triage.features import Floats
from actors.engines.triage.lexicon import AREAS
from actors.engines.triage.model import Sample
from actors.engines.triage.ranking import ranking, secondary
from tasks import tracing
from tasks.payloads import TriageResult, Turn, Urgency, UrgencyReason

SUMMARY_SENTENCES = 3
UNDEFINED_SURE = 0.5
CORRECTION_WEIGHT = 0.75
"""How much the correcting message alone counts for the area; the rest is the whole account, for its context."""

_WORDLIKE = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the models and rules say of one account."""

    areas: Floats
    urgency: Urgency
    reasons: tuple[UrgencyReason, ...]


class LocalTriage:
    """Triage by shipped weights and rules over an embedding engine. One instance serves all threads."""

    name = "local"

    def __init__(self, embeddings: EmbeddingEngine) -> None:
        """Load weights and lexicon. Raises `ValueError` if the weights are of another version."""
        self._embeddings = embeddings
        self._model = model.load()
        self._lexicon = lexicon.load()

    @tracing.traced("engine triage")
    def triage(
        self, case_id: str, conversation: Sequence[Turn], reference_date: dt.date, report: Report
    ) -> TriageResult:
        """Triage `conversation`, oldest message first; 'hoje' in it means `reference_date`.

        Offsets of entities count in the client's messages joined by a line break each.
        """
        report(5, "Lendo a conversa")
        account = read_account(conversation)
        judgement = self._judge(account, reference_date, report)
        report(75, "Procurando nomes, datas e valores")
        entities = find_entities(account.text)
        areas = ranking(judgement.areas)
        open_slots = questions.missing(areas[0].area, account.text, entities, judgement.reasons)
        report(90, "Resumindo o caso")
        return TriageResult(
            case_id=case_id,
            area=areas[0].area,
            secondary_area=secondary(areas),
            areas=areas,
            urgency=judgement.urgency,
            urgency_reasons=judgement.reasons,
            summary=summarize(account.text, max_sentences=SUMMARY_SENTENCES, weight=_stress(account)),
            entities=entities,
            missing_information=tuple(slot.missing for slot in open_slots),
            next_question=questions.next_question(areas, open_slots),
            language=detect_language(account.text),
            confidence=areas[0].score,
            engine=f"{self.name}/{self._model.version}",
        )

    def _judge(self, account: Account, reference: dt.date, report: Report) -> Judgement:
        report(15, "Identificando a área do direito")
        if not _WORDLIKE.search(account.case):
            return Judgement(_certainly_undefined(), "low", ())
        signals = urgency.read(account.case, reference, account.days_from)
        sample = self._sample(account.case, signals.cues)
        areas = self._areas(account, sample)
        report(50, "Avaliando a urgência")
        levels = self._model.urgency.probabilities(sample)
        by_day = () if _is_undefined(areas, 0) else urgency.due(levels, signals)
        reasons = urgency.together(signals.reasons, by_day)
        level = urgency.decide(levels, reasons)
        if _is_undefined(areas) and level != "critical":
            level = "low"
        explained = any(urgency.level_of(reason.rule) == level for reason in reasons)
        by_classifier = () if explained else self._classified(account.case, level)
        return Judgement(areas, level, (*by_classifier, *reasons))

    def _areas(self, account: Account, sample: Sample) -> Floats:
        areas = self._model.area.probabilities(sample)
        if not account.corrected:
            return areas
        whole = self._sample(f"{account.earlier}\n{account.case}", np.zeros_like(sample.cues))
        blend = CORRECTION_WEIGHT * areas + (1 - CORRECTION_WEIGHT) * self._model.area.probabilities(whole)
        return np.asarray(blend, dtype=np.float32)

    def _sample(self, text: str, cues: Floats) -> Sample:
        vector = self._embeddings.embed([text], _silent)[0]
        return self._model.sample(vector, features.count(text, self._lexicon), cues)

    def _classified(self, case: str, level: Urgency) -> tuple[UrgencyReason, ...]:
        """The classifier's reason: the sentence whose words speak most for the level."""
        sentences = [case[start:end] for start, end in split_sentences(case)] or [case]
        grams = [features.count(s, self._lexicon) for s in sentences[: urgency.MOST_SENTENCES]]
        weights = self._model.urgency.word[:, urgency.LEVELS.index(level)]
        speaks = [float(features.weigh(g.word, self._model.word_idf).dot(weights)) for g in grams]
        best = sentences[int(np.argmax(speaks))].strip()
        return (UrgencyReason(rule="classifier", evidence=best[: urgency.LONGEST_EVIDENCE]),)


def _stress(account: Account) -> Callable[[str], float]:
    """After a correction, what it overrode is the last to be told."""
    return lambda sentence: 0.2 if account.corrected and sentence in account.earlier else 1.0


def _silent(_percent: float, _message: str) -> None:
    """The embedding of one text is no step that anyone watches."""


def _is_undefined(areas: Floats, sure: float = UNDEFINED_SURE) -> bool:
    """The guideline: whatever is no case is low. Only a critical rule or reading is stronger."""
    return AREAS[int(areas.argmax())] == "indefinido" and float(areas.max()) > sure


def _certainly_undefined() -> Floats:
    return np.array([float(area == "indefinido") for area in AREAS], dtype=np.float32)
