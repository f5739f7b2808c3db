"""The web client that is deployed today, with its own paths and event names, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.system.service import RunningService

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

CLIENT = """
async ([key, caseId]) => {
  const answer = await fetch("/api/tasks/queue", {
    method: "POST",
    headers: { Authorization: "Bearer " + key, "Content-Type": "application/json" },
    body: JSON.stringify({ task_name: "triage.process_async", args: [caseId], priority: "high" }),
  });
  const { task_id: taskId } = await answer.json();
  return new Promise((resolve) => {
    const numbers = [];
    const source = new EventSource("/api/api/v2/triage/stream/" + caseId);
    source.addEventListener("triage_processing", (event) => numbers.push(JSON.parse(event.data).progress));
    source.addEventListener("triage_completed", (event) => {
      source.close();
      resolve({ status: answer.status, taskId, numbers, completed: JSON.parse(event.data) });
    });
  });
}
"""


def a_long_conversation(turns: int = 800) -> list[dict[str, str]]:
    """Long enough to be read for a noticeable while."""
    said = "Trabalhei anos sem carteira assinada, o gerente me mandou embora e não pagou as horas extras. " * 5
    return [{"role": ("client", "agent")[turn % 2], "content": f"{turn}: {said}"} for turn in range(turns)]


def test_the_old_client_sees_its_triage_move_and_complete(
    console: Page, service: RunningService, api: httpx.Client
) -> None:
    # given a case with a conversation, and a page of the service's origin
    api.put("/api/cases/antigo-1", json={"conversation_history": a_long_conversation()}).raise_for_status()

    # when the old client's own code runs in it
    seen = console.evaluate(CLIENT, [service.key, "antigo-1"])

    # then its task was accepted, the numbers grew, and the end came with the result
    assert seen["status"] == 202
    assert seen["numbers"] == sorted(seen["numbers"])
    assert all(isinstance(number, int | float) for number in seen["numbers"])
    assert len(set(seen["numbers"])) > 1
    assert seen["completed"]["task_id"] == seen["taskId"]
    assert seen["completed"]["progress"] == 100
    assert seen["completed"]["result"]["area"] == "trabalhista"
