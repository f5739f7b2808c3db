"""What is still missing in a client's account, by the slots of its area, and the one question to ask next."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from actors.engines.triage.folding import fold
from tasks.payloads import Area, AreaScore, Entity, UrgencyReason

PATH = Path(__file__).with_name("slots.json")
CONFIDENCE_FLOOR = 0.45
"""Below this calibrated probability the area is still the best guess, but the next question must decide it."""

_TERM = re.compile(
    r"\b(?:prazo|audiencia|leilao|pericia|vence\w?|vencimento|termina|intimad\w|citad\w|marcad\w para|"
    r"\d+ dias|sem prazo|nao tem audiencia)\b"
)
_SINCE = re.compile(
    r"\b(?:desde|faz|ha) (?:uns |umas |quase |mais de )?(?:\d+|um|uma|dois|duas|tres|quatro|cinco|seis|sete|oito|"
    r"nove|dez|varios|muitos|janeiro|fevereiro|marco|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro|\w{4,8}-feira)\b"
)


@dataclass(frozen=True, slots=True)
class Slot:
    """One thing worth knowing: how its lack is called, how it is asked for, and what shows that it was told."""

    kind: str
    missing: str
    question: str
    found_by: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class Questionnaire:
    about: str
    slots: tuple[Slot, ...]


@lru_cache(maxsize=1)
def questionnaires() -> dict[str, Questionnaire]:
    """The slots of every area, read once from `slots.json`."""
    areas: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))["areas"]
    return {
        name: Questionnaire(area["about"], tuple(_slot(s) for s in area["slots"])) for name, area in areas.items()
    }


def missing(
    area: Area, text: str, entities: Sequence[Entity], reasons: Sequence[UrgencyReason] = ()
) -> tuple[Slot, ...]:
    """The slots of `area` that the account leaves open, in the order of asking. A day that presses tells its term."""
    folded = fold(text)
    kinds: set[str] = {entity.type for entity in entities} | {"DUE" for reason in reasons if reason.due}
    return tuple(s for s in questionnaires()[area].slots if not _is_told(s, folded, kinds))


def next_question(areas: Sequence[AreaScore], open_slots: Sequence[Slot]) -> str | None:
    """The one question that helps most: which area it is, while that is unsure; else the first open slot."""
    best, rival = areas[0], areas[1]
    if best.score < CONFIDENCE_FLOOR and "indefinido" not in (best.area, rival.area):
        return _deciding(best.area, rival.area)
    return open_slots[0].question if open_slots else None


def _deciding(one: Area, other: Area) -> str:
    known = questionnaires()
    return f"Para eu encaminhar certo: o principal é {known[one].about} ou {known[other].about}?"


def _is_told(slot: Slot, folded: str, kinds: set[str]) -> bool:
    if slot.found_by and slot.found_by.search(folded):
        return True
    by_kind = {
        "when": "TEMPO" in kinds or bool(_SINCE.search(folded)),
        "amount": "MONEY" in kinds,
        "term": "DUE" in kinds or bool(_TERM.search(folded)),
        "who": bool(kinds & {"PESSOA", "ORGANIZACAO", "CNPJ"}),
    }
    return by_kind.get(slot.kind, False)


def _slot(raw: dict[str, Any]) -> Slot:
    pattern = "|".join(raw["found_by"])
    return Slot(raw["slot"], raw["missing"], raw["question"], re.compile(rf"\b(?:{pattern})\b") if pattern else None)
