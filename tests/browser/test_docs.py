"""The documentation page, as people use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.browser.story import expect

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser


def test_every_operation_is_there_with_a_command(page: Page, api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    page.goto("/docs")

    for methods in document["paths"].values():
        for operation in methods.values():
            article = page.locator(f"article#{operation['operationId']}")
            expect(article.get_by_role("heading", level=3)).to_have_text(operation["summary"])
            expect(article.get_by_label("Command").first).to_contain_text("curl")


def test_whoever_knows_a_word_finds_the_operation(page: Page) -> None:
    page.goto("/docs")

    page.keyboard.press("/")
    expect(page.get_by_label("Filter operations")).to_be_focused()
    page.keyboard.type("similar cases")
    expect(page.locator("article#listSimilarCases")).to_be_visible()
    expect(page.locator("article#pauseQueue")).to_be_hidden()
    expect(page.get_by_role("status")).to_contain_text("operations")

    page.get_by_label("Filter operations").fill("no such words anywhere")
    expect(page.get_by_text("No operation has these words.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("article#pauseQueue")).to_be_visible()


def test_a_command_is_copied_and_runs(page: Page, context: BrowserContext, api: httpx.Client) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/docs#getStats")

    page.locator("article#getStats").get_by_role("button", name="Copy").click()

    expect(page.locator("article#getStats").get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith('curl "$URL/api/tasks/stats"')
    assert "Bearer $KEY" in copied


def test_a_problem_and_a_schema_are_a_click_away(page: Page) -> None:
    page.goto("/docs")

    page.locator("article#getTask").get_by_role("link", name="StandingRecord").click()
    expect(page.locator("#schema-StandingRecord")).to_be_in_viewport()
    page.locator("article#getTask").get_by_role("link", name="404 not-found").click()
    expect(page.get_by_role("heading", name="There is no such thing")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_wider_than_the_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/docs")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
