"""One engine for all tests of the triage: loading the sentence encoder takes a second."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from actors.engines.triage.local import LocalTriage
from actors.engines.triage.train import Encoder
from tasks.payloads import TriageResult, Turn

WEDNESDAY = dt.date(2026, 5, 13)

Triage = Callable[..., TriageResult]


@pytest.fixture(scope="session")
def engine() -> LocalTriage:
    return LocalTriage(Encoder())


@pytest.fixture(scope="session")
def triage(engine: LocalTriage) -> Triage:
    """Triage of what a client said, a turn an argument; a turn that starts with 'A:' is the agent's."""

    def run(*said: str, on: dt.date = WEDNESDAY) -> TriageResult:
        return engine.triage("case-1", [turn(text) for text in said], on, lambda _percent, _message: None)

    return run


def turn(text: str) -> Turn:
    return Turn(role="assistant", content=text[2:]) if text.startswith("A:") else Turn(role="user", content=text)
