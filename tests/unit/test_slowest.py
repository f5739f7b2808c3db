"""The slowest runs: each worker tells of few, and those of all are always among them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from middleware.slowest import HOUR_MS, KEPT, Slowest


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1e6)), max_size=60, unique_by=lambda run: run[1]))
def test_the_slowest_of_all_workers_were_told_by_theirs(runs: list[tuple[int, float]]) -> None:
    workers = [Slowest() for _ in range(3)]

    told = [ms for worker, ms in runs if workers[worker].is_among("triage.process_async", ms, 0)]

    assert sorted(told)[-KEPT:] == sorted(ms for _, ms in runs)[-KEPT:]


def test_each_hour_and_each_type_has_its_own() -> None:
    worker = Slowest()
    for _ in range(KEPT):
        assert worker.is_among("triage.process_async", 900, 0)

    assert not worker.is_among("triage.process_async", 5, 1)
    assert worker.is_among("documents.analyze_async", 5, 2)
    assert worker.is_among("triage.process_async", 5, HOUR_MS)
