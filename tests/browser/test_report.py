"""The page of a report: it fits screens and paper, is sound for whoever hears it, and is where the console says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tasks.report_page import page as page_of
from tests.browser.story import expect
from tests.browser.test_accessibility import serious_faults
from tests.conftest import wait_until
from tests.sample_report import full, report

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_fits_every_width_and_has_no_serious_fault(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for told, lang in ((full("weekly"), "pt"), (full("daily"), "en"), (report(), "pt")):
        page.set_content(page_of(told, "pt" if lang == "pt" else "en"))
        for width in (1_280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_faults(page) == []


def test_no_table_of_a_report_is_cut_by_the_paper(page: Page) -> None:
    page.set_content(page_of(full("weekly"), "pt"))

    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 1_000})  # A4 less its margins, at 96 dpi

    assert page.evaluate("document.documentElement.scrollWidth") <= 688
    assert page.evaluate("[...document.querySelectorAll('table')].every((each) => each.scrollWidth <= 688)")


def test_the_service_writes_one_and_tells_it_in_either_language(console: Page, api: httpx.Client) -> None:
    # given a report that was written, and the page of its task
    task_id = api.post("/api/reports", json={"kind": "weekly"}).json()["task_id"]
    wait_until(lambda: api.get(f"/api/tasks/{task_id}").json()["status"] == "succeeded", "the report is written", 30)
    console.goto(f"/tasks/{task_id}")

    # when its link is followed from there
    console.get_by_role("link", name="Abrir o relatório").click()

    # then the page is there, nothing in it was refused by its own policy, and it has an English one
    expect(console.get_by_role("heading", name="Relatório semanal")).to_be_visible()
    console.get_by_role("link", name="Read in English").click()
    expect(console.get_by_role("heading", name="Weekly report")).to_be_visible()
    # and the list of reports leads to it too
    console.goto("/reports")
    expect(console.get_by_role("link", name=f"HTML: {task_id}")).to_be_visible()
    expect(console.get_by_role("row").filter(has_text="Relatório semanal")).to_have_count(1)
