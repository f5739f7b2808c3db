"""`/metrics`: true after every restart, from any gateway, and never going back."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from middleware.worker import LaneWorker
from tasks.keys import Keys
from tasks.ledger import Ledger
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway
from tests.integration.test_events import watching

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
SCALING = DEPLOY / "kubernetes" / "scaling.yaml"
DASHBOARD = DEPLOY / "grafana" / "despacho.json"
TRIAGE = {"queue": "triage", "task": "triage.process_async"}


class Told:
    """What one answer of `/metrics` tells."""

    def __init__(self, api: Client) -> None:
        answer = api.get("/metrics")
        assert answer.status_code == 200, answer.text
        self.text = answer.text
        families = list(text_string_to_metric_families(self.text))
        self.names = {sample.name for family in families for sample in family.samples}
        self._samples = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return self._samples[f"despacho_{name}", *sorted(labels.items())]

    def ended(self, status: str) -> float:
        return self.value("tasks_ended_total", **TRIAGE, status=status)

    def edges(self, name: str) -> list[float]:
        """The counts of a histogram's buckets, in the order in which they are told."""
        return [value for (told, *_), value in self._samples.items() if told == f"despacho_{name}_bucket"]


def age(client: redis.Redis, minutes: int) -> None:
    """Make all that was counted so much older, and the last look too."""
    for name in list(client.scan_iter("despacho:stats:*")):
        head, _, minute = name.decode().rpartition(":")
        client.rename(name, f"{head}:{int(minute) - minutes}")
    client.hincrby(Keys("despacho").of("totals"), "from", -minutes)


def test_the_figures_are_the_ledgers_and_no_counter_goes_back(
    api: Client, other_tenant: Client, gateway: Gateway, worker: LaneWorker, client: redis.Redis, settings: Settings
) -> None:
    done = [api.submit(), other_tenant.submit()]
    api.until(done[0], "succeeded")
    other_tenant.until(done[1], "succeeded")
    failed = api.submit(kwargs={"user_message": "falhe"}, retry_config={"max_retries": 0})
    api.until(failed, "failed")
    api.submit(countdown=600)

    first = Told(api)

    assert (first.ended("succeeded"), first.ended("failed"), first.ended("cancelled")) == (2, 1, 0)
    assert first.value("dead_letters", queue="triage") == 1
    assert first.value("scheduled_tasks", queue="triage") == 1
    assert first.value("workers") == 1
    assert (first.value("schedulers"), first.value("alerts_evaluated_timestamp_seconds")) == (0, 0)
    assert first.value("redis_memory_bytes") > 1_000_000
    assert first.value("task_run_seconds_count", **TRIAGE) == 3
    assert first.edges("task_run_seconds") == sorted(first.edges("task_run_seconds"))
    assert "acme" not in first.text

    # When the minutes are over, they are folded into the totals, once however often one looks ...
    age(client, 10)
    assert Told(api).ended("succeeded") == 2
    Ledger(client, settings).fold_totals()
    assert Told(api).ended("succeeded") == 2
    # ... so that neither their expiry nor a restart takes anything away, and what comes is added.
    client.delete(*client.scan_iter("despacho:stats:*"))
    gateway.stop()
    gateway.start()
    api.until(api.submit(), "succeeded")

    again = Told(api)
    assert (again.ended("succeeded"), again.ended("failed")) == (3, 1)
    assert again.value("task_wait_seconds_count", **TRIAGE) == 4
    fields = client.hlen(Keys("despacho").of("totals"))
    assert 0 < fields < 50, "one field per queue, task type and figure"


def test_what_a_process_serves_is_its_own(api: Client) -> None:
    with watching(api, "/api/events"):
        wait_until(lambda: Told(api).value("stream_watchers") == 1, "the stream is counted")
    wait_until(lambda: Told(api).value("stream_watchers") == 0, "it has ended")
    before = Told(api).value("http_responses_total", method="GET", status="200")

    assert Told(api).value("http_responses_total", method="GET", status="200") == before + 1
    api.request("PROPFIND", "/healthz")
    assert Told(api).value("http_responses_total", method="other", status="405") == 1


def test_every_metric_that_an_alert_or_a_plot_names_is_told(api: Client, worker: LaneWorker) -> None:
    api.until(api.submit(), "succeeded")
    told = Told(api).names

    for text in (ALERTS.read_text(), SCALING.read_text(), *plots().values()):
        named = set(re.findall(r"\bdespacho_\w+", text))
        assert named
        assert named <= told
    assert len(plots()) > 10


def plots() -> dict[str, str]:
    """The expressions of the dashboard, by the title of what shows them."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return {panel["title"]: "\n".join(target["expr"] for target in panel["targets"]) for panel in panels}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_no_fault(api: Client, worker: LaneWorker) -> None:
    api.until(api.submit(), "succeeded")
    text = Told(api).text

    for command, given in ((["check", "metrics"], text), (["check", "rules", str(ALERTS)], "")):
        checked = subprocess.run(["promtool", *command], input=given, text=True, capture_output=True, timeout=60)
        assert checked.returncode == 0, checked.stdout + checked.stderr
