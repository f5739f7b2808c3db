"""Evaluates the rules of alerts, once per slot of time, and sees to it that their changes are told.

Who evaluates: the task `alerts.evaluate`, each minute; every scheduler, a third of a slot later, where nobody has
done it by then; and every worker, another third later. So it is done where all workers are dead or have their hands
full, and where all schedulers are dead. What is to be told is queued as `notices.send`; where no worker takes tasks,
whoever evaluates delivers it, again in each slot until it is taken.

Nothing can be evaluated without Redis: that is told by `/readyz` and by the schedulers' logs.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from threading import Event, Thread
from time import time

from actors.notices import deliver
from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.alert_measures import Measures
from tasks.alert_rules import Rules, load_rules
from tasks.alerts import Alert, AlertBook, Untold, steps
from tasks.clock import rfc3339
from tasks.errors import DespachoError, Unavailable
from tasks.notices import Notice, Way, payload_of, send_notice, task_id_of, ways
from tasks.payloads import AlertsPayload, AlertsResult

log = logging.getLogger(__name__)
COLORS = {"critical": "#b3261e", "warning": "#b26a00", "info": "#3b6ea5"}
RESOLVED_COLOR = "#2e7d32"


class Watch:
    """One evaluator of one process. Raises `SettingsError` for rules that are wrong."""

    def __init__(self, tools: Toolbox) -> None:
        self.rules: Rules = load_rules(tools.settings)
        self._tools = tools
        self._book = AlertBook(tools.ledger.client, tools.settings)
        self._measures = Measures(tools.ledger.client, tools.settings)

    def evaluate(self) -> int | None:
        """How many alerts changed; `None` where another one evaluates in this slot. Raises `Unavailable`."""
        now = self._measures.now_ms()
        if not self._book.claim(now, self.rules.every_s):
            return None
        changed = self._settle(now)
        self._book.note_evaluated(now)
        self._tell(has_workers=self._measures.workers(now) > 0)
        return changed

    def _settle(self, now: int) -> int:
        rules, seen, settings = self.rules.rules, self._book.standing(), self._tools.settings
        changed = 0
        for key, after in steps(rules, self._measures.of(rules, now), seen, now):
            before = seen.get(key)
            if self._book.settle(key, before, after, ways(settings)) and _is_news(before, after):
                assert after is not None
                changed += 1
                log.warning(
                    "alert %s %s is %s: %g %s", after.rule, after.labels, after.state, after.value, after.unit
                )
        return changed

    # ---------------------------------------------------------------------------------------------- telling

    def _tell(self, *, has_workers: bool) -> None:
        with self._book.telling() as is_ours:
            if is_ours:
                self._tell_all(has_workers=has_workers)

    def _tell_all(self, *, has_workers: bool) -> None:
        for notice_id, untold in self._book.untold().items():
            notice = notice_of(notice_id, untold.alert)
            if has_workers:
                send_notice(self._tools.ledger, self._tools.settings, notice, _ways(untold))
                self._book.told(notice_id)
            else:
                self._deliver(notice, untold)

    def _deliver(self, notice: Notice, untold: Untold) -> None:
        """There is nobody to do a task."""
        left = untold
        for way in _ways(untold):
            try:
                deliver(task_id_of(notice.notice_id, way), payload_of(notice, way), self._tools)
            except DespachoError as error:
                log.error("an alert could not be told by %s (%s); trying again", way, error)
                continue
            left = replace(left, ways=tuple(each for each in left.ways if each != way))
            self._book.told(notice.notice_id, left if left.ways else None)


def _is_news(before: Alert | None, after: Alert | None) -> bool:
    return after is not None and after.state != "pending" and (before is None or before.state != after.state)


def _ways(untold: Untold) -> list[Way]:
    known: tuple[Way, ...] = ("email", "webhook")
    return [way for way in known if way in untold.ways]


def notice_of(notice_id: str, alert: Alert) -> Notice:
    """What is told of a change: the rule, the value that fired, and since when."""
    value = alert.value if alert.fired_value is None else alert.fired_value
    where = ", ".join(f"{name} {label}" for name, label in alert.labels.items())
    fields = [
        ("Rule", alert.rule),
        ("Severity", alert.severity),
        ("Value that fired", f"{value:g} {alert.unit}"),
        ("Threshold", f"{alert.threshold:g} {alert.unit}"),
        *([("Of", where)] if where else []),
        ("Since", rfc3339(alert.since) or ""),
        *([("Resolved", rfc3339(alert.resolved_at) or "")] if alert.state == "resolved" else []),
    ]
    return Notice(
        notice_id=notice_id,
        subject=f"[{alert.state.upper()}] {alert.rule}" + (f" ({where})" if where else ""),
        text=alert.description or f"{alert.kind} of {alert.rule}",
        fields=fields,
        color=RESOLVED_COLOR if alert.state == "resolved" else COLORS[alert.severity],
    )


def evaluate(run: Run, payload: AlertsPayload, tools: Toolbox) -> AlertsResult:  # noqa: ARG001
    """The scheduled task."""
    changed = tools.watch.evaluate()
    return AlertsResult(evaluated=changed is not None, changed=changed or 0)


# ---------------------------------------------------------------------------------------------- standing by


SCHEDULERS_WAIT, WORKERS_WAIT = 1 / 3, 2 / 3
"""Of a slot, until they evaluate it if nobody has."""


class StandBy:
    """Evaluates in a thread of its own whatever slot nobody has evaluated when this part of it is over."""

    def __init__(self, watch: Watch, part: float) -> None:
        self._watch = watch
        self._part = part
        self._stopped = Event()
        self._is_away = False
        self._thread = Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        every_s = self._watch.rules.every_s
        while not self._stopped.wait(_until_s(time(), every_s, self._part)):
            self._evaluate()

    def _evaluate(self) -> None:
        try:
            self._watch.evaluate()
            if self._is_away:
                log.warning("Redis is back: alerts are evaluated again")
            self._is_away = False
        except Unavailable as error:
            if not self._is_away:
                log.error("Redis is away (%s): no alert is evaluated until it is back", error)
            self._is_away = True
        except Exception as error:  # noqa: BLE001 - whatever it was, the next slot is to be evaluated
            log.error("alerts could not be evaluated: %s", type(error).__name__)


def _until_s(now_s: float, every_s: int, part: float) -> float:
    """Seconds until this part of a slot is over, of the next slot whose part is still to come."""
    return every_s - (now_s - every_s * part) % every_s
