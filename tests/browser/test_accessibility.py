"""Every page of the console, light in Portuguese and dark in English: axe-core finds no serious fault, and Tab goes
to everything that can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.browser.story import expect, submit, submit_batch, submit_failing
from tests.conftest import wait_until

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


FOCUSABLE = "a[href], button:enabled, input:enabled, select, textarea, summary, [tabindex='0']"
REACHABLE = f"""
() => [...document.querySelectorAll("{FOCUSABLE}")]
  .filter((one) => one.checkVisibility() && !one.closest("[hidden]"))
  .map((one, place) => (one.dataset.place = place) && (one.id || one.outerHTML.slice(0, 120)))
"""
FOCUSED = "() => document.activeElement?.dataset.place ?? null"


def unreached(page: Page) -> list[str]:
    """What can be used, but isn't come to by Tab."""
    reachable = page.evaluate(REACHABLE)
    reached = set()
    for _ in range(len(reachable) + 3):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(FOCUSED))
    return [told for place, told in enumerate(reachable) if str(place) not in reached]


@pytest.mark.parametrize(("scheme", "language"), [("light", "pt-BR"), ("dark", "en")])
def test_no_page_has_a_serious_fault(console: Page, api: httpx.Client, scheme: str, language: str) -> None:
    # given tasks of every kind
    console.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    console.evaluate("language => localStorage.setItem('despacho.language', language)", language)
    failed = submit_failing(api, "acesso-1")
    later = submit(api, args=["acesso-2"], kwargs={"user_message": "Oi"}, countdown=3_600)
    batch = submit_batch(api, 20, "acesso")
    wait_until(lambda: api.get(f"/api/tasks/{batch}").json()["status"] == "succeeded", "the batch has ended")

    for path in (*PAGES, f"/tasks/{failed}", f"/tasks/{later}"):
        console.goto(path)
        expect(console.get_by_role("heading", level=1)).to_be_visible()
        expect(console.locator("html")).to_have_attribute("lang", language)
        expect(console.locator("[aria-busy=true]")).to_have_count(0)
        console.locator("#live[data-state=open]").wait_for()
        assert serious_faults(console) == [], path
        # Lists have the same things over and over.
        if scheme == "light" and path not in ("/tasks", "/dead-letters"):
            assert unreached(console) == [], path
