"""The forensic calendar."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.text.holidays import easter, holidays, in_recess, is_business_day
from actors.engines.text.terms import CIVIL_CODE, CPC, PENAL

dates = st.dates(dt.date(1990, 1, 1), dt.date(2090, 1, 1))


@pytest.mark.parametrize(
    "sunday", [(1999, 4, 4), (2000, 4, 23), (2008, 3, 23), (2011, 4, 24), (2024, 3, 31), (2025, 4, 20), (2038, 4, 25)]
)
def test_easter(sunday: tuple[int, int, int]) -> None:
    assert easter(sunday[0]) == dt.date(*sunday)


def test_the_movable_days_of_2025() -> None:
    movable = {dt.date(2025, 3, 3), dt.date(2025, 3, 4), dt.date(2025, 4, 18), dt.date(2025, 6, 19)}
    assert movable <= holidays(2025)


def test_consciousness_day_is_national_since_2024() -> None:
    assert is_business_day(dt.date(2023, 11, 20))
    assert not is_business_day(dt.date(2024, 11, 20))


@given(dates, st.integers(1, 60))
def test_a_civil_term_ends_on_a_business_day_outside_the_recess(start: dt.date, count: int) -> None:
    due = CPC.due(start, count, "dias")
    assert due is not None
    assert is_business_day(due)
    assert not in_recess(due)
    counted = [start + dt.timedelta(days=n) for n in range(1, (due - start).days + 1)]
    assert sum(is_business_day(day) and not in_recess(day) for day in counted) == count


@given(dates, st.integers(1, 60))
def test_a_longer_term_never_ends_earlier(start: dt.date, count: int) -> None:
    for counting in (CPC, PENAL, CIVIL_CODE):
        shorter, longer = counting.due(start, count, "dias"), counting.due(start, count + 1, "dias")
        assert shorter is not None
        assert longer is not None
        assert start < shorter <= longer


def test_a_penal_term_runs_through_the_weekend_but_begins_and_ends_on_business_days() -> None:
    friday = dt.date(2025, 3, 7)
    assert PENAL.due(friday, 5, "dias") == dt.date(2025, 3, 14)
    assert PENAL.due(friday, 6, "dias") == dt.date(2025, 3, 17)


def test_a_term_beyond_the_calendar_has_no_due_day() -> None:
    assert CPC.due(dt.date(9999, 12, 1), 15, "dias") is None
