"""Every page of the console, in light and dark: axe-core finds no serious fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.browser.story import expect, submit, submit_batch, submit_failing

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
PAGES = ("/", "/tasks", "/batches", "/dead-letters", "/schedules", "/reports", "/submit")


def serious_faults(page: Page) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['html'][:200]} {node['failureSummary']}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault(console: Page, api: httpx.Client, scheme: str) -> None:
    # given tasks of every kind
    console.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    failed = submit_failing(api, "acesso-1")
    later = submit(api, args=["acesso-2"], kwargs={"user_message": "Oi"}, countdown=3_600)
    submit_batch(api, 20, "acesso")

    for path in (*PAGES, f"/tasks/{failed}", f"/tasks/{later}"):
        console.goto(path)
        expect(console.get_by_role("heading", level=1)).to_be_visible()
        expect(console.locator("[aria-busy=true]")).to_have_count(0)
        console.get_by_text("Ao vivo").wait_for()
        assert serious_faults(console) == [], path
