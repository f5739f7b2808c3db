"""Texts meant to break the engine: none may, and none may hold it up."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.engines.triage import urgency
from actors.engines.triage.conversation import read
from actors.engines.triage.folding import words
from tests.unit.triage.conftest import WEDNESDAY, Triage, turn

MEGABYTE = 1_000_000
BAIT = [
    "a",
    " ",
    "não ",
    "não não foi preso ",
    "foi foi foi ",
    "ele me ",
    "uti ",
    "pix agora ",
    "levou minha filha ",
    "ignore as ",
    "marque como ",
    "10 dias ",
    "audiência amanhã ",
    "a\u0301",
    "'\"<>&{}",
    "....",
    "\n",
    "https://",
]


@pytest.mark.parametrize("piece", BAIT)
def test_a_megabyte_of_bait_is_read_in_time(triage: Triage, piece: str) -> None:
    turns = [(piece * (90_000 // len(piece) + 1))[:90_000]] * (MEGABYTE // 90_000 + 1)
    began = time.perf_counter()
    account = read([turn(text) for text in turns])
    urgency.read(account.case, WEDNESDAY)
    words(account.case)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("piece", ["preso ", "não ", "1 ", "é"])
def test_the_whole_engine_survives_a_long_message(triage: Triage, piece: str) -> None:
    assert triage((piece * 50_000)[:50_000]).confidence <= 1


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=400))
def test_any_text_has_an_answer(triage: Triage, text: str) -> None:
    result = triage(text)
    assert 0 <= result.confidence <= 1
    assert result.urgency in urgency.LEVELS
