"""Lines of cron: which moments they mean, in zones that turn their clocks."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.cron import Cron
from tasks.settings import Settings
from tasks.timetable import SCHEDULES, check_lines

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
YEAR = (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
MINUTE = dt.timedelta(minutes=1)


def moments(line: str, zone: str, day: str, days: int = 1) -> list[str]:
    """What a line means in the days from `day` on, as a clock of the zone shows it, with the offset."""
    tz = ZoneInfo(zone)
    begin = dt.datetime.fromisoformat(day).replace(tzinfo=tz)
    end = (begin + dt.timedelta(days=days)).astimezone(dt.UTC) - MINUTE
    found = Cron.parse(line).between(begin.astimezone(dt.UTC) - MINUTE, end, tz)
    return [f"{moment.astimezone(tz):%d %H:%M%z}" for moment in found]


@pytest.mark.parametrize(
    ("line", "of_year"),
    [
        ("0 6 * * *", 365),
        ("30 6 * * 1", 52),
        ("0 0 * * 0", 52),
        ("0 0 * * 7", 52),
        ("0 0 * * sun", 52),
        ("*/5 * * * *", 105_120),
        ("0 9 1,15 * mon", 74),
        ("0 0 31 * *", 7),
        ("15 10-12/2 * jan-mar mon-fri", 128),
    ],
)
def test_a_year_has_as_many_moments_as_the_calendar_says(line: str, of_year: int) -> None:
    assert sum(1 for _ in Cron.parse(line).between(YEAR[0] - MINUTE, YEAR[1] - MINUTE, ZoneInfo("UTC"))) == of_year


def test_a_rare_day_is_found() -> None:
    found = Cron.parse("0 0 29 2 *").next(YEAR[0], ZoneInfo("UTC"))
    assert found == dt.datetime(2028, 2, 29, tzinfo=dt.UTC)


def test_an_hour_that_the_clock_skips_comes_once_all_the_same() -> None:
    # Berlin goes from 02:00 to 03:00 on 29 March 2026; São Paulo went from 00:00 to 01:00 on 4 November 2018.
    assert moments("30 2 * * *", "Europe/Berlin", "2026-03-29") == ["29 03:30+0200"]
    assert moments("0 0 * * *", "America/Sao_Paulo", "2018-11-04") == ["04 01:00-0200"]
    # Every hour that there is: 23 of them.
    assert len(moments("0 * * * *", "Europe/Berlin", "2026-03-29")) == 23
    # All of 30 December 2011 was skipped by Samoa: its slot isn't a second one of the 31st.
    assert moments("0 6 * * *", "Pacific/Apia", "2011-12-29", 3) == ["29 06:00-1000", "31 06:00+1400"]


def test_an_hour_that_the_clock_repeats_comes_once_unless_it_is_every_hour() -> None:
    # Berlin goes from 03:00 back to 02:00 on 25 October 2026.
    assert moments("30 2 * * *", "Europe/Berlin", "2026-10-25") == ["25 02:30+0200"]
    assert len(moments("*/5 * * * *", "Europe/Berlin", "2026-10-25")) == 25 * 12


@given(
    line=st.sampled_from(["0 6 * * *", "30 2 * * *", "*/5 * * * *", "0 0,12 * * 1", "0 1-3 * * *"]),
    zone=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "America/Sao_Paulo"]),
    begin=st.datetimes(dt.datetime(2017, 1, 1), dt.datetime(2026, 12, 1)),
)
def test_moments_come_in_their_order_each_once_however_the_time_is_cut(
    line: str, zone: str, begin: dt.datetime
) -> None:
    cron, tz, first = Cron.parse(line), ZoneInfo(zone), begin.replace(tzinfo=dt.UTC)
    whole = list(cron.between(first, first + dt.timedelta(days=3), tz))
    pieces = [
        moment
        for hour in range(72)
        for moment in cron.between(first + dt.timedelta(hours=hour), first + dt.timedelta(hours=hour + 1), tz)
    ]
    assert whole == sorted(set(whole)) == pieces


@pytest.mark.parametrize(
    "line",
    ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "*/0 * * * *", "a * * * *", "5-1 * * * *", "0 0 30 2 *"],
)
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"minute|hour|day|never"):
        Cron.parse(line)


@given(st.text(max_size=30))
def test_any_text_is_a_line_or_a_value_error(text: str) -> None:
    try:
        Cron.parse(text)
    except ValueError:
        return
    assert len(text.split()) == 5


def test_the_setting_changes_lines_that_there_are() -> None:
    assert Settings(schedules={"upkeep": "off"}).schedules == {"upkeep": "off"}
    for wrong in ({"nightly": "0 0 * * *"}, {"upkeep": "every day"}):
        with pytest.raises(ValueError, match=r"nightly|five fields"):
            check_lines(wrong)
    assert all(schedule.line.next(YEAR[0], SAO_PAULO) for schedule in SCHEDULES)
