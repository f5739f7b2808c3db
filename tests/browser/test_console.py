"""What a person does in the console: try a triage, watch tasks, stop one, run one again."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import httpx
import pytest

from cli.state import read_state
from tests.browser.story import expect, panel, row, submit, submit_batch
from tests.conftest import wait_until
from tests.system.service import RunningService

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

TASK_LINK = re.compile(r"#/tasks/([0-9a-f-]{36})$")


def test_a_triage_from_the_form_shows_in_the_list_and_ends_without_a_reload(console: Page) -> None:
    loaded_at = console.evaluate("performance.timeOrigin")

    # when a person sends a message
    console.get_by_label("Caso").fill("formulario-1")
    console.get_by_label("Mensagem do cliente").fill("Fui demitida ontem, estou grávida e não recebi nada.")
    console.get_by_label("Prioridade").select_option("Alta")
    console.get_by_role("button", name="Enfileirar").click()

    # then the form names the task, and the list shows it until its end and what it found
    told = console.get_by_role("status").filter(has_text="Tarefa enfileirada")
    link = told.get_by_role("link").get_attribute("href")
    assert link is not None
    found = TASK_LINK.search(link)
    assert found is not None
    listed = row(console, found[1])
    expect(listed).to_contain_text("formulario-1")
    expect(listed).to_contain_text("Alta")
    expect(listed).to_contain_text("Concluída")
    expect(listed).to_contain_text("Trabalhista · urgência alta")
    assert console.evaluate("performance.timeOrigin") == loaded_at


def test_the_form_says_what_is_missing_and_sends_nothing(console: Page) -> None:
    sent: list[str] = []
    console.on("request", lambda request: sent.append(request.method))

    console.get_by_label("Caso").fill("caso com espaço")
    console.get_by_role("button", name="Enfileirar").click()

    expect(console.locator("#case-id-problem")).to_contain_text("Use só letras sem acento")
    expect(console.locator("#message-problem")).to_have_text("Escreva a mensagem do cliente.")
    expect(console.get_by_label("Caso")).to_be_focused()
    assert "POST" not in sent


def test_a_clients_words_stay_words(console: Page, api: httpx.Client) -> None:
    hostile = "<img src=x onerror=\"document.title='pwned'\"> Meu plano de saúde negou a cirurgia."

    task_id = submit(api, args=["hostil-1"], kwargs={"user_message": hostile})
    expect(row(console, task_id)).to_contain_text("Concluída")
    row(console, task_id).click()

    expect(panel(console)).to_contain_text("<img src=x")
    assert console.locator("img[src='x']").count() == 0


def test_a_batchs_bar_moves_and_its_cases_do_not_bury_the_list(console: Page, api: httpx.Client) -> None:
    task_id = submit_batch(api, 200, "andamento")

    # the bar of the row moves on by itself
    bar = row(console, task_id).get_by_role("progressbar")
    bar.wait_for()
    first = bar.evaluate("bar => bar.value")
    console.wait_for_function(
        "([id, first]) => { const bar = document.querySelector(`tr[data-task='${id}'] progress`);"
        " return bar !== null && bar.value > first; }",
        arg=[task_id, first],
    )

    # and the end comes, with one row for all of it
    expect(row(console, task_id)).to_contain_text("200 de 200 casos concluídos")
    assert console.get_by_text("Caso de um lote").count() == 0


def test_the_panel_shows_a_task_live_with_its_record_and_history(console: Page, api: httpx.Client) -> None:
    # given a task that goes on for a while
    task_id = submit_batch(api, 200, "painel")

    # when its row is clicked
    row(console, task_id).click()

    # then the panel shows it, and follows it to its end
    shown = panel(console)
    expect(shown.get_by_role("heading", name="Lote de casos")).to_be_focused()
    expect(shown.get_by_role("progressbar")).to_be_visible()
    expect(shown).to_contain_text(task_id)
    expect(shown.get_by_role("listitem").filter(has_text="Concluída")).to_be_visible()
    expect(shown).to_contain_text("200 concluídos, 0 com falha")
    expect(shown.get_by_role("link", name="Abrir os resultados")).to_be_visible()


def test_a_waiting_task_is_cancelled_and_run_again_from_the_panel(console: Page, api: httpx.Client) -> None:
    # given a task for tomorrow
    task_id = submit(
        api, args=["amanha-1"], kwargs={"user_message": "Quero alugar meu apartamento."}, countdown=86_400
    )
    row(console, task_id).click()
    shown = panel(console)
    expect(shown.locator(".now")).to_contain_text("Agendada")

    # when it is cancelled, panel and list say so
    shown.get_by_role("button", name="Cancelar tarefa").click()
    expect(shown.locator(".now")).to_contain_text("Cancelada")
    expect(row(console, task_id)).to_contain_text("Cancelada")

    # and when it is run again, it ends well, with all of it in the history
    shown.get_by_role("button", name="Executar de novo").click()
    expect(shown.locator(".now")).to_contain_text("Concluída")
    expect(row(console, task_id)).to_contain_text("Concluída")
    history = shown.locator(".timeline li > span:first-child")
    expect(history).to_have_text(["Agendada", "Cancelada", "Na fila", "Em curso", "Concluída"])
    expect(shown).to_contain_text("Imobiliário")


def test_a_running_task_is_stopped_from_the_panel(console: Page, api: httpx.Client) -> None:
    task_id = submit_batch(api, 2_000, "parar")
    row(console, task_id).click()
    expect(panel(console).locator(".now")).to_contain_text("Em curso")

    panel(console).get_by_role("button", name="Cancelar tarefa").click()

    expect(panel(console).locator(".now")).to_contain_text("Cancelada")
    assert api.get(f"/api/tasks/{task_id}").json()["status"] == "cancelled"


def test_a_failed_task_tells_its_error(console: Page, api: httpx.Client) -> None:
    # given a task whose time is up before it can end
    task_id = submit(
        api,
        args=["sem-tempo"],
        kwargs={"user_message": "Não recebi meu salário. " * 4_000},
        timeout_s=0.001,
        retry_config={"max_retries": 0},
    )

    row(console, task_id).click()

    expect(panel(console).locator(".now")).to_contain_text("Falhou")
    expect(panel(console).locator(".failure")).to_contain_text("TimeLimitExceeded")
    expect(panel(console).get_by_role("button", name="Executar de novo")).to_be_visible()


def test_the_keyboard_opens_a_task_and_comes_back(console: Page, api: httpx.Client) -> None:
    task_id = submit(api, args=["teclado-1"], kwargs={"user_message": "Bati o carro e o seguro não paga."})
    link = row(console, task_id).get_by_role("link")

    link.focus()
    console.keyboard.press("Enter")
    expect(panel(console).get_by_role("heading", name="Triagem")).to_be_focused()

    console.keyboard.press("Escape")
    expect(panel(console)).to_be_hidden()
    expect(link).to_be_focused()


def test_a_number_of_the_overview_filters_the_list(console: Page, api: httpx.Client) -> None:
    # given a task that waits and one that has ended
    waiting = submit(api, args=["filtro-1"], kwargs={"user_message": "Bom dia"}, countdown=3_600)
    ended = submit(api, args=["filtro-2"], kwargs={"user_message": "Bom dia"})
    expect(row(console, ended)).to_contain_text("Concluída")

    # when only the scheduled ones are asked for
    scheduled = console.get_by_role("button", name=re.compile("Agendadas"))
    scheduled.click()

    # then the list shows them alone, until all are asked for again
    expect(scheduled).to_have_attribute("aria-pressed", "true")
    expect(row(console, waiting)).to_be_visible()
    expect(row(console, ended)).to_have_count(0)
    scheduled.click()
    expect(row(console, ended)).to_be_visible()


def test_the_queues_and_the_workers_are_shown(console: Page) -> None:
    queues = console.get_by_role("table").filter(has_text="Agendadas")
    expect(queues.get_by_role("rowheader", name="triage")).to_be_visible()
    expect(console.get_by_role("listitem").filter(has=console.get_by_role("meter"))).to_have_count(1)


def test_a_session_that_has_ended_leads_back_to_the_login(console: Page, faults: list[str]) -> None:
    console.context.clear_cookies()
    console.get_by_role("button", name=re.compile("Falharam")).click()

    expect(console.get_by_role("heading", name="Entrar")).to_be_visible()
    assert [fault for fault in faults if "401" not in fault] == []
    faults.clear()


def test_a_narrow_screen_shows_everything_without_scrolling_sideways(console: Page, api: httpx.Client) -> None:
    task_id = submit(api, args=["estreito-" + "x" * 100], kwargs={"user_message": "Meu vizinho invadiu meu terreno."})
    console.set_viewport_size({"width": 390, "height": 844})
    expect(row(console, task_id)).to_contain_text("Concluída")
    assert console.evaluate("document.documentElement.scrollWidth") == 390

    # the panel lies over the page, and what is under it can't be reached
    row(console, task_id).click()
    expect(panel(console)).to_contain_text("Imobiliário")
    assert console.evaluate("document.documentElement.scrollWidth") == 390
    assert console.evaluate("document.querySelector('main').inert") is True
    panel(console).get_by_role("button", name="Fechar").click()
    assert console.evaluate("document.querySelector('main').inert") is False


HIDE = """
(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""


def test_a_page_that_nobody_looks_at_lets_its_stream_go_and_catches_up(console: Page, api: httpx.Client) -> None:
    # given a page in the background
    console.evaluate(HIDE, True)
    expect(console.get_by_text("Em pausa")).to_be_visible()

    # when a task comes and ends meanwhile
    task_id = submit(api, args=["oculta-1"], kwargs={"user_message": "Fui multado sem ter passado por lá."})
    wait_until(lambda: api.get(f"/api/tasks/{task_id}").json()["status"] == "succeeded", "the task has ended")
    expect(row(console, task_id)).to_have_count(0)

    # then the page shows it as soon as it is looked at again
    console.evaluate(HIDE, False)
    expect(console.get_by_text("Ao vivo")).to_be_visible()
    expect(row(console, task_id)).to_contain_text("Concluída")


def test_an_outage_of_the_gateway_is_told_and_survived(
    console: Page, service: RunningService, api: httpx.Client, faults: list[str]
) -> None:
    # when the gateway dies under an open console
    state = read_state(service.data_dir)
    assert state is not None
    os.kill(state.children["gateway"].pid, signal.SIGKILL)

    # then the page says that it has lost its stream, and finds it again when the gateway is back
    expect(console.get_by_text("Reconectando…")).to_be_visible()
    expect(console.get_by_text("Ao vivo")).to_be_visible()
    task_id = submit(api, args=["queda-1"], kwargs={"user_message": "Quero me divorciar."})
    expect(row(console, task_id)).to_contain_text("Concluída")
    assert [fault for fault in faults if "ERR_" not in fault] == []
    faults.clear()
