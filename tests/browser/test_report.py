"""The page of a report: from a sample, and as the service writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import jinja2
import pytest

from tests.browser.story import expect
from tests.conftest import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

NOTHING: dict[str, Any] = {"p50": None, "p95": None, "p99": None}


def figures(succeeded: int = 0, failed: int = 0, wait: Any = NOTHING, run: Any = NOTHING) -> dict[str, Any]:
    counts = {"succeeded": succeeded, "failed": failed, "cancelled": 0, "retried": 0}
    return {**counts, "wait_ms": wait, "run_ms": run}


def report(totals: dict[str, Any], tasks: dict[str, Any]) -> dict[str, Any]:
    states = ("scheduled", "queued", "running", "retrying", "succeeded", "failed", "cancelled")
    return {
        "report_id": "r-1",
        "kind": "daily",
        "from": "2026-11-22T12:00:00.000Z",
        "until": "2026-11-23T12:00:00.000Z",
        "totals": totals,
        "statuses": dict.fromkeys(states, 0),
        "queues": {},
        "tasks": tasks,
    }


def rendered(data: dict[str, Any]) -> str:
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("actors", "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return templates.get_template("report.html").render(report=data)


def test_a_report_reads_as_brazilians_write(page: Page) -> None:
    times = {"p50": 39.0, "p95": 1_250.0, "p99": 5_400_000.0}
    tasks = {"triage.process_async": figures(12_345, 7, times, times), "<b>x</b>": figures(1)}
    totals = {"succeeded": 12_346, "failed": 7, "cancelled": 0, "retried": 4, "success_rate": 0.9994}

    page.set_content(rendered(report(totals, tasks)))

    expect(page.get_by_role("heading", name="Relatório diário")).to_be_visible()
    expect(page.locator(".period")).to_contain_text("De 22/11/2026, 12:00 UTC a 23/11/2026, 12:00 UTC")
    expect(page.get_by_role("definition").filter(has_text="99,9 %")).to_be_visible()
    cells = page.get_by_role("row").filter(has_text="triage.process_async").get_by_role("cell")
    expect(cells).to_have_text(
        ["12.345", "7", "0", "0", "99,9 %", "39 ms", "1,2 s", "1,5 h", "39 ms", "1,2 s", "1,5 h"]
    )
    expect(page.get_by_role("rowheader", name="<b>x</b>")).to_be_visible()


def test_a_report_of_a_quiet_day_says_so(page: Page) -> None:
    totals = {"succeeded": 0, "failed": 0, "cancelled": 0, "retried": 0, "success_rate": None}
    page.set_content(rendered(report(totals, {})))
    expect(page.get_by_text("Nada foi executado neste período.")).to_have_count(2)


def test_a_report_fits_the_paper(page: Page) -> None:
    times = {"p50": 39.0, "p95": 1_250.0, "p99": 5_400_000.0}
    totals = {"succeeded": 12_346, "failed": 7, "cancelled": 0, "retried": 4, "success_rate": 0.9994}
    page.set_content(rendered(report(totals, {"documents.analyze_async": figures(1_234_567, 9, times, times)})))

    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 1000})  # A4 less its margins, at 96 dpi

    assert page.evaluate("document.documentElement.scrollWidth") <= 688


@pytest.mark.parametrize("kind", ["daily", "weekly"])
def test_the_service_writes_one(console: Page, api: httpx.Client, kind: str) -> None:
    # given a report that was written, and the page of its task
    task_id = api.post("/api/reports", json={"kind": kind}).json()["task_id"]
    wait_until(lambda: api.get(f"/api/tasks/{task_id}").json()["status"] == "succeeded", "the report is written", 30)
    console.goto(f"/tasks/{task_id}")

    # when its link is followed from there
    console.get_by_role("link", name="Abrir o relatório").click()

    # then the page is there, and nothing in it was refused by its own policy
    title = {"daily": "Relatório diário", "weekly": "Relatório semanal"}[kind]
    expect(console.get_by_role("heading", name=title)).to_be_visible()
    expect(console.get_by_role("table")).to_have_count(2)
