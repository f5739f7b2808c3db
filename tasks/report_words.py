"""How a report is told in Portuguese and in English: its words, its numbers, its days and times.

Numbers and dates are written as CLDR (https://cldr.unicode.org) says for Brazil and for British English.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_compact_decimal, format_decimal, format_percent

from tasks.clock import rfc3339_ms
from tasks.report_texts import TEXTS

Lang = Literal["pt", "en"]
LOCALES: Mapping[Lang, str] = {"pt": "pt_BR", "en": "en_GB"}
NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Words:
    """How a report is told in a language, with the times of a zone."""

    lang: Lang
    zone: ZoneInfo

    def text(self, key: str, **given: str) -> str:
        """A text of the table; its places are filled with what is given."""
        return TEXTS[key][0 if self.lang == "pt" else 1].format_map(given)

    def name(self, kind: str, name: str) -> str:
        """The word for a task type, an area, an error and so on; the name itself where there is none."""
        return self.text(f"{kind}.{name}") if f"{kind}.{name}" in TEXTS else name

    def sentence(self, kind: str, name: str) -> str:
        """The same as it begins a line."""
        known = self.name(kind, name)
        return known[:1].upper() + known[1:]

    # ---------------------------------------------------------------------------------------------- numbers

    @property
    def _locale(self) -> str:
        return LOCALES[self.lang]

    def number(self, value: float | None, digits: int = 0) -> str:
        if value is None:
            return NOTHING
        form = "#,##0" + ("." + "0" * digits if digits else "")
        return str(format_decimal(value, form, locale=self._locale))

    def rough(self, value: int) -> str:
        """A round number, short: `20 mil`, `20K`."""
        return self.number(value) if value < 10_000 else str(format_compact_decimal(value, locale=self._locale))

    def percent(self, share: float | None, digits: int = 1) -> str:
        """Never 100% of what isn't all, nor 0% of what is something."""
        if share is None:
            return NOTHING
        least = 10.0 ** -(digits + 2)
        shown = min(max(share, least), 1 - least) if 0 < share < 1 else share
        digits = 0 if shown in (0, 1) else digits
        return str(format_percent(shown, "#,##0" + ("." + "0" * digits if digits else "") + "%", locale=self._locale))

    def duration(self, milliseconds: float | None) -> str:
        if milliseconds is None:
            return NOTHING
        for unit, size, below in (("ms", 1, 1_000), ("s", 1_000, 60_000), ("min", 60_000, 3_600_000)):
            if milliseconds < below:
                return self._of_unit(milliseconds / size, unit)
        return self._of_unit(milliseconds / 3_600_000, "h")

    def _of_unit(self, value: float, unit: str) -> str:
        is_whole = unit == "ms" or value >= 100 or round(value, 1) == round(value)
        return f"{self.number(value, 0 if is_whole else 1)} {unit}"

    def measured(self, value: float, unit: str) -> str:
        """The value of an alert in its unit."""
        if unit == "s":
            return self.duration(value * 1_000)
        digits = 0 if float(value).is_integer() else 1
        return (
            self.text(f"unit.{unit}", n=self.number(value, digits))
            if f"unit.{unit}" in TEXTS
            else f"{value:g} {unit}"
        )

    # ------------------------------------------------------------------------------------------------ times

    def local(self, moment: str) -> dt.datetime:
        return dt.datetime.fromtimestamp(rfc3339_ms(moment) / 1_000, self.zone)

    def _written(self, moment: dt.datetime, form: str) -> str:
        return str(format_datetime(moment.replace(tzinfo=None), form, locale=self._locale))

    def when(self, moment: str | None) -> str:
        """Day and time, short: `16/11, 14:03`."""
        if moment is None:
            return NOTHING
        return self._written(self.local(moment), "dd/MM, HH:mm" if self.lang == "pt" else "d MMM, HH:mm")

    def full(self, moment: str) -> str:
        form = "d 'de' MMMM 'de' y, HH:mm" if self.lang == "pt" else "d MMMM y, HH:mm"
        return self._written(self.local(moment), form)

    def hour(self, moment: dt.datetime) -> str:
        return self._written(moment, "H 'h'" if self.lang == "pt" and not moment.minute else "HH:mm")

    def weekday(self, moment: dt.datetime) -> str:
        """`seg. 16`, `Mon 16`."""
        return self._written(moment, "EEE d")

    def day_and_hour(self, moment: dt.datetime) -> str:
        return f"{self._written(moment, 'EEE d')}, {self.hour(moment)}"

    def period(self, report: Mapping[str, Any]) -> str:
        """The days in words where they are whole, or the two moments."""
        first, last = self.local(report["from"]), self.local(report["until"])
        if (first.hour, first.minute, last.hour, last.minute) != (0, 0, 0, 0):
            return f"{self.full(report['from'])} {NOTHING} {self.full(report['until'])}"
        final = last - dt.timedelta(days=1)
        long = "EEEE, d 'de' MMMM 'de' y" if self.lang == "pt" else "EEEE, d MMMM y"
        if final.date() <= first.date():
            return self._written(first, long)
        short = "EEEE, d 'de' MMMM" if self.lang == "pt" else "EEEE, d MMMM"
        is_same_year = first.year == final.year
        return f"{self._written(first, short if is_same_year else long)} {NOTHING} {self._written(final, long)}"


def words_for(report: Mapping[str, Any], lang: Lang) -> Words:
    return Words(lang, ZoneInfo(report.get("time_zone", "UTC")))
