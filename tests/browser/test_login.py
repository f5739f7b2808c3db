"""The way in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest

from tests.browser.story import expect, log_in, submit
from tests.system.service import RunningService

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

WRONG_KEY = "dsp_0123456789ab_" + "x" * 43


def test_a_wrong_key_is_refused_with_a_reason_and_the_right_one_opens_the_console(
    page: Page, service: RunningService, faults: list[str]
) -> None:
    # given somebody who is not logged in and asks for the console
    page.goto("/")
    expect(page.get_by_role("heading", name="Entrar")).to_be_visible()

    # when they enter a key that does not exist
    log_in(page, WRONG_KEY)

    # then the page says so, and the field is ready for another
    expect(page.get_by_role("alert")).to_contain_text("Chave desconhecida, expirada ou revogada")
    expect(page.get_by_label("Chave de API")).to_be_focused()
    expect(page.get_by_label("Chave de API")).to_have_attribute("aria-invalid", "true")
    assert [fault for fault in faults if "401" not in fault] == []
    faults.clear()

    # and with the right one they are in
    log_in(page, service.key)
    expect(page.get_by_role("heading", level=1, name="Visão geral")).to_be_visible()


def test_an_empty_key_is_not_even_sent(page: Page) -> None:
    page.goto("/login")
    log_in(page, "  ")
    expect(page.get_by_role("alert")).to_have_text("Informe a chave de API.")


@pytest.mark.parametrize("way", ["/login?next=%2Ftasks%2F{}", "/tasks/{}", "/#/tasks/{}"])
def test_the_login_leads_on_to_where_one_wanted_to_go(
    page: Page, service: RunningService, api: httpx.Client, way: str
) -> None:
    # given a link to a task, and nobody logged in
    task_id = submit(api, args=["destino-1"], kwargs={"user_message": "Bom dia"}, countdown=3_600)
    page.goto(way.format(task_id))

    log_in(page, service.key)

    expect(page.get_by_role("main")).to_contain_text("destino-1")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/\t/evil.example/",
        "javascript:alert(1)",
        "evil",
        "",
    ],
)
def test_the_login_never_leads_to_another_site(page: Page, service: RunningService, elsewhere: str) -> None:
    page.goto("/login?next=" + quote(elsewhere, safe=""))
    log_in(page, service.key)
    page.get_by_role("heading", level=1, name="Visão geral").wait_for()
    assert page.url == f"{service.url}/"


def test_logging_out_closes_the_console(console: Page) -> None:
    console.get_by_role("button", name="Sair").click()
    expect(console.get_by_role("heading", name="Entrar")).to_be_visible()

    console.goto("/")
    expect(console.get_by_role("heading", name="Entrar")).to_be_visible()


def test_the_pages_speak_the_language_that_was_chosen(console: Page) -> None:
    console.get_by_role("button", name="English").click()
    expect(console.get_by_role("heading", level=1, name="Overview")).to_be_visible()
    assert console.evaluate("document.documentElement.lang") == "en"

    # also after the page was left
    console.goto("/login")
    expect(console.get_by_label("API key")).to_be_visible()
    console.get_by_role("button", name="Português").click()
    expect(console.get_by_label("Chave de API")).to_be_visible()
    assert console.evaluate("document.documentElement.lang") == "pt-BR"


@pytest.mark.parametrize(
    ("locale", "label"), [("en-GB", "API key"), ("pt-PT", "Chave de API"), ("fr", "Chave de API")]
)
def test_a_newcomer_is_greeted_in_the_browsers_language_or_in_portuguese(
    browser: Browser, service: RunningService, locale: str, label: str
) -> None:
    with browser.new_context(base_url=service.url, locale=locale) as context:
        page = context.new_page()
        page.goto("/login")
        expect(page.get_by_label(label)).to_be_visible()
