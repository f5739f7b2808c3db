"""What counts as waiting for a worker, and what doesn't."""

from __future__ import annotations

import redis

from tasks.backlog import Backlog
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.stories import DEMO_CATALOG, a_task, fetched, ledger_for


def test_only_what_a_worker_could_take_now_is_waited_for(client: redis.Redis, settings: Settings) -> None:
    paused = f"{settings.namespace}:paused"
    ledger, backlog = ledger_for(client, settings), Backlog(client, settings, DEMO_CATALOG)

    # Nothing, and a task whose time hasn't come: nobody waits.
    ledger.submit([a_task(countdown_s=60)])
    assert (backlog.look().age_s, backlog.look().running) == (0.0, 0)

    # A low one waits longest, whatever came above it since.
    low = a_task("low")
    ledger.submit([low])
    wait_until(lambda: backlog.look().age_s > 0.1, "it has waited")
    ledger.submit([a_task("critical", task_name="other.work")])
    assert backlog.look().age_s > 0.1

    # Its queue is paused because somebody wants it to wait.
    client.hset(paused, "demo", "{}")
    assert backlog.look().age_s < 0.1
    client.hdel(paused, "demo")

    # What runs doesn't wait.
    assert len(fetched(ledger)) == 2
    assert (backlog.look().age_s, backlog.look().running) == (0.0, 2)
