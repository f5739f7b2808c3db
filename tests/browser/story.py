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


def row(console: Page, task_id: str) -> Locator:
    """The task's row in the live list."""
    return console.locator(f'#task-rows tr[data-task="{task_id}"]')


def panel(console: Page) -> Locator:
    return console.get_by_role("complementary")


def log_in(page: Page, key: str) -> None:
    page.get_by_label("Chave de API").fill(key)
    page.get_by_role("button", name="Entrar").click()
