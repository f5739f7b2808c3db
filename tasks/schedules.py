"""When each schedule last came, and its next slot: the scheduler's side, which queues what is due, and the side of
those who look at it and steer it.

A slot is queued once whoever asks: its task has an id that follows from the schedule's name and the slot, and what
was seen of a schedule only moves forward, in one step. A kill between the two queues the same id again, which does
nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from tasks.audit import By
from tasks.clock import rfc3339
from tasks.errors import NotFound
from tasks.keys import Keys
from tasks.ledger import Ledger
from tasks.redis_faults import redis_faults
from tasks.service import TaskService
from tasks.settings import Settings
from tasks.submission import SYSTEM_TENANT, Order, check
from tasks.timetable import Schedule, schedules_with

MINUTE_MS = 60_000
ON_TIME_MS = 2 * MINUTE_MS
"""A slot that is seen so soon was not missed."""
OVERDUE_MS = 5 * MINUTE_MS
QUEUED_AND_NOT_NOTED = 1_000
"""Among so many slots after the last that was seen to, a scheduler that was killed then may have queued one."""
LOOKED_BACK = dt.timedelta(days=366)
MISSED_KEPT_MS = 7 * 24 * 60 * MINUTE_MS
"""How long after the last slot that was missed it is still told how many were."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of a schedule. Slots up to `slot_ms` have been seen to, for the line and zone in `spec`; `missed`
    counts those that passed and were not done, the last of them seen at `missed_at_ms`."""

    spec: str = ""
    slot_ms: int | None = None
    at_ms: int | None = None
    task_id: str | None = None
    missed: int = 0
    missed_at_ms: int | None = None
    paused: bool = False

    def missed_lately(self, moment: dt.datetime) -> bool:
        """Whether what was missed is still worth telling. Of an older release's it isn't known when."""
        return self.missed_at_ms is not None and _ms(moment) - self.missed_at_ms <= MISSED_KEPT_MS

    @classmethod
    def parse(cls, fields: Mapping[bytes, bytes]) -> Known:
        slot, at, task_id = fields.get(b"slot"), fields.get(b"at"), fields.get(b"task_id")
        missed_at = fields.get(b"missed_at")
        return cls(
            spec=fields.get(b"spec", b"").decode(),
            slot_ms=int(slot) if slot else None,
            at_ms=int(at) if at else None,
            task_id=task_id.decode() if task_id else None,
            missed=int(fields.get(b"missed", 0)),
            missed_at_ms=int(missed_at) if missed_at else None,
            paused=b"paused" in fields,
        )


@dataclass(frozen=True, slots=True)
class Overdue:
    """A schedule whose slot passed a while ago, and nobody saw to it: no scheduler runs, or it can't queue."""

    name: str
    slot_ms: int
    late_s: float


def slot_id(name: str, slot_ms: int) -> str:
    """The id of the one task of a slot."""
    digest = hashlib.sha256(f"schedule/{name}/{slot_ms}".encode()).digest()
    return str(UUID(bytes=digest[:16], version=4))


class SlotBook:
    """Queues what is due. As many schedulers as like may ask it at once."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._zone = ZoneInfo(settings.time_zone)
        self._settings = settings
        self.schedules = schedules_with(settings.schedules)

    @property
    def zone(self) -> ZoneInfo:
        return self._zone

    def tick(self, schedule: Schedule, moment: dt.datetime) -> str | None:
        """See to the slots of a schedule that passed up to `moment`. Returns the id of the task where one came.
        Raises `Unavailable`; then nothing is lost, and the next call sees to it."""
        if schedule.is_off:
            return None
        spec, known = _spec(schedule, self._zone), self._known(schedule)
        seen = known.slot_ms if known.spec == spec and known.slot_ms is not None else None
        due = _due(schedule, seen, moment, self._zone)
        if not due:
            if seen is None:
                self._advance(schedule, spec, _floor(moment) - MINUTE_MS, "", 0)
            return None
        latest = _ms(due[-1])
        if known.paused:
            self._advance(schedule, spec, latest, "", 0)
            return None
        is_on_time = _ms(moment) - latest < ON_TIME_MS
        comes = is_on_time or schedule.missed == "catch_up"
        task_id = self.submit(schedule, due[-1]) if comes else ""
        passed = due[: len(due) - comes]
        is_first = self._advance(schedule, spec, latest, task_id, len(passed) - self._came(schedule, passed))
        return task_id if is_first and comes else None

    def submit(self, schedule: Schedule, slot: dt.datetime) -> str:
        """Queue the task of a slot, which may be queued already."""
        task_id = slot_id(schedule.name, _ms(slot))
        order = Order(
            schedule.task_name,
            kwargs=schedule.arguments_at(slot, self._zone),
            tenant=SYSTEM_TENANT,
            task_id=task_id,
            internal=True,
        )
        self._ledger.submit([check(order, self._ledger.catalog)])
        return task_id

    def _came(self, schedule: Schedule, slots: Sequence[dt.datetime]) -> int:
        """How many of these were queued, though a kill kept that from being noted."""
        ids = [slot_id(schedule.name, _ms(slot)) for slot in slots[:QUEUED_AND_NOT_NOTED]]
        if not ids:
            return 0
        with redis_faults():
            return self._ledger.client.exists(*(self._ledger.keys.of("task", id=each) for each in ids))

    def overdue(self, moment: dt.datetime) -> list[Overdue]:
        """The schedules that should have come five minutes ago or earlier, with the first slot that nobody saw to.
        One that is paused or off, or that no scheduler has ever seen, is none of them."""
        found = (_overdue(schedule, self._known(schedule), moment, self._zone) for schedule in self.schedules)
        return [overdue for overdue in found if overdue is not None]

    def _known(self, schedule: Schedule) -> Known:
        with redis_faults():
            fields = self._ledger.client.hgetall(self._ledger.keys.of("schedule", schedule=schedule.name))
        return Known.parse(cast(dict[bytes, bytes], fields))

    def _advance(self, schedule: Schedule, spec: str, slot_ms: int, task_id: str, missed: int) -> bool:
        return self._ledger.advance_schedule(schedule.name, spec, slot_ms, task_id, missed, MISSED_KEPT_MS)


class Schedules:
    """Shows the schedules to the gateway, and steers them."""

    def __init__(self, tasks: TaskService, settings: Settings) -> None:
        self._tasks = tasks
        self._keys = Keys(settings.namespace)
        self._zone = ZoneInfo(settings.time_zone)
        self._schedules = schedules_with(settings.schedules)

    async def all(self, moment: dt.datetime | None = None) -> list[dict[str, Any]]:
        """All of the table as the API shows them, as of `moment`."""
        moment = moment or dt.datetime.now(dt.UTC)
        pipe = self._tasks.client.pipeline(transaction=False)
        for schedule in self._schedules:
            pipe.hgetall(self._keys.of("schedule", schedule=schedule.name))
        with redis_faults():
            known = [Known.parse(fields) for fields in await pipe.execute()]
        statuses = await self._statuses(known)
        rows = zip(self._schedules, known, statuses, strict=True)
        return [self._shown(schedule, one, status, moment) for schedule, one, status in rows]

    async def get(self, name: str) -> dict[str, Any]:
        """One of them. Raises `NotFound`."""
        self._find(name)
        return next(shown for shown in await self.all() if shown["name"] == name)

    async def run(self, name: str, by: By, *, tenant: str) -> str:
        """Queue its task now, beside its slots, as the caller's tenant but outside of its quota, for it is the
        service's own work; returns its id. Raises `NotFound`."""
        schedule = self._find(name)
        arguments = schedule.arguments_at(dt.datetime.now(dt.UTC), self._zone)
        order = Order(schedule.task_name, kwargs=arguments, tenant=tenant, internal=True)
        submitted = await self._tasks.submit(await self._tasks.prepare([order]), by=by, has_quota=False)
        task_id = submitted.task_ids[0]
        await self._tasks.steer_schedule("ran", name, task_id, by, tenant=tenant)
        return task_id

    async def pause(self, name: str, by: By, *, tenant: str) -> None:
        """Let its slots pass until it is resumed. Raises `NotFound`."""
        self._find(name)
        await self._tasks.steer_schedule("pause", name, "", by, tenant=tenant)

    async def resume(self, name: str, by: By, *, tenant: str) -> None:
        """Let it come again, from its next slot on. Raises `NotFound`."""
        self._find(name)
        await self._tasks.steer_schedule("resume", name, "", by, tenant=tenant)

    def _find(self, name: str) -> Schedule:
        for schedule in self._schedules:
            if schedule.name == name:
                return schedule
        raise NotFound(f"there is no schedule {name!r}")

    async def _statuses(self, known: list[Known]) -> list[str | None]:
        pipe = self._tasks.client.pipeline(transaction=False)
        for one in known:
            pipe.hget(self._keys.of("task", id=one.task_id or ""), "status")
        with redis_faults():
            return [status.decode() if status else None for status in await pipe.execute()]

    def _shown(self, schedule: Schedule, known: Known, status: str | None, moment: dt.datetime) -> dict[str, Any]:
        comes, lately = not (schedule.is_off or known.paused), known.missed_lately(moment)
        return {
            "name": schedule.name,
            "task_name": schedule.task_name,
            "cron": schedule.cron,
            "time_zone": self._zone.key,
            "next_at": rfc3339(_ms(schedule.line.next(moment, self._zone))) if comes else None,
            "last_at": rfc3339(known.at_ms),
            "last_task_id": known.task_id,
            "last_status": status,
            "paused": known.paused,
            "missed": known.missed if lately else 0,
            "missed_at": rfc3339(known.missed_at_ms) if lately else None,
            "overdue": _overdue(schedule, known, moment, self._zone) is not None,
        }


def _spec(schedule: Schedule, zone: ZoneInfo) -> str:
    return f"{schedule.line.line} {zone.key}"


def _due(schedule: Schedule, seen_ms: int | None, moment: dt.datetime, zone: ZoneInfo) -> list[dt.datetime]:
    """What nobody saw to. A schedule that is new, or has a new line, has missed nothing."""
    seen = _moment(_floor(moment) - MINUTE_MS if seen_ms is None else seen_ms)
    return list(schedule.line.between(max(seen, moment - LOOKED_BACK), moment, zone))


def _overdue(schedule: Schedule, known: Known, moment: dt.datetime, zone: ZoneInfo) -> Overdue | None:
    if schedule.is_off or known.paused or known.slot_ms is None or known.spec != _spec(schedule, zone):
        return None
    slot_ms = _ms(schedule.line.next(_moment(known.slot_ms), zone))
    late_ms = _ms(moment) - slot_ms
    return Overdue(schedule.name, slot_ms, late_ms / 1_000) if late_ms >= OVERDUE_MS else None


def _moment(ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(ms / 1_000, dt.UTC)


def _ms(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1_000)


def _floor(moment: dt.datetime) -> int:
    return _ms(moment) // MINUTE_MS * MINUTE_MS
