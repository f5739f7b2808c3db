"""Staged faults: all workers are killed while two schedulers stand by, then all schedulers while a worker does, and
the nightly backup fails. Somebody is told, once each; and once more when it is over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from tasks.catalog import CATALOG
from tasks.ledger import Ledger
from tasks.settings import Settings
from tasks.submission import SYSTEM_TENANT, Order, check
from tests.conftest import wait_until
from tests.receiver import Receiver
from tests.system.service import ROOT, inherited

RULES = """
every_s = 1
[[rule]]
name = "no-worker"
kind = "no_worker"
severity = "critical"
threshold = 1
for_s = 1
clear_for_s = 1
[[rule]]
name = "no-scheduler"
kind = "no_scheduler"
threshold = 1
for_s = 1
clear_for_s = 1
[[rule]]
name = "backup-failed"
kind = "backup_failed"
threshold = 1
clear_for_s = 1
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def states(receiver: Receiver, rule: str = "no-worker") -> list[str]:
    texts = [each.json["text"] for each in receiver.received]
    return [text.partition("]")[0].lstrip("*[") for text in texts if f"] {rule}" in text]


def test_an_alert_fires_and_resolves_once_each(
    client: redis.Redis, settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    environment = {
        **inherited(),
        "DESPACHO_REDIS_URL": settings.redis_url,
        "DESPACHO_DATA_DIR": str(tmp_path / "data"),
        "DESPACHO_ALERTS_FILE": str(rules),
        "DESPACHO_BACKUP_TO": str(tmp_path / "backups"),
        "DESPACHO_HEARTBEAT_TIMEOUT_S": "2",
        "DESPACHO_NOTICE_WEBHOOK_URL": f"http://127.0.0.1:{receiver.port}/hook",
    }

    with ExitStack() as stack:

        def started(name: str) -> subprocess.Popen[bytes]:
            log = stack.enter_context((tmp_path / f"{name}.log").open("ab"))
            process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", name], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
            return process

        worker = started("worker")
        wait_until(lambda: client.zcard("despacho:mq:__heartbeats__"), "the worker beats", 150)
        schedulers = [started("scheduler") for _ in range(2)]
        wait_until(lambda: client.zcard("despacho:schedulers") == 2, "the schedulers beat", 60)
        wait_until(lambda: client.get("despacho:alerts_at"), "the rules are evaluated", 60)
        assert states(receiver) == []

        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: states(receiver) == ["FIRING"], "somebody is told that no worker is left", 30)

        started("worker")
        wait_until(lambda: states(receiver) == ["FIRING", "RESOLVED"], "and that one is back", 150)
        seen = int(client.get("despacho:alerts_at") or 0)  # type: ignore[arg-type]
        later = seen + 3_000
        wait_until(lambda: int(client.get("despacho:alerts_at") or 0) > later, "more slots are evaluated", 30)  # type: ignore
        assert states(receiver) == ["FIRING", "RESOLVED"]

        for scheduler in schedulers:
            os.kill(scheduler.pid, signal.SIGKILL)
        whose = "no-scheduler"
        wait_until(lambda: states(receiver, whose) == ["FIRING"], "a worker tells that no scheduler is left", 30)
        # Meanwhile the backup fails, and then it doesn't.
        in_the_way = Path(environment["DESPACHO_BACKUP_TO"])
        in_the_way.write_text("no folder")
        run_backup(client, settings)
        wait_until(lambda: states(receiver, "backup-failed") == ["FIRING"], "the backup failed", 30)
        in_the_way.unlink()
        run_backup(client, settings)
        both = ["FIRING", "RESOLVED"]
        wait_until(lambda: states(receiver, "backup-failed") == both, "and the next one didn't", 30)

        started("scheduler")
        wait_until(lambda: states(receiver, whose) == both, "and a scheduler is back", 60)
        assert [states(receiver, rule) for rule in ("no-worker", whose, "backup-failed")] == [both] * 3


def run_backup(client: redis.Redis, settings: Settings) -> None:
    """As its schedule does, at any time."""
    order = Order("backup.run", tenant=SYSTEM_TENANT, internal=True, retry_config={"max_retries": 0})
    Ledger(client, settings).submit([check(order, CATALOG)])
