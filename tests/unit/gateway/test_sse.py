"""How an event is written, and what it is called on the stream of a case."""

from __future__ import annotations

import json

import pytest

from gateway import sse
from gateway.sse import case_event_name, encode, end, reset
from tasks.record import Event

NAMES = {
    "scheduled": "queued",
    "queued": "queued",
    "recovered": "queued",
    "running": "processing",
    "progress": "processing",
    "retrying": "retrying",
    "succeeded": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
FIELDS = {"task_id", "task_name", "case_id", "status", "progress", "progress_message", "attempt", "at"}


def an_event(name: str = "running", task_name: str = "triage.process_async", **more: object) -> Event:
    return Event(7_500_000_000_000_000, name, "t1", task_name, "case-1", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task_name", "kind"),
    [
        ("triage.process_async", "triage"),
        ("documents.analyze_async", "documents"),
        ("embeddings.generate_async", "embeddings"),
        ("batch.process_cases", "batch"),
    ],
)
@pytest.mark.parametrize(("event", "word"), NAMES.items())
def test_a_case_hears_of_its_tasks_by_their_kind(event: str, word: str, task_name: str, kind: str) -> None:
    assert case_event_name(an_event(event, task_name)) == f"{kind}_{word}"


@pytest.mark.parametrize("event", NAMES)
def test_the_data_of_an_event_is_one_line_of_json_with_every_field(event: str) -> None:
    lines = encode(an_event(event, extra={"progress_message": "a\nb\u2028c"}), event).decode().split("\n")

    number, name, data, *rest = lines
    assert (number, name, rest) == ("id: 7500000000000000", f"event: {event}", ["", ""])
    told = json.loads(data.removeprefix("data: "))
    assert told.keys() >= FIELDS
    assert told["progress_message"] == "a\nb\u2028c"
    assert isinstance(told["progress"], float)
    assert told["at"].endswith("Z")


def test_the_end_has_the_id_of_the_last_event_and_a_reset_none_of_any() -> None:
    assert end(12).startswith(b"id: 12\nevent: end\ndata: {}")
    number, name, data, *_ = reset(12, sse.TRIMMED).decode().split("\n")
    assert (number, name) == ("id: 0", "event: reset")
    assert json.loads(data.removeprefix("data: "))["last_event_id"] == "12"


def test_a_silent_stream_says_so_every_15_s_and_asks_for_reconnects_after_1_s() -> None:
    assert sse.KEEP_ALIVE_S == 15
    assert sse.KEEP_ALIVE.startswith(b":")
    assert sse.RETRY == b"retry: 1000\n\n"
