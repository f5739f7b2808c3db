"""A headless Chromium, one service for all stories of this folder, and pages that are watched for faults."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from tests.system.service import RunningService
from tests.unit.providers.fake import FakeProvider, vectors

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 20_000
ALERTS = """
every_s = 1
[[rule]]
name = "left-alone"
kind = "breaker_open"
threshold = 1
for_s = 0
clear_for_s = 0
severity = "critical"
description = "A provider is left alone."
"""


# Playwright keeps an event loop in this thread for as long as it runs, so browser and service end with this folder's
# tests and not with the whole run.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    remedy = "playwright is not installed: run `uv sync --group browser`"
    playwright = pytest.importorskip("playwright.sync_api", reason=remedy)
    executable = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if executable is None:
        pytest.skip(f"no Chromium is installed: none of {', '.join(CHROMIUM_NAMES)} is on the PATH")
    with playwright.sync_playwright() as running:
        playwright.expect.set_options(timeout=PATIENCE_MS)
        browser = running.chromium.launch(executable_path=executable, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def provider() -> Iterator[FakeProvider]:
    """Who makes the service's embeddings."""
    fake = FakeProvider()
    fake.replies = [vectors]
    yield fake
    fake.close()


@pytest.fixture(scope="package")
def service(
    browser: Browser, provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    rules = folder / "alerts.toml"
    rules.write_text(ALERTS)
    settings = {
        # All stories log in from one address, within a minute or two.
        "DESPACHO_RATE_LOGINS": "1000",
        "DESPACHO_ALERTS_FILE": str(rules),
        "DESPACHO_EMBEDDINGS_URL": provider.url,
        "DESPACHO_EMBEDDINGS_MODEL": "far-embedder",
        "DESPACHO_EMBEDDINGS_TIMEOUT_S": "1",
        "DESPACHO_BREAKER_FAILURES": "1",
        "DESPACHO_BREAKER_COOLDOWN_S": "1",
        "NO_PROXY": "127.0.0.1",
    }
    with RunningService(folder / "data", **settings) as service:
        yield service


@pytest.fixture
def api(service: RunningService) -> Iterator[httpx.Client]:
    """What another program would call, beside the browser."""
    headers = {"Authorization": f"Bearer {service.key}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=20) as client:
        yield client


@pytest.fixture
def faults() -> list[str]:
    """What a page must not do: write an error to its console, fail in a script, or call another host.

    A story in which one of them is due takes it out.
    """
    return []


@pytest.fixture
def context(browser: Browser, service: RunningService, faults: list[str]) -> Iterator[BrowserContext]:
    """A browser of somebody who speaks Portuguese and is not logged in."""
    context = browser.new_context(base_url=service.url, locale="pt-BR")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()
    assert faults == []


@pytest.fixture
def page(context: BrowserContext, service: RunningService, faults: list[str]) -> Page:
    page = context.new_page()
    own_host = urlsplit(service.url).netloc

    def hear_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            faults.append(f"{message.type}: {message.text}")

    def hear_request(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.netloc != own_host:
            faults.append(f"request to {request.url}")

    page.on("console", hear_console)
    page.on("pageerror", lambda error: faults.append(f"exception: {error}"))
    page.on("request", hear_request)
    return page


@pytest.fixture
def console(page: Page, service: RunningService) -> Page:
    """The console, logged in with the admin key and live."""
    page.goto("/login")
    page.get_by_label("Chave de API").fill(service.key)
    page.get_by_role("button", name="Entrar").click()
    page.get_by_text("Ao vivo").wait_for()
    return page
