"""What the rules of alerts are held against: each kind's present values, read in few round trips, with the server's
own clock. Nothing is changed here, and nothing is read of what a client told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote

import redis
from pydantic_core import from_json

from tasks.alert_rules import Rule
from tasks.backup import last_backup
from tasks.catalog import CATALOG, Catalog
from tasks.keys import Keys
from tasks.ledger import Ledger
from tasks.lifecycle import LANES, lane_name
from tasks.redis_faults import redis_faults
from tasks.scheduler_beats import SchedulerBeats
from tasks.schedules import SlotBook
from tasks.settings import Settings
from tasks.statistics import Figures, aggregate

READ_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of what a rule measures, and of what: a queue, a type of task, a lane."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class Measures:
    """Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: redis.Redis, settings: Settings, catalog: Catalog = CATALOG) -> None:
        self._client = client
        self._settings = settings
        self._keys = Keys(settings.namespace)
        self._catalog = catalog
        self._slots = SlotBook(Ledger(client, settings, catalog), settings)
        self._schedulers = SchedulerBeats(client, settings)
        self._heartbeat_timeout_ms = int(settings.heartbeat_timeout_s * 1_000)

    def now_ms(self) -> int:
        """The server's time: what is measured in several processes is measured by one clock."""
        with redis_faults():
            seconds, micros = self._client.time()
        return seconds * 1_000 + micros // 1_000

    def of(self, rules: Sequence[Rule], now_ms: int) -> dict[str, list[Sample]]:
        """The samples of each rule, by its name. Figures that several rules count over are read once."""
        figures: dict[int, tuple[dict[str, Figures], dict[str, Figures]]] = {}
        samples = {}
        for rule in rules:
            if rule.kind in ("dead_letters_growing", "failure_rate") and rule.window_s not in figures:
                figures[rule.window_s] = self._figures(rule.window_s, now_ms)
            samples[rule.name] = list(self._samples(rule, figures, now_ms))
        return samples

    def _samples(self, rule: Rule, figures: Mapping[int, Any], now_ms: int) -> Iterator[Sample]:
        if rule.kind == "dead_letters_growing":
            for queue, counted in figures[rule.window_s][0].items():
                yield Sample(counted.counts["failed"], {"queue": queue})
        elif rule.kind == "failure_rate":
            yield from _rates(rule, figures[rule.window_s][1])
        elif rule.kind == "oldest_waiting":
            assert rule.priority is not None
            yield from self._waiting(rule.priority, now_ms)
        elif rule.kind == "no_worker":
            yield Sample(self.workers(now_ms))
        elif rule.kind == "no_scheduler":
            yield Sample(self._schedulers.living(now_ms))
        elif rule.kind == "backup_failed":
            last = last_backup(self._client, self._settings)
            yield Sample(0 if last is None or last["ok"] else 1)
        elif rule.kind == "breaker_open":
            yield from self._breakers()
        elif rule.kind == "schedule_missed":
            yield from self._schedules(now_ms)
        else:
            yield from self._memory()

    # ------------------------------------------------------------------------------------------ figures

    def _figures(self, window_s: int, now_ms: int) -> tuple[dict[str, Figures], dict[str, Figures]]:
        """By queue and by type of task, over all tenants, in this minute and the whole ones of the window."""
        this_minute = now_ms // 60_000
        minutes = range(this_minute - window_s // 60, this_minute + 1)
        with redis_faults():
            tenants = cast(set[bytes], self._client.smembers(self._keys.of("tenants")))
        names = [
            self._keys.of("stats", tenant=tenant.decode(), minute=str(minute))
            for tenant in tenants
            for minute in minutes
        ]
        return aggregate(self._hashes(names))

    def _hashes(self, names: Sequence[str]) -> Iterator[dict[bytes, bytes]]:
        for start in range(0, len(names), READ_AT_ONCE):
            pipe = self._client.pipeline(transaction=False)
            for name in names[start : start + READ_AT_ONCE]:
                pipe.hgetall(name)
            with redis_faults():
                yield from cast(list[dict[bytes, bytes]], pipe.execute())

    # ------------------------------------------------------------------------------------------ waiting

    def _waiting(self, priority: str, now_ms: int) -> Iterator[Sample]:
        """The age of the head of each lane of this priority, in seconds. A paused queue waits because somebody wants
        it to."""
        assert priority in LANES
        with redis_faults():
            paused = cast(list[bytes], self._client.hkeys(self._keys.of("paused")))
        queues = [queue for queue in self._catalog.queues if queue.encode() not in paused]
        pipe = self._client.pipeline(transaction=False)
        for queue in queues:
            pipe.lindex(self._keys.of("lane", lane=lane_name(queue, priority)), 0)
        with redis_faults():
            heads = cast(list[bytes | None], pipe.execute())
        waiting = [(queue, head.decode()) for queue, head in zip(queues, heads, strict=True) if head]
        pipe = self._client.pipeline(transaction=False)
        for _, task_id in waiting:
            pipe.hget(self._keys.of("task", id=task_id), "queued")
        with redis_faults():
            since = cast(list[bytes | None], pipe.execute())
        for (queue, _), queued in zip(waiting, since, strict=True):
            if queued:
                age_s = max(0, now_ms - int(queued)) / 1_000
                yield Sample(round(age_s, 1), {"queue": queue, "priority": priority})

    # ---------------------------------------------------------------------------------- workers, memory

    def workers(self, now_ms: int) -> int:
        """Workers that beat lately and take tasks: one that drains or is stuck takes none."""
        since = now_ms - self._heartbeat_timeout_ms
        with redis_faults():
            beating = cast(list[bytes], self._client.zrangebyscore(self._keys.of("heartbeats"), since, "+inf"))
            names = [self._keys.of("worker", worker=worker.decode()) for worker in beating]
            told = cast(list[bytes | None], self._client.mget(names)) if names else []
        return sum(1 for each in told if each is None or _takes_tasks(from_json(each)))

    def _breakers(self) -> Iterator[Sample]:
        """1 for each breaker that is open, or half open: no call has succeeded since; 0 for the others."""
        with redis_faults():
            known = cast(list[bytes], self._client.zrange(self._keys.of("breakers"), 0, -1))
            pipe = self._client.pipeline(transaction=False)
            for name in known:
                pipe.hexists(self._keys.of("breaker", dependency=name.decode()), "until")
            opened = pipe.execute() if known else []
        for name, is_open in zip(known, opened, strict=True):
            yield Sample(int(is_open), {"breaker": unquote(name.decode())})

    def _schedules(self, now_ms: int) -> Iterator[Sample]:
        """How late the first slot is that nobody saw to, in seconds; 0 where none is."""
        late = {
            overdue.name: overdue.late_s
            for overdue in self._slots.overdue(dt.datetime.fromtimestamp(now_ms / 1_000, dt.UTC))
        }
        for schedule in self._slots.schedules:
            yield Sample(round(late.get(schedule.name, 0.0)), {"schedule": schedule.name})

    def _memory(self) -> Iterator[Sample]:
        """How full the server is, in percent of `maxmemory`; where it has none, of the machine's memory."""
        with redis_faults():
            told = self._client.info("memory")
        bound = int(told.get("maxmemory") or told.get("total_system_memory") or 0)
        if bound:
            yield Sample(round(100 * int(told["used_memory"]) / bound, 1))


def _takes_tasks(worker: Mapping[str, Any]) -> bool:
    return not worker.get("draining") and not worker.get("stuck")


def _rates(rule: Rule, by_name: Mapping[str, Figures]) -> Iterator[Sample]:
    for name, counted in by_name.items():
        failed = counted.counts["failed"]
        ended = failed + counted.counts["succeeded"]
        if ended >= rule.at_least:
            yield Sample(round(100 * failed / ended, 1), {"task_name": name})
