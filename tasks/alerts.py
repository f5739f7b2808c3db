"""Alerts: what became of each rule, kept in Redis, told once for each change, read by the console and the reports.

An alert is one rule over one set of labels (a queue, a type of task). It is `pending` until it has been bad for the
rule's `for_s`, then `firing`, and `resolved` when it has been over for `clear_for_s`. A pending one that passes is
forgotten. Several may evaluate at once: each change is written by one of them (`lua/settle_alert.lua`), and the
notice of it in the same step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

import redis
from pydantic_core import from_json

from tasks import scripts
from tasks.alert_measures import Sample
from tasks.alert_rules import TOO_FEW, UNITS, Rule
from tasks.clock import now_ms, rfc3339
from tasks.connection import AsyncRedis
from tasks.keys import Keys
from tasks.record import compact_json
from tasks.redis_faults import redis_faults
from tasks.settings import Settings

STATES = ("pending", "firing", "resolved")
SHOWN_MS = 24 * 3_600_000
"""How long an alert is still shown after it was resolved."""
LABELS_AT_MOST = 50
"""Alerts of one rule: the worst of them."""
HISTORY_AT_MOST = 10_000
TELLING_S = 60.0


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as it stands. Times are in ms; `since` is when it became bad, `clear_since` since when it is over.
    `value` is the latest one, `fired_value` the one that fired."""

    rule: str
    kind: str
    severity: str
    state: str
    value: float
    threshold: float
    unit: str
    since: int
    labels: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    fired_value: float | None = None
    fired_at: int | None = None
    resolved_at: int | None = None
    clear_since: int | None = None

    @property
    def key(self) -> str:
        return alert_key(self.rule, self.labels)

    @property
    def notice_id(self) -> str:
        """Names this change of this alert, at whichever process."""
        digest = hashlib.sha256(self.key.encode()).hexdigest()[:16]
        return f"alert/{digest}/{self.fired_at}/{self.state}"

    def as_json(self) -> dict[str, Any]:
        """As the API and the reports tell it. `value` is the one that fired, once it has."""
        return {
            "rule": self.rule,
            "kind": self.kind,
            "severity": self.severity,
            "state": self.state,
            "value": self.value if self.fired_value is None else self.fired_value,
            "threshold": self.threshold,
            "unit": self.unit,
            "labels": dict(self.labels),
            "since": rfc3339(self.since),
            "fired_at": rfc3339(self.fired_at),
            "resolved_at": rfc3339(self.resolved_at),
            "description": self.description,
        }

    def encode(self) -> str:
        return compact_json(asdict(self))

    @classmethod
    def decode(cls, raw: bytes) -> Alert:
        return cls(**from_json(raw))


def alert_key(rule: str, labels: Mapping[str, str]) -> str:
    return compact_json([rule, sorted(labels.items())])


# ------------------------------------------------------------------------------------------ what becomes of it


def following(rule: Rule, seen: Alert | None, sample: Sample, now: int) -> Alert | None:
    """What an alert is after this sample; `None` where there is none."""
    bad = rule.is_bad(sample.value)
    if seen is None or seen.state == "resolved":
        return _fired(rule, _begun(rule, sample, now), now) if bad else _shown(seen, now)
    if seen.state == "pending":
        return _fired(rule, replace(seen, value=sample.value), now) if bad else None
    if not rule.is_over(sample.value):
        return replace(seen, value=sample.value, clear_since=None)
    clear_since = now if seen.clear_since is None else seen.clear_since
    cleared = replace(seen, value=sample.value, clear_since=clear_since)
    return resolved(cleared, now) if now - clear_since >= rule.clear_for_s * 1_000 else cleared


def _begun(rule: Rule, sample: Sample, now: int) -> Alert:
    return Alert(
        rule=rule.name,
        kind=rule.kind,
        severity=rule.severity,
        state="pending",
        value=sample.value,
        threshold=rule.threshold,
        unit=UNITS[rule.kind],
        since=now,
        labels=dict(sample.labels),
        description=rule.description,
    )


def _fired(rule: Rule, alert: Alert, now: int) -> Alert:
    if now - alert.since < rule.for_s * 1_000:
        return alert
    return replace(alert, state="firing", fired_at=now, fired_value=alert.value)


def resolved(alert: Alert, now: int) -> Alert:
    return replace(alert, state="resolved", resolved_at=now)


def _shown(alert: Alert | None, now: int) -> Alert | None:
    is_old = alert is not None and now - (alert.resolved_at or 0) > SHOWN_MS
    return None if is_old else alert


def steps(
    rules: Sequence[Rule], samples: Mapping[str, Sequence[Sample]], seen: Mapping[str, Alert], now: int
) -> Iterator[tuple[str, Alert | None]]:
    """The key and the next state of every alert that changes; one whose labels are not measured any more is measured
    as nothing, and one whose rule is gone ends."""
    met = set()
    for rule in rules:
        wanted = {alert_key(rule.name, each.labels): each for each in _worst(rule, samples[rule.name])}
        of_rule = {key: alert for key, alert in seen.items() if alert.rule == rule.name}
        for key in wanted.keys() | of_rule.keys():
            met.add(key)
            before = of_rule.get(key)
            nothing = Sample(0.0, before.labels if before else {})
            after = following(rule, before, wanted.get(key, nothing), now)
            if after != before:
                yield key, after
    for key in seen.keys() - met:
        yield key, resolved(seen[key], now) if seen[key].state == "firing" else None


def _worst(rule: Rule, samples: Sequence[Sample]) -> Sequence[Sample]:
    return sorted(samples, key=lambda each: each.value, reverse=rule.kind not in TOO_FEW)[:LABELS_AT_MOST]


# ------------------------------------------------------------------------------------------------ in Redis


@dataclass(frozen=True, slots=True)
class Untold:
    """A change of an alert that is still to be told, and the ways in which."""

    alert: Alert
    ways: tuple[str, ...]

    def encode(self) -> str:
        return compact_json({"alert": asdict(self.alert), "ways": self.ways})

    @classmethod
    def decode(cls, raw: bytes) -> Untold:
        told = from_json(raw)
        return cls(Alert(**told["alert"]), tuple(told["ways"]))


class AlertBook:
    """For those who evaluate, and for reports. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)

    def claim(self, now: int, every_s: int) -> bool:
        """Whether the caller is the one that evaluates in this slot of time; of several that ask, one is."""
        name = self._keys.of("alert_slot", slot=str(now // (every_s * 1_000)))
        with redis_faults():
            return bool(self._client.set(name, "1", nx=True, px=2_000 * every_s))

    def standing(self) -> dict[str, Alert]:
        """All alerts that there are, by their keys."""
        with redis_faults():
            found = cast(dict[bytes, bytes], self._client.hgetall(self._keys.of("alerts")))
        return {key.decode(): Alert.decode(raw) for key, raw in found.items()}

    def settle(self, key: str, seen: Alert | None, after: Alert | None, ways: Sequence[str]) -> bool:
        """Write the next state of an alert; false where another one was faster. A change into firing, or out of it,
        is noted in the history and left to be told."""
        is_news = after is not None and after.state != "pending" and (seen is None or seen.state != after.state)
        line = after.encode() if after is not None and is_news else ""
        untold = Untold(after, tuple(ways)) if after is not None and is_news and ways else None
        arguments = (
            key,
            seen.encode() if seen else "",
            after.encode() if after else "",
            line,
            untold.alert.notice_id if untold else "",
            untold.encode() if untold else "",
        )
        with redis_faults():
            return bool(scripts.call_once(self._client, "settle_alert", self._keys.namespace, arguments))

    def note_evaluated(self, now: int) -> None:
        with redis_faults():
            self._client.set(self._keys.of("alerts_at"), now, ex=8 * 86_400)

    @contextmanager
    def telling(self) -> Iterator[bool]:
        """False where somebody else tells what is to be told, at whichever slot. It lasts a minute at most: who is
        slower than that may be told over, under the same notice ids."""
        lock = self._client.lock(self._keys.of("alert_telling"), timeout=TELLING_S, blocking=False)
        with redis_faults():
            is_ours = bool(lock.acquire())
        try:
            yield is_ours
        finally:
            if is_ours:
                with suppress(redis.exceptions.LockError), redis_faults():
                    lock.release()

    def untold(self) -> dict[str, Untold]:
        """What is still to be told, by the notice's id."""
        with redis_faults():
            found = cast(dict[bytes, bytes], self._client.hgetall(self._keys.of("alert_notices")))
        return {notice_id.decode(): Untold.decode(raw) for notice_id, raw in found.items()}

    def told(self, notice_id: str, left: Untold | None = None) -> None:
        """A notice was told, but for the ways that are left."""
        name = self._keys.of("alert_notices")
        with redis_faults():
            if left is None:
                self._client.hdel(name, notice_id)
            else:
                self._client.hset(name, notice_id, left.encode())

    def history(self, first_ms: int, last_ms: int) -> list[dict[str, Any]]:
        """The alerts that were firing at some time between the two, oldest first, each once, as the API tells them;
        of the last 10,000 changes. One that had not ended is `firing`, with `resolved_at` null."""
        with redis_faults():
            lines = cast(list[Any], self._client.xrange(self._keys.of("alert_history"), count=2 * HISTORY_AT_MOST))
        # A line says all of its alert, so the last one of a firing is the whole of it.
        last = {(alert.key, alert.fired_at): alert for alert in (Alert.decode(each[1][b"e"]) for each in lines)}
        met = [each for each in last.values() if each.fired_at is not None and _overlaps(each, first_ms, last_ms)]
        return [alert.as_json() for alert in sorted(met, key=lambda each: each.fired_at or 0)]


def _overlaps(alert: Alert, first_ms: int, last_ms: int) -> bool:
    return (alert.fired_at or 0) <= last_ms and (alert.resolved_at is None or alert.resolved_at >= first_ms)


class AlertBoard:
    """For the gateway: one question to Redis, so that it may be asked often."""

    def __init__(self, client: AsyncRedis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self._heartbeat_timeout_s = settings.heartbeat_timeout_s

    async def read(self, state: str | None = None) -> dict[str, Any]:
        """The alerts in this state, or all, the most severe and newest first, and when they were last evaluated."""
        pipe = self._client.pipeline(transaction=False)
        pipe.hvals(self._keys.of("alerts"))
        pipe.get(self._keys.of("alerts_at"))
        with redis_faults():
            found, at = await pipe.execute()
        alerts = [alert for raw in found if (alert := Alert.decode(raw)) and state in (None, alert.state)]
        alerts.sort(key=_weight)
        return {"alerts": [alert.as_json() for alert in alerts], "evaluated_at": rfc3339(int(at)) if at else None}

    async def watched(self) -> tuple[int, float]:
        """How many schedulers live, and when the rules were last evaluated, in seconds since 1970; 0: never."""
        since = now_ms() - int(self._heartbeat_timeout_s * 1_000)
        pipe = self._client.pipeline(transaction=False)
        pipe.zcount(self._keys.of("schedulers"), since, "+inf")
        pipe.get(self._keys.of("alerts_at"))
        with redis_faults():
            living, at = await pipe.execute()
        return living, int(at or 0) / 1_000


_STATES = {state: place for place, state in enumerate(("firing", "pending", "resolved"))}
_SEVERITIES = {severity: place for place, severity in enumerate(("critical", "warning", "info"))}


def _weight(alert: Alert) -> tuple[int, int, int, str]:
    return _STATES[alert.state], _SEVERITIES[alert.severity], -(alert.fired_at or alert.since), alert.key
