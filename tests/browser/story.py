"""The words in which the browser's stories are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def expect(locator: Locator) -> Any:
    """Playwright's own, imported late: these modules are also read where it is not installed."""
    from playwright.sync_api import expect as expect_of

    return expect_of(locator)


def submit(api: httpx.Client, task_name: str = "triage.process_async", **body: Any) -> str:
    answer = api.post("/api/tasks/queue", json={"task_name": task_name, **body})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def submit_batch(api: httpx.Client, cases: int, name: str) -> str:
    """A batch of triages, which takes a while and tells its progress."""
    inline = [{"case_id": f"{name}-{i}", "user_message": f"Meu patrão atrasou {i} salários."} for i in range(cases)]
    return submit(api, "batch.process_cases", kwargs={"cases": inline, "operations": ["triage"]})


def submit_failing(api: httpx.Client, case_id: str) -> str:
    """A triage whose time is up before it can end, and that isn't tried again."""
    kwargs = {"user_message": "Não recebi meu salário. " * 4_000}
    return submit(api, args=[case_id], kwargs=kwargs, timeout_s=0.001, retry_config={"max_retries": 0})


def row(page: Page, task_id: str) -> Locator:
    """The task's row in a list."""
    return page.locator(f'tr[data-task="{task_id}"]')


def go(page: Page, name: str) -> None:
    """To a page of the console, by its navigation."""
    page.get_by_role("navigation", name="Páginas").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_focused()


def log_in(page: Page, key: str) -> None:
    page.get_by_label("Chave de API").fill(key)
    page.get_by_role("button", name="Entrar").click()
