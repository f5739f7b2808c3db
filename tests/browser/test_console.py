"""What a person does in the console: see how the service stands, watch tasks, stop one, run one again, queue one."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import redis

from cli.state import read_state
from tasks.api_keys import ApiKeys
from tasks.settings import Settings
from tests.browser.story import expect, go, log_in, row, submit, submit_batch, submit_failing
from tests.conftest import wait_until
from tests.system.service import RunningService

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.browser

TASK_LINK = re.compile(r"^/tasks/([0-9a-f-]{36})$")


def told_task(console: Page) -> str:
    """The task that the form says it has queued."""
    told = console.get_by_role("status").filter(has_text="Tarefa enfileirada")
    found = TASK_LINK.match(told.get_by_role("link").get_attribute("href") or "")
    assert found is not None
    return found[1]


# ------------------------------------------------------------------------------------------------- submit


def test_a_triage_from_the_form_ends_in_the_list_without_a_reload(console: Page) -> None:
    loaded_at = console.evaluate("performance.timeOrigin")

    # when a person sends a message by the form that the schema gives
    go(console, "Nova tarefa")
    console.get_by_label("Caso").fill("formulario-1")
    console.get_by_label("Mensagem do cliente").fill("Fui demitida ontem, estou grávida e não recebi nada.")
    console.get_by_label("Prioridade").select_option("Alta")
    console.get_by_role("button", name="Enfileirar").click()

    # then the form names the task, its end is told on whichever page is open, and the list shows what it found
    task_id = told_task(console)
    go(console, "Tarefas")
    expect(console.locator(".toast")).to_contain_text("Triagem formulario-1: Concluída")
    listed = row(console, task_id)
    expect(listed).to_contain_text("Alta")
    expect(listed).to_contain_text("Trabalhista · urgência alta")
    assert console.evaluate("performance.timeOrigin") == loaded_at


def test_a_task_that_ends_before_its_submit_is_answered_is_told_of(console: Page, api: httpx.Client) -> None:
    # given an answer to the submit that is late: the task has ended by then, and the stream has said so
    def answer_late(route: Route) -> None:
        answer = route.fetch()
        task_id = answer.json()["task_id"]
        wait_until(lambda: api.get(f"/api/tasks/{task_id}").json()["status"] == "succeeded", "the task has ended")
        # What the page heard before this one ended, it has heard now.
        after = submit(api, args=["depois-1"], kwargs={"user_message": "Bom dia"})
        wait_until(lambda: api.get(f"/api/tasks/{after}").json()["status"] == "succeeded", "the next one too")
        route.fulfill(response=answer)

    console.route("**/api/tasks/queue", answer_late)
    go(console, "Nova tarefa")
    console.get_by_label("Caso").fill("depressa-1")
    console.get_by_label("Mensagem do cliente").fill("Fui demitida ontem.")

    # when it comes
    console.get_by_role("button", name="Enfileirar").click()

    # then the end is told, once
    expect(console.locator(".toast")).to_contain_text("Triagem depressa-1: Concluída")
    expect(console.locator(".toast")).to_have_count(1)


def test_a_document_is_uploaded_and_read_by_the_form(console: Page, tmp_path: Path) -> None:
    paper = tmp_path / "procuracao.txt"
    paper.write_text("PROCURAÇÃO\nOutorgante: Maria da Silva, CPF 529.982.247-25.\nCampinas, 5 de março de 2026.")
    console.goto("/submit?task_name=documents.analyze_async")

    console.get_by_label("Caso").fill("documento-1")
    console.get_by_label("Arquivos a enviar").set_input_files(paper)
    console.get_by_role("button", name="Enfileirar").click()

    console.goto(f"/tasks/{told_task(console)}")
    expect(console.locator(".now")).to_contain_text("Concluída")
    expect(console.get_by_role("main")).to_contain_text("529.982.247-25")


def test_the_form_says_what_is_wrong_at_its_field(console: Page, faults: list[str]) -> None:
    sent: list[str] = []
    console.on("request", lambda request: sent.append(request.method))
    go(console, "Nova tarefa")

    # what is missing isn't sent at all
    console.get_by_label("Caso").fill("")
    console.get_by_role("button", name="Enfileirar").click()
    expect(console.get_by_label("Caso")).to_be_focused()
    expect(console.locator("#argument-case_id-problem")).to_have_text("Preencha este campo.")
    assert "POST" not in sent

    # what the service refuses stands where it is
    console.get_by_label("Caso").fill("caso com espaço")
    console.get_by_label("Mensagem do cliente").fill("Oi")
    console.get_by_role("button", name="Enfileirar").click()
    expect(console.locator("#argument-case_id-problem")).to_contain_text("pattern")
    assert [fault for fault in faults if "422" not in fault] == []
    faults.clear()


# --------------------------------------------------------------------------------------------- tasks, one


def test_a_clients_words_stay_words(console: Page, api: httpx.Client) -> None:
    hostile = "<img src=x onerror=\"document.title='pwned'\"> Meu plano de saúde negou a cirurgia."

    task_id = submit(api, args=["hostil-1"], kwargs={"user_message": hostile})
    console.goto(f"/tasks/{task_id}")

    expect(console.locator(".now")).to_contain_text("Concluída")
    expect(console.get_by_role("main")).to_contain_text("<img src=x")
    console.get_by_role("button", name="Mostrar").click()
    expect(console.locator(".payload")).to_contain_text(hostile)
    assert console.locator("img[src='x']").count() == 0
    asked = [entry["ids"] for entry in api.get("/api/audit").json()["entries"] if entry["action"] == "task.payload"]
    assert asked == [[task_id]]


def test_who_may_not_see_payloads_is_told_so(page: Page, service: RunningService, api: httpx.Client) -> None:
    # given a key that reads tasks, and no payloads
    task_id = submit(api, args=["oculto-1"], kwargs={"user_message": "Meu chefe me humilhou."})
    wait_until(lambda: api.get(f"/api/tasks/{task_id}").json()["status"] == "succeeded", "the task has ended")
    address = f"unix://{service.data_dir}/valkey.sock"
    settings = Settings(redis_url=address, data_dir=service.data_dir)
    with redis.Redis.from_url(address) as client:
        _, token = ApiKeys(client, settings).create("reads", "default", ["tasks:read"])

    page.goto(f"/login?next=%2Ftasks%2F{task_id}")
    log_in(page, token)

    # then its page says what is hidden, and offers nothing that would be refused
    expect(page.get_by_text("Oculto: a chave não tem o escopo")).to_have_count(2)
    expect(page.get_by_role("button", name="Mostrar")).to_have_count(0)
    expect(page.get_by_role("link", name="Cartas mortas")).to_have_count(0)


def test_a_batchs_bar_moves_in_the_list_and_on_its_page(console: Page, api: httpx.Client) -> None:
    go(console, "Tarefas")
    task_id = submit_batch(api, 800, "andamento")

    # the bar of the row moves on by itself
    bar = row(console, task_id).get_by_role("progressbar")
    bar.wait_for()
    first = bar.evaluate("bar => bar.value")
    console.wait_for_function(
        "([id, first]) => { const bar = document.querySelector(`tr[data-task='${id}'] progress`);"
        " return bar !== null && bar.value > first; }",
        arg=[task_id, first],
    )

    # its page follows it to its end, and the list has one row for all of it
    row(console, task_id).click()
    expect(console.get_by_role("heading", name="Lote de casos")).to_be_focused()
    expect(console.locator(".now .phases")).to_be_visible()
    expect(console.locator(".now")).to_contain_text("800 concluídos")
    expect(console.get_by_role("link", name="Abrir os resultados")).to_be_visible()
    console.go_back()
    expect(row(console, task_id)).to_contain_text("800 de 800 casos concluídos")
    assert console.get_by_text("Caso de um lote").count() == 0


def test_a_waiting_task_says_why_is_cancelled_and_run_again(console: Page, api: httpx.Client) -> None:
    # given a task for tomorrow
    words = {"user_message": "Quero alugar meu apartamento."}
    task_id = submit(api, args=["amanha-1"], kwargs=words, countdown=86_400)
    console.goto(f"/tasks/{task_id}")
    expect(console.locator(".now")).to_contain_text("Agendada")
    expect(console.get_by_role("main")).to_contain_text("Tem hora marcada")

    # when it is cancelled and run again, it ends well, with all of it in its history
    console.get_by_role("button", name="Cancelar tarefa").click()
    expect(console.locator(".now")).to_contain_text("Cancelada")
    console.get_by_role("button", name="Executar de novo").click()
    expect(console.locator(".now")).to_contain_text("Concluída")
    history = console.locator(".timeline li > span:first-child")
    expect(history).to_have_text(["Agendada", "Cancelada", "Na fila", "Em curso", "Concluída"])
    expect(console.get_by_role("main")).to_contain_text("Imobiliário")


def test_a_running_batch_is_paused_resumed_and_stopped(console: Page, api: httpx.Client) -> None:
    task_id = submit_batch(api, 3_000, "parar")
    go(console, "Lotes")
    listed = row(console, task_id)
    expect(listed).to_contain_text("Em curso")
    expect(listed.get_by_role("link", name="Baixar resultados")).to_be_visible()

    listed.get_by_role("button", name="Pausar").click()
    expect(listed).to_contain_text("pausado")
    assert api.get(f"/api/tasks/{task_id}").json()["paused"] is not None
    listed.get_by_role("button", name="Retomar").click()
    expect(listed.get_by_role("button", name="Pausar")).to_be_visible()

    listed.get_by_role("button", name="Cancelar").click()
    console.get_by_role("dialog").get_by_role("button", name="Cancelar tarefa").click()

    expect(listed).to_contain_text("Cancelada")
    assert api.get(f"/api/tasks/{task_id}").json()["status"] == "cancelled"


def test_a_failed_task_tells_its_error(console: Page, api: httpx.Client) -> None:
    console.goto(f"/tasks/{submit_failing(api, 'sem-tempo')}")

    expect(console.locator(".now")).to_contain_text("Falhou")
    expect(console.locator(".failure")).to_contain_text("TimeLimitExceeded")
    expect(console.get_by_role("button", name="Executar de novo")).to_be_visible()


def test_what_an_actor_logged_stands_on_the_tasks_page_as_it_was_said(console: Page, api: httpx.Client) -> None:
    task_id = submit(api, args=["linhas-1"], kwargs={"user_message": "Bom dia"})
    said = {"run": 2, "level": "warning", "logger": "actors.x", "message": "<img src=x> a b\n" + "c" * 2_000}
    lines = [{"at": "2026-11-24T12:00:00.123Z", **said} for _ in range(200)]
    console.route("**/log", lambda route: route.fulfill(json={"events": [], "lines": lines, "lines_lost": 1_234}))

    console.goto(f"/tasks/{task_id}")

    listed = console.get_by_role("list", name="Linhas do processamento")
    expect(listed.get_by_role("listitem")).to_have_count(200)
    expect(listed.get_by_role("listitem").last).to_contain_text("execução 2 · warning<img src=x> a b")
    expect(console.get_by_text("Outras 1.234 linhas não couberam.")).to_be_visible()
    assert console.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_filter_stands_in_the_address(console: Page, api: httpx.Client) -> None:
    # given a task that waits and one that has ended
    waiting = submit(api, args=["filtro-1"], kwargs={"user_message": "Bom dia"}, countdown=3_600)
    ended = submit(api, args=["filtro-2"], kwargs={"user_message": "Bom dia"})

    # when the number of the overview is followed
    console.get_by_role("list", name="Tarefas por situação").get_by_role("link", name=re.compile("Agendadas")).click()

    # then the list shows those alone, after a reload too, and the way back leads to all
    expect(row(console, waiting)).to_be_visible()
    expect(row(console, ended)).to_have_count(0)
    console.reload()
    expect(row(console, waiting)).to_be_visible()
    console.get_by_role("link", name="Todas", exact=True).click()
    expect(row(console, ended)).to_be_visible()

    # a case is searched, and an id leads to its task
    console.keyboard.press("/")
    console.keyboard.type("filtro-2\n")
    expect(row(console, waiting)).to_have_count(0)
    expect(row(console, ended)).to_be_visible()
    assert console.url.endswith("/tasks?case_id=filtro-2")
    console.get_by_label("Buscar").fill(waiting)
    console.keyboard.press("Enter")
    expect(console.locator(".now")).to_contain_text("Agendada")


# ----------------------------------------------------------------------------------------------- overview


def test_the_overview_shows_queues_workers_and_plots(console: Page, api: httpx.Client) -> None:
    submit(api, args=["grafico-1"], kwargs={"user_message": "Bom dia"})

    queues = console.get_by_role("table").filter(has_text="Agendadas")
    expect(queues.get_by_role("rowheader", name=re.compile("^triage"))).to_be_visible()
    expect(console.get_by_role("listitem").filter(has=console.get_by_role("meter"))).to_have_count(1)
    expect(console.get_by_role("img", name=re.compile(r"^Execução: p50 \d"))).to_be_visible()
    expect(console.locator(".plot rect.mark").first).to_be_attached()


def test_a_queue_is_paused_and_resumed(console: Page, api: httpx.Client) -> None:
    console.get_by_role("button", name="Pausar a fila embeddings").click()
    expect(console.locator("tr[data-queue=embeddings]")).to_contain_text("pausada")
    assert api.get("/api/queues").json()["queues"]["embeddings"]["paused"] is True

    console.get_by_role("button", name="Retomar a fila embeddings").click()
    expect(console.get_by_role("button", name="Pausar a fila embeddings")).to_be_visible()
    assert api.get("/api/queues").json()["queues"]["embeddings"]["paused"] is False


def test_a_report_is_requested_and_opened(console: Page) -> None:
    go(console, "Relatórios")
    console.get_by_role("button", name="Pedir o diário").click()

    page = console.get_by_role("link", name=re.compile("^HTML")).first
    page.wait_for()
    with console.expect_popup() as opened:
        page.click()
    expect(opened.value.get_by_role("heading", name="Relatório diário")).to_be_visible()


# --------------------------------------------------------------------------------------- keyboard, screens


def test_the_keyboard_goes_everywhere(console: Page, api: httpx.Client) -> None:
    task_id = submit(api, args=["teclado-1"], kwargs={"user_message": "Bati o carro e o seguro não paga."})
    console.keyboard.press("g")
    console.keyboard.press("t")
    expect(console.get_by_role("heading", level=1, name="Tarefas")).to_be_focused()

    row(console, task_id).get_by_role("link").focus()
    console.keyboard.press("Enter")
    expect(console.get_by_role("heading", level=1, name="Triagem")).to_be_focused()

    console.keyboard.press("?")
    expect(console.get_by_role("dialog", name="Atalhos do teclado")).to_contain_text("Ir para a busca")
    console.keyboard.press("Escape")
    expect(console.get_by_role("dialog")).to_have_count(0)


def test_a_narrow_screen_shows_everything_without_scrolling_sideways(console: Page, api: httpx.Client) -> None:
    case_id = "estreito-" + "x" * 100
    task_id = submit(api, args=[case_id], kwargs={"user_message": "Meu vizinho invadiu meu terreno."})
    console.set_viewport_size({"width": 390, "height": 844})

    for path in ("/", "/tasks", f"/tasks/{task_id}", "/batches", "/reports", "/submit"):
        console.goto(path)
        expect(console.get_by_role("heading", level=1)).to_be_visible()
        console.get_by_text("Ao vivo").wait_for()
        assert console.evaluate("document.documentElement.scrollWidth") == 390, path

    console.get_by_role("button", name="Menu").click()
    go(console, "Tarefas")
    expect(console.get_by_role("navigation", name="Páginas")).to_be_hidden()


def test_the_theme_is_chosen_and_kept(console: Page) -> None:
    dark = "getComputedStyle(document.documentElement).colorScheme"
    console.get_by_role("button", name="Tema: do sistema").click()
    console.get_by_role("button", name="Tema: claro").click()
    assert console.evaluate(dark) == "dark"
    console.reload()
    expect(console.get_by_role("button", name="Tema: escuro")).to_be_visible()
    assert console.evaluate(dark) == "dark"


# ------------------------------------------------------------------------------------ sessions and outages


def test_a_session_that_has_ended_leads_to_the_login_and_back(console: Page, faults: list[str]) -> None:
    # From a page that asks for nothing by itself: another would go to the login before anybody clicks.
    go(console, "Nova tarefa")
    expect(console.locator("[aria-busy=true]")).to_have_count(0)
    console.context.clear_cookies()
    console.get_by_role("link", name="Lotes").click()

    expect(console.get_by_role("heading", name="Entrar")).to_be_visible()
    assert console.url.endswith("/login?next=%2Fbatches")
    assert [fault for fault in faults if "401" not in fault] == []
    faults.clear()


HIDE = """
(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""


def test_a_page_that_nobody_looks_at_lets_its_stream_go_and_catches_up(console: Page, api: httpx.Client) -> None:
    # given a page in the background
    go(console, "Tarefas")
    expect(console.locator("[aria-busy=true]")).to_have_count(0)
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
    go(console, "Tarefas")
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
