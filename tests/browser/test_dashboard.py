"""dramatiq-dashboard behind the same login."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.story import expect, log_in
from tests.system.service import RunningService

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_the_dashboard_asks_for_the_login_and_then_names_the_lanes(page: Page, service: RunningService) -> None:
    # given nobody is logged in, the dashboard leads to the login
    page.goto("/ops/dramatiq/")
    expect(page.get_by_role("heading", name="Entrar")).to_be_visible()

    # when a key is given, the dashboard itself comes, with a queue for each lane
    log_in(page, service.key)
    page.wait_for_url("**/ops/dramatiq/")
    for lane in ("triage.critical", "triage.high", "triage.normal", "triage.low", "documents.normal"):
        expect(page.get_by_role("link", name=lane, exact=True)).to_be_visible()


def test_the_console_links_to_it(console: Page) -> None:
    console.get_by_role("link", name="Filas no Dramatiq").click()
    expect(console.get_by_text("triage.high")).to_be_visible()
