"""Reports: their figures against figures worked out by hand, and as the service makes and gives them."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis

from actors import reports
from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from despacho_client import Client as PythonClient
from middleware.broker import build_broker
from middleware.worker import LaneWorker
from tasks.alerts import Alert
from tasks.api_keys import SCOPES, ApiKeys
from tasks.clock import now_ms, to_ms
from tasks.keys import Keys
from tasks.ledger import Ledger
from tasks.report_data import ReportMaker
from tasks.reports import ReportBook
from tasks.settings import Settings
from tests.integration.conftest import QUICK, Client, Gateway
from tests.sample_report import full

KEYS = Keys("despacho")
TRIAGE = "triage.process_async"
HOUR = 3_600_000


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def ms(text: str) -> int:
    return to_ms(at(text))


class Stage:
    """Puts counters where the scripts would have put them at a time that is gone."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def count(self, moment: str, what: str, by: int, name: str = TRIAGE, tenant: str = "acme") -> None:
        self._client.sadd(KEYS.of("tenants"), tenant)
        stats = KEYS.of("stats", tenant=tenant, minute=str(ms(moment) // 60_000))
        self._client.hincrby(stats, f"triage/{name}/{what}", by)
        self._client.expire(stats, 60)

    def hours(self, first: str, hours: int, counters: dict[str, int]) -> None:
        """Hours that are folded already; these counters are in the first of them."""
        start = ms(first) // HOUR
        named = {f"triage/{TRIAGE}/{field}": count for field, count in counters.items()}
        pipe = self._client.pipeline()
        for hour in range(start, start + hours):
            of_hour = KEYS.of("hours", hour=str(hour))
            pipe.hset(of_hour, mapping={"minutes": 60, **(named if hour == start else {})})
            pipe.expire(of_hour, 60)
        pipe.execute()

    def slow(self, task_id: str, took_ms: int, ended: str) -> None:
        slowest = KEYS.of("slowest", task_name=TRIAGE, hour=str(ms(ended) // HOUR))
        self._client.zadd(slowest, {f"{task_id} succeeded {ms(ended)}": took_ms})
        self._client.expire(slowest, 60)

    def opening(self, moment: str) -> None:
        entry = {"name": "llm", "error": "ProviderFailed"}
        self._client.xadd(KEYS.of("breaker_openings"), entry, f"{ms(moment)}-0")

    def alert(self, moment: str) -> None:
        fired = ms(moment)
        alert = Alert("failures", "failure_rate", "critical", "firing", 0.2, 0.1, "share", fired, fired_at=fired)
        self._client.xadd(KEYS.of("alert_history"), {"e": alert.encode()})
        self._client.expire(KEYS.of("alert_history"), 60)


@pytest.fixture
def stage(client: redis.Redis) -> Stage:
    return Stage(client)


def test_a_day_is_that_of_sao_paulo_and_each_figure_is_as_worked_out_by_hand(
    client: redis.Redis, settings: Settings, stage: Stage
) -> None:
    # given 10 November, which begins at 03:00 UTC: a minute before it, its first and last minutes, and the next one
    stage.count("2026-11-10T02:59:59Z", "succeeded", 8)
    stage.count("2026-11-10T03:00:00Z", "succeeded", 3)
    stage.count("2026-11-10T03:00:30Z", "succeeded", 4, tenant="rival")
    stage.count("2026-11-10T15:20:00Z", "failed", 2)
    stage.count("2026-11-10T15:20:00Z", "fault/3f9a0c51be27 TimeLimitExceeded", 2)
    stage.count("2026-11-10T15:21:00Z", "cancelled", 1)
    stage.count("2026-11-11T02:59:59Z", "succeeded", 1)
    stage.count("2026-11-11T03:00:00Z", "succeeded", 100)
    # 19 waits of 100 ms, one of 5 s: floor(4 * log2(ms + 1)) is 26 and 49
    stage.count("2026-11-10T12:00:00Z", "wait/26", 19)
    stage.count("2026-11-10T12:00:00Z", "wait/49", 1)
    stage.count("2026-11-10T12:00:00Z", "triaged/trabalhista.high", 4)
    stage.count("2026-11-10T12:00:00Z", "triaged/trabalhista.critical", 1)
    stage.count("2026-11-10T12:00:00Z", "triaged/saude.low", 2)
    # the service's own, which nobody asked for
    stage.count("2026-11-10T12:00:00Z", "succeeded", 1_440, name="alerts.evaluate")
    # a slow run, openings of a breaker and an alert, in it and just after it
    stage.slow("t-1", 9_000, "2026-11-10T20:00:00Z")
    stage.slow("t-2", 99_000, "2026-11-11T03:00:00Z")
    for moment in ("2026-11-10T03:00:00Z", "2026-11-11T02:59:00Z", "2026-11-11T03:00:00Z"):
        stage.opening(moment)
    stage.alert("2026-11-10T16:00:00Z")

    # when
    maker = ReportMaker(client, settings)
    report = maker.make("r-1", "daily", at("2026-11-11T00:00:00-03:00"), ms("2026-11-11T09:00:00Z"))

    # then
    assert (report["from"], report["until"]) == ("2026-11-10T03:00:00.000Z", "2026-11-11T03:00:00.000Z")
    totals = report["totals"]
    assert (totals["ended"], totals["succeeded"], totals["failed"], totals["cancelled"]) == (11, 8, 2, 1)
    assert totals["success_rate"] == 0.8
    # half, and 95 %, of 20 waits lie in the bucket that ends at 2 ** (27 / 4) - 1 ms; the last below 2 ** 12.5 - 1
    assert totals["wait_ms"] == {"p50": 106.6, "p95": 106.6, "p99": 5791.6}
    assert report["own"]["succeeded"] == 1_440
    assert report["previous"]["totals"]["succeeded"] == 8
    volume = report["volume"]
    assert len(volume["succeeded"]) == 24
    assert (volume["succeeded"][0], volume["succeeded"][23], sum(volume["succeeded"])) == (7, 1, 8)
    assert (volume["failed"][12], volume["cancelled"][12], volume["previous"][23]) == (2, 1, 8)
    assert list(report["triage"]["areas"]) == ["trabalhista", "saude"]
    assert report["triage"]["areas"]["trabalhista"] == {"critical": 1, "high": 4, "medium": 0, "low": 0}
    assert report["triage"]["urgencies"] == {"critical": 1, "high": 4, "medium": 0, "low": 2}
    assert [(slow["task_id"], slow["run_ms"]) for slow in report["slowest"]] == [("t-1", 9_000)]
    (fault,) = report["errors"]
    assert (fault["fingerprint"], fault["error_type"], fault["count"]) == ("3f9a0c51be27", "TimeLimitExceeded", 2)
    (breaker,) = report["breakers"]
    assert (breaker["openings"], breaker["last_at"]) == (2, "2026-11-11T02:59:00.000Z")
    assert [each["rule"] for each in report["alerts"]] == ["failures"]


def test_a_week_is_compared_with_the_one_before_and_nothing_is_made_up_where_that_is_not_known(
    client: redis.Redis, settings: Settings, stage: Stage
) -> None:
    # given a week whose hours are folded, but for the last; the one before it is known from its hours alone
    stage.hours("2026-11-09T03:00Z", 167, {"succeeded": 40, "failed": 10})
    stage.count("2026-11-16T02:30:00Z", "succeeded", 6)
    stage.hours("2026-11-02T03:00Z", 168, {"succeeded": 20, "triaged/civel.low": 5})
    made = ms("2026-11-16T09:30Z")
    maker = ReportMaker(client, settings)

    week = maker.make("r-1", "weekly", at("2026-11-16T00:00:00-03:00"), made)
    earlier = maker.make("r-2", "weekly", at("2026-11-09T00:00:00-03:00"), made)
    empty = maker.make("r-3", "daily", at("2026-11-15T00:00:00-03:00"), made)

    assert (week["from"], week["totals"]["ended"], week["totals"]["success_rate"]) == (
        "2026-11-09T03:00:00.000Z",
        56,
        round(46 / 56, 4),
    )
    assert week["previous"]["totals"]["ended"] == 20
    assert week["triage"]["previous"]["areas"] == {"civel": {"critical": 0, "high": 0, "medium": 0, "low": 5}}
    assert len(week["volume"]["succeeded"]) == 168
    assert (earlier["totals"]["ended"], earlier["previous"]) == (20, None)
    assert (empty["totals"]["ended"], empty["totals"]["success_rate"], empty["errors"]) == (0, None, [])


def test_a_day_has_the_hours_that_the_clocks_of_its_zone_give_it(
    client: redis.Redis, settings: Settings, stage: Stage
) -> None:
    lisbon = settings.model_copy(update={"time_zone": "Europe/Lisbon"})
    stage.count("2026-10-25T23:59:00Z", "succeeded", 1)

    report = ReportMaker(client, lisbon).make("r-1", "daily", at("2026-10-26T00:00:00Z"), ms("2026-10-26T06:00Z"))

    assert report["from"] == "2026-10-24T23:00:00.000Z"
    assert len(report["volume"]["succeeded"]) == 25
    assert report["volume"]["succeeded"][24] == 1


def test_what_is_folded_into_hours_says_the_same_once_its_minutes_are_gone(
    client: redis.Redis, settings: Settings, stage: Stage
) -> None:
    # given an hour that is over, at its first and last minute, of two tenants
    now = now_ms()
    hour = now // HOUR - 2
    client.hset(KEYS.of("totals"), "from", hour * 60)
    for minute, tenant in ((0, "acme"), (59, "rival")):
        moment = dt.datetime.fromtimestamp((hour * 60 + minute) * 60, dt.UTC).isoformat()
        stage.count(moment, "succeeded", 3, tenant=tenant)
        stage.count(moment, "fault/ WorkerCrashed", 1, tenant=tenant)
    until = dt.datetime.fromtimestamp(now / 1_000, dt.UTC)
    maker = ReportMaker(client, settings)
    before = maker.make("r-1", "daily", until, now)

    # when it is folded, twice, and its minutes expire
    ledger = Ledger(client, settings)
    ledger.fold_totals()
    ledger.fold_totals()
    client.delete(*client.scan_iter(f"{KEYS.of('stats', tenant='*', minute='*')}"))

    # then
    after = maker.make("r-1", "daily", until, now)
    assert before == after
    assert before["totals"]["succeeded"] == 6
    (fault,) = before["errors"]
    assert (fault["error_type"], fault["count"]) == ("WorkerCrashed", 2)
    folded = KEYS.of("hours", hour=str(hour))
    assert client.hget(folded, "minutes") == b"60"
    assert 0 < client.ttl(folded) <= 35 * 86_400
    # Totals last, and faults come with every release.
    assert [field for field in client.hkeys(KEYS.of("totals")) if b"fault" in field] == []


@pytest.fixture
def worker(client: redis.Redis, settings: Settings) -> Iterator[LaneWorker]:
    broker = build_broker(settings)
    tools = Toolbox(broker.ledger, settings)
    for declared in (*QUICK, Declared("reports.generate", reports.generate)):
        declare(broker, declared, tools)
    worker = LaneWorker(broker, 4)
    with ExitStack() as stack:
        worker.start()
        stack.callback(worker.drain, 0)
        yield worker


def written(api: Client, **wanted: Any) -> str:
    task_id = str(api.post("/api/reports", json=wanted).json()["task_id"])
    api.until(task_id, "succeeded")
    return task_id


def test_what_tasks_did_is_in_the_report_of_its_day(api: Client, client: redis.Redis, worker: LaneWorker) -> None:
    # given six triages that succeed and one that fails
    done = [api.submit() for _ in range(6)]
    for task_id in done:
        api.until(task_id, "succeeded")
    failed = api.submit(kwargs={"user_message": "falhe"}, retry_config={"max_retries": 0})
    api.until(failed, "failed")

    # when
    report_id = written(api, kind="daily")
    report = api.get(f"/api/reports/{report_id}").json()
    table = api.get(f"/api/reports/{report_id}.csv").text

    # then it counts them, by area and urgency too, and knows the slowest and the fault
    assert (report["totals"]["ended"], report["totals"]["failed"]) == (7, 1)
    assert report["triage"]["areas"] == {"trabalhista": {"critical": 0, "high": 6, "medium": 0, "low": 0}}
    assert {slow["task_id"] for slow in report["slowest"]} <= {*done, failed}
    (fault,) = report["errors"]
    assert (fault["error_type"], fault["count"]) == ("RuntimeError", 1)
    (group,) = api.get("/api/dead-letters/groups").json()["groups"]
    assert fault["fingerprint"] == group["fingerprint"]
    rows = {(row["what"], row["name"]): row for row in csv.DictReader(io.StringIO(table, newline=""), strict=True)}
    assert rows["total", ""]["succeeded"] == "6"
    assert (rows["area", "trabalhista"]["value"], rows["urgency", "high"]["value"]) == ("6", "6")
    assert rows["error", fault["fingerprint"]]["note"] == "RuntimeError in triage.process_async"
    # and of an hour the five slowest are kept, for a while
    (kept,) = client.scan_iter(KEYS.of("slowest", task_name="triage.process_async", hour="*"))
    assert client.zcard(kept) <= 5 < len(done)
    assert 0 < client.ttl(kept) <= 35 * 86_400


def test_a_period_that_no_report_can_have_is_refused(api: Client) -> None:
    answer = api.post("/api/reports", json={"kind": "daily", "until": "0001-01-01T00:00:00Z"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "until"


def test_a_report_is_given_in_the_form_and_language_that_are_wished_for(
    api: Client, gateway: Gateway, keys: ApiKeys, client: redis.Redis, settings: Settings
) -> None:
    ReportBook(client, settings).keep("r-1", full())
    with PythonClient(gateway.url, keys.create("ops", "acme", SCOPES)[1]) as despacho:
        assert [each["report_id"] for each in despacho.reports()] == ["r-1"]
        assert despacho.report("r-1")["totals"]["failed"] == 7
        assert "<h1>Daily report</h1>" in despacho.report_page("r-1", "en")
        assert despacho.report_table("r-1").startswith("from,until,what,name,")
        assert despacho.write_report("weekly", "2026-11-23T00:00:00-03:00")["status"] == "queued"
    (entry,) = api.get("/api/reports").json()["reports"]
    assert (entry["kind"], entry["until"]) == ("daily", "2026-11-23T03:00:00.000Z")

    def title(**wish: Any) -> str:
        return api.get("/api/reports/r-1", **wish).text.partition("<h1>")[2].partition("</h1>")[0]

    browser = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
    assert title(headers=browser) == "Relatório diário"
    assert title(headers={**browser, "Accept-Language": "de, en;q=0.7, pt;q=0.3"}) == "Daily report"
    assert title(headers={"Accept-Language": "en"}, params={"format": "html", "lang": "pt"}) == "Relatório diário"
    assert api.get("/api/reports/r-1").json()["totals"]["failed"] == 7
    table = api.get(entry["links"]["csv"])
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.headers["content-disposition"] == 'attachment; filename="daily-2026-11-23.csv"'
    assert api.get("/api/reports/r-1.pdf").status_code == 404
    assert api.get("/api/reports/r-1?lang=de").json()["errors"][0]["field"] == "lang"
    page = api.get(entry["links"]["html"])
    assert "script-src" not in page.headers["content-security-policy"]
    assert (page.headers["content-language"], page.headers["vary"]) == ("pt", "Accept, Accept-Language")


def test_a_report_of_an_older_release_is_still_data(api: Client, client: redis.Redis, settings: Settings) -> None:
    older = {field: full()[field] for field in ("report_id", "kind", "from", "until", "totals", "queues", "tasks")}
    ReportBook(client, settings).keep("r-1", older)

    assert api.get("/api/reports/r-1.csv").status_code == 200
    assert api.get("/api/reports/r-1.html").status_code == 404
