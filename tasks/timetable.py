"""What the service does by itself, and when: the table of schedules. When they last came is in `tasks.schedules`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from zoneinfo import ZoneInfo

from tasks.cron import Cron

OFF = "off"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One type of task that comes by itself. `missed` says what is done about slots that passed while no scheduler
    ran: `catch_up` does the latest of them late, once; `skip` waits for the next. What is `of_whole_days` is told in
    `until` where its slot's day began."""

    name: str
    cron: str
    task_name: str
    missed: Literal["catch_up", "skip"]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    of_whole_days: bool = False

    @property
    def is_off(self) -> bool:
        return self.cron == OFF

    @property
    def line(self) -> Cron:
        return Cron.parse(self.cron)

    def arguments_at(self, slot: dt.datetime, zone: ZoneInfo) -> dict[str, Any]:
        """What the task of a slot is queued with."""
        if not self.of_whole_days:
            return dict(self.arguments)
        midnight = slot.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return {**self.arguments, "until": midnight.isoformat()}


SCHEDULES = (
    Schedule("daily-report", "0 6 * * *", "reports.generate", "catch_up", {"kind": "daily"}, of_whole_days=True),
    Schedule("weekly-report", "30 6 * * 1", "reports.generate", "catch_up", {"kind": "weekly"}, of_whole_days=True),
    Schedule("backup", "30 2 * * *", "backup.run", "catch_up"),
    Schedule("alerts", "* * * * *", "alerts.evaluate", "skip"),
    # A scheduler that starts sweeps anyway.
    Schedule("upkeep", "*/5 * * * *", "upkeep.sweep", "skip"),
)


def check_lines(lines: Mapping[str, str]) -> None:
    """Whether these may stand in for lines of the table. Raises `ValueError`, which names what is wrong."""
    known = {schedule.name for schedule in SCHEDULES}
    for name, line in lines.items():
        if name not in known:
            raise ValueError(f"there is no schedule {name!r}; there are {', '.join(sorted(known))}")
        if line != OFF:
            Cron.parse(line)


def schedules_with(lines: Mapping[str, str]) -> tuple[Schedule, ...]:
    """The table, with other lines for some."""
    return tuple(replace(schedule, cron=lines.get(schedule.name, schedule.cron)) for schedule in SCHEDULES)
