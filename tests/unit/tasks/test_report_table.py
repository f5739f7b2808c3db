"""A report as CSV: read back by another reader, it says what the report says, and no cell is a formula."""

from __future__ import annotations

import csv
import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tasks.report_table import COUNTS, FORMULAS, HEADER, as_csv

NOTHING = {"p50": None, "p95": None, "p99": None}


def figures(succeeded: int, failed: int, wait: dict[str, Any] = NOTHING) -> dict[str, Any]:
    return {
        "succeeded": succeeded,
        "failed": failed,
        "cancelled": 1,
        "retried": 0,
        "wait_ms": wait,
        "run_ms": NOTHING,
    }


def report(tasks: dict[str, Any]) -> dict[str, Any]:
    totals = {count: sum(one[count] for one in tasks.values()) for count in COUNTS}
    return {"from": "2026-11-22T03:00:00.000Z", "until": "2026-11-23T03:00:00.000Z"} | {
        "totals": totals,
        "queues": {},
        "tasks": tasks,
    }


def rows(text: str) -> list[dict[str, str]]:
    assert text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_a_table_says_what_the_report_says() -> None:
    wait = {"p50": 10.3, "p95": 20.0, "p99": 40.5}
    total, triage = rows(as_csv(report({"triage.process_async": figures(3, 1, wait)})))

    assert (total["what"], total["succeeded"], total["failed"], total["success_rate"]) == ("total", "3", "1", "0.75")
    assert (triage["name"], triage["wait_p99_ms"], triage["run_p50_ms"]) == ("triage.process_async", "40.5", "")


def test_a_service_that_did_nothing_has_a_table_too() -> None:
    (total,) = rows(as_csv(report({})))
    assert (total["succeeded"], total["success_rate"]) == ("0", "")


@given(st.dictionaries(st.text(min_size=1), st.builds(figures, st.integers(0, 9), st.integers(0, 9)), max_size=3))
def test_any_name_comes_back_and_none_is_a_formula(tasks: dict[str, Any]) -> None:
    read = rows(as_csv(report(tasks)))[1:]

    assert [row["name"].removeprefix("'") for row in read] == [name.removeprefix("'") for name in tasks]
    assert not any(cell.startswith(FORMULAS) for row in read for cell in row.values())
    assert all(tuple(row) == HEADER for row in read)
