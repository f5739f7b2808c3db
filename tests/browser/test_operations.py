"""What somebody on duty does in the console: deal with what failed, and with what runs by the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.browser.story import expect, go, row, submit, submit_failing
from tests.conftest import wait_until
from tests.unit.providers.fake import FakeProvider, status, vectors

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_a_group_of_dead_letters_is_replayed_and_one_is_discarded(console: Page, api: httpx.Client) -> None:
    # given tasks that failed for the same reason
    failed = [submit_failing(api, f"morta-{number}") for number in range(3)]
    wait_until(
        lambda: all(api.get(f"/api/tasks/{task_id}").json()["status"] == "failed" for task_id in failed),
        "all have failed",
    )

    # when one is discarded
    go(console, "Cartas mortas")
    expect(row(console, failed[0])).to_contain_text("TimeLimitExceeded")
    expect(row(console, failed[0])).to_contain_text("took longer than its 0.001 s")
    expect(row(console, failed[0]).locator("time")).to_contain_text("há ")
    row(console, failed[0]).get_by_role("button", name="Descartar").click()
    console.get_by_role("dialog").get_by_role("button", name="Descartar").click()
    expect(row(console, failed[0])).to_have_count(0)
    left = [letter["task_id"] for letter in api.get("/api/dead-letters").json()["dead_letters"]]
    assert failed[0] not in left
    assert set(failed[1:]) <= set(left)

    # and the group is replayed, then each of the others runs once more
    group = console.locator("tr[data-fingerprint]").filter(has_text="TimeLimitExceeded").first
    group.get_by_role("button", name="Executar o grupo de novo").click()
    console.get_by_role("dialog").get_by_role("button", name="Executar de novo").click()
    expect(console.locator(".toast")).to_contain_text("De volta à fila")

    def times_queued(task_id: str) -> int:
        events = api.get(f"/api/tasks/{task_id}/log").json()["events"]
        return sum(event["event"] == "queued" for event in events)

    wait_until(lambda: all(times_queued(task_id) == 2 for task_id in failed[1:]), "the group was replayed")


def test_all_that_match_are_cancelled_also_what_is_not_on_the_screen(console: Page, api: httpx.Client) -> None:
    # given more tasks of one case than the list shows at once, and one of another
    words = {"user_message": "Oi"}
    many = [{"task_name": "triage.process_async", "args": ["muitas"], "kwargs": words, "countdown": 3_600}] * 120
    assert api.post("/api/tasks/bulk", json={"tasks": many}).status_code == 202
    other = submit(api, args=["outra"], kwargs=words, countdown=3_600)
    console.goto("/tasks?case_id=muitas")
    expect(console.locator("tr[data-task]").first).to_be_visible()

    console.get_by_role("button", name="Cancelar todas do filtro").click()
    console.get_by_role("dialog").get_by_role("button", name="Cancelar todas do filtro").click()

    expect(console.locator(".toast")).to_contain_text("120 tarefas canceladas")
    expect(console.locator("tr[data-task]").first).to_contain_text("Cancelada")
    assert api.get(f"/api/tasks/{other}").json()["status"] == "scheduled"


def test_a_schedule_is_run_now_paused_and_resumed(console: Page, api: httpx.Client) -> None:
    go(console, "Agenda")
    listed = console.locator("tr[data-schedule]").filter(has_text="Manutenção").first
    name = listed.get_attribute("data-schedule")

    def known() -> dict[str, Any]:
        return next(one for one in api.get("/api/schedules").json()["schedules"] if one["name"] == name)

    # when it is run by hand, its end is shown
    listed.get_by_role("button", name="Executar agora").click()
    expect(console.locator(".toast")).to_contain_text("foi enfileirada")
    wait_until(lambda: known()["last_status"] == "succeeded", "it has run")

    # and it can be held
    listed.get_by_role("button", name="Pausar").click()
    expect(listed).to_contain_text("pausada")
    assert known()["paused"] is True
    listed.get_by_role("button", name="Retomar").click()
    expect(listed.get_by_role("button", name="Pausar")).to_be_visible()
    assert known()["paused"] is False


def test_a_provider_that_fails_shows_as_a_breaker_and_an_alert_until_it_is_back(
    console: Page, api: httpx.Client, provider: FakeProvider
) -> None:
    alert = console.locator(".alerts [data-rule=left-alone]")
    breaker = console.locator("[data-breaker=embeddings]")
    expect(console.get_by_text("Nenhum alerta ativo.")).to_be_visible()
    expect(breaker).to_contain_text("fechado")

    # given a provider that fails, its breaker opens and an alert fires with its value
    provider.replies = [status(503)]
    swift = {"max_retries": 20, "min_backoff_s": 0.05, "max_backoff_s": 0.1}
    task_id = submit(api, "embeddings.generate_async", kwargs={"texts": ["guarda"]}, retry_config=swift)
    expect(breaker).to_contain_text("aberto")
    expect(breaker).to_contain_text("ProviderFailed")
    expect(alert).to_contain_text("Disjuntor aberto embeddings")
    expect(alert).to_contain_text("1 disjuntor (limite 1 disjuntor)")

    # when the provider is back, a probe closes the breaker, the alert is resolved, and the task comes to its end
    provider.replies = [vectors]
    expect(breaker).to_contain_text("fechado")
    expect(alert).to_have_count(0)
    console.get_by_text("Resolvidos nas últimas 24 h: 1").click()
    expect(console.locator(".resolved")).to_contain_text("1 disjuntor")
    wait_until(lambda: api.get(f"/api/tasks/{task_id}").json()["status"] == "succeeded", "the task has ended")


def test_a_group_is_replayed_gradually_until_the_fault_comes_back_and_to_the_end_once_it_is_cured(
    console: Page, api: httpx.Client
) -> None:
    # given a batch over cases that nobody has told anything of
    cases = [f"sem-conversa-{number}" for number in range(4)]
    batch = submit(api, "batch.process_cases", kwargs={"cases": cases, "operations": ["triage"]})
    wait_until(lambda: api.get(f"/api/tasks/{batch}").json()["status"] == "succeeded", "the batch has ended")
    go(console, "Cartas mortas")
    group = console.locator("tr[data-fingerprint]").filter(has_text="CaseGone").first
    shown = console.get_by_role("status").filter(has_text="executadas de novo")

    # when they are replayed gradually and the fault is there still, then one has paid for it
    group.get_by_role("button", name="Aos poucos").click()
    expect(shown).to_contain_text("parada: o erro voltou 1 de 4 executadas de novo")

    # when it is cured, then all run
    words = [{"role": "client", "content": "Fui demitida ontem e não recebi nada."}]
    for case in cases:
        assert api.put(f"/api/cases/{case}", json={"conversation_history": words}).status_code == 201
    group.get_by_role("button", name="Aos poucos").click()
    expect(shown).to_contain_text("terminada 4 de 4 executadas de novo")
    expect(console.locator("tr[data-fingerprint]").filter(has_text="CaseGone")).to_have_count(0)
    children = api.get("/api/tasks", params={"parent_id": batch, "status": "succeeded"}).json()["tasks"]
    assert len(children) == 4


def test_what_somebody_else_has_dealt_with_meanwhile_is_left_alone_and_the_page_says_so(
    console: Page, api: httpx.Client, faults: list[str]
) -> None:
    # given a dead letter on the screen, which another one has replayed since, and which has failed anew
    task_id = submit_failing(api, "por-outro")
    wait_until(lambda: times_failed(api, task_id) == 1, "it has failed")
    go(console, "Cartas mortas")
    expect(row(console, task_id)).to_be_visible()
    on_the_screen = api.get("/api/dead-letters").json()
    console.route("**/api/dead-letters?*", lambda route: route.fulfill(json=on_the_screen))
    assert api.post(f"/api/dead-letters/{task_id}/replay").status_code == 202
    wait_until(lambda: times_failed(api, task_id) == 2, "it has failed again")

    # when it is replayed from there
    row(console, task_id).get_by_role("button", name="Executar de novo").click()

    # then nothing is done
    expect(console.locator(".toast")).to_contain_text("Esta tarefa mudou desde que a página a mostrou")
    assert times_failed(api, task_id) == 2
    faults[:] = [fault for fault in faults if "412" not in fault]


def times_failed(api: httpx.Client, task_id: str) -> int:
    events = api.get(f"/api/tasks/{task_id}/log").json()["events"]
    return sum(event["event"] == "failed" for event in events)
