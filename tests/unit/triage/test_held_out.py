"""208 conversations that no one who wrote the bank had seen, so that what the README claims can be checked.

They were written for this project from the label guideline alone, on purpose with other words than the bank's; none
is a real one. Nobody trains on them. The floors lie below the figures of the day, which `despacho evaluate` prints.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.engines.triage.bank import narratives
from actors.engines.triage.local import LocalTriage
from actors.evaluation.evaluation import Evaluation
from actors.evaluation.gold import TriageExample, examples
from actors.evaluation.triage import evaluate
from tests.unit.triage.conftest import WEDNESDAY

HELD_OUT = examples(Path(__file__).with_name("held_out") / "triage.jsonl", TriageExample)


@pytest.fixture(scope="module")
def figures(engine: LocalTriage) -> dict[str, float]:
    found: Evaluation = evaluate(HELD_OUT, engine, WEDNESDAY, lambda _done, _all: None)
    return {figure.name: float(figure.text) for figure in found.figures}


@pytest.mark.parametrize(
    ("figure", "floor"),
    [
        ("area accuracy", 0.80),
        ("area in top 3", 0.93),
        ("urgency accuracy", 0.80),
        ("urgency kappa", 0.82),
        ("critical as critical or high", 0.96),
    ],
)
def test_what_nobody_trained_on_is_read_well(figures: dict[str, float], figure: str, floor: float) -> None:
    assert figures[figure] >= floor


def test_a_serious_case_is_hardly_ever_taken_for_one_that_can_wait(figures: dict[str, float]) -> None:
    assert figures["critical or high as low"] <= 0.03


def test_nobody_trains_on_them() -> None:
    taught = {turn.content for narrative in narratives() for turn in narrative.turns}

    assert not [example.id for example in HELD_OUT if example.conversation[-1].content in taught]
