"""The areas of a case in their order, and whether a second one is at stake; not where their scores come from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from actors.engines.triage.features import Floats
from actors.engines.triage.lexicon import AREAS
from tasks.payloads import Area, AreaScore

SHOWN_AREAS = 3
SECONDARY_SCORE = 0.2


def ranking(probabilities: Floats) -> tuple[AreaScore, ...]:
    """The likeliest areas, the first one first."""
    order = np.argsort(-probabilities, kind="stable")[:SHOWN_AREAS]
    return tuple(AreaScore(area=AREAS[i], score=round(float(probabilities[i]), 4)) for i in order)


def secondary(areas: Sequence[AreaScore]) -> Area | None:
    """The runner-up where it is close. What may be no case at all has no other side."""
    first, second = areas[:2]
    close = second.score >= SECONDARY_SCORE and "indefinido" not in (first.area, second.area)
    return second.area if close else None
