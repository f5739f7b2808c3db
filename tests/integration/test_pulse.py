"""What a worker's pulse does for the others after a silence of the server, at set moments."""

from __future__ import annotations

from time import monotonic

import redis

from middleware.interrupts import Interrupts
from middleware.pulse import GRACE_S, Pulse
from tasks.clock import now_ms
from tasks.ledger import Ledger
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.stories import a_task, begun, ledger_for, status

FIRST, OTHER = "w-first", "w-other"


def a_silence(ledger: Ledger) -> None:
    """As if the server had been away: nobody's beat was heard for longer than the timeout."""
    long_ago = now_ms() - 60_000
    ledger.client.zadd(ledger.keys.of("heartbeats"), {FIRST: long_ago, OTHER: long_ago})


def test_who_is_heard_first_takes_no_one_for_dead_although_a_delay_wakes_it(
    client: redis.Redis, settings: Settings
) -> None:
    ledger = ledger_for(client, settings)
    task, delayed = a_task(), a_task(countdown_s=0.01)
    ledger.submit([task, delayed])
    begun(ledger, task, worker=OTHER)
    a_silence(ledger)
    pulse = Pulse(FIRST, ledger, Interrupts(), settings, dict)

    pulse.beat(monotonic())
    pulse.look_soon()
    pulse._do_what_is_due()

    assert status(ledger, task.task_id) == "running"
    wait_until(lambda: _is_queued_by(pulse, ledger, delayed.task_id), "what is due needn't wait", GRACE_S / 2)


def test_whoever_stays_silent_is_taken_for_dead_when_the_grace_is_over(
    client: redis.Redis, settings: Settings
) -> None:
    ledger = ledger_for(client, settings)
    task = a_task()
    ledger.submit([task])
    begun(ledger, task, worker=OTHER)
    a_silence(ledger)
    pulse = Pulse(FIRST, ledger, Interrupts(), settings, dict)
    pulse.beat(monotonic())

    pulse._grace_until = monotonic()
    pulse.look_soon()
    pulse._do_what_is_due()

    assert status(ledger, task.task_id) == "queued"


def _is_queued_by(pulse: Pulse, ledger: Ledger, task_id: str) -> bool:
    pulse.look_soon()
    pulse._do_what_is_due()
    return status(ledger, task_id) == "queued"
