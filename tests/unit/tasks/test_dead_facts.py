"""A few facts of a dead letter say the same as its whole record, whatever is in its error."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tasks.dead_facts import Fact
from tasks.fingerprints import fingerprint_of
from tasks.lifecycle import Priority, State
from tasks.record import Task, compact_json

WORDS = st.text(max_size=30) | st.sampled_from(['","fingerprint":"abc', '"type":"X"', "\\", '\\"type\\":\\"'])
ERRORS = st.fixed_dictionaries(
    {"message": WORDS, "type": WORDS}, optional={"fingerprint": WORDS, "at": st.integers()}
)


@given(ERRORS)
@example({"type": "ProviderFailed", "message": "http 500", "fingerprint": "3f9a0c51be27"})
@example({"type": "WorkerCrashed", "message": 'it said {"fingerprint":"00"}'})
def test_facts_and_record_agree(error: dict[str, Any]) -> None:
    task = Task("t1", "triage.process_async", "triage", Priority.NORMAL, "acme", State.FAILED, 7, error=error)

    fact = Fact.parse("t1", 7, f"9-1\n{task.name}\n{task.queue}\n\n{compact_json(error)}".encode())

    assert (fact.error_type, fact.message) == (error["type"], error["message"])
    assert fact.fingerprint == fingerprint_of(task)
    assert (fact.version, fact.ended_ms) == ("9-1", None)
