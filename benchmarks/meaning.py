"""What texts and their meaning cost: `python -m benchmarks.meaning`.

Two real workers, each with eight threads and the local engine, make vectors of texts of 120 characters: of many in a
task, and of one in a task, as triages do. Then the cases nearest to one of many are asked for, as a gateway does.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from time import monotonic, perf_counter, sleep

import uvloop

from benchmarks.child import answer, told
from benchmarks.figures import MeaningFigures
from benchmarks.measures import percentile
from benchmarks.peers import PROCESSES, THREADS, python_module, redis_url
from benchmarks.plan import Plan
from benchmarks.processes import Workers
from tasks.cases import CaseFile
from tasks.catalog import CATALOG
from tasks.connection import connect
from tasks.ledger import Ledger
from tasks.payloads import Turn
from tasks.record import Task
from tasks.service import TaskService
from tasks.settings import Settings
from tasks.similar import SimilarCases
from tasks.submission import DEFAULT_TENANT, Order, check
from tasks.vectors import VectorFile

CHARACTERS = 120
TEXTS_IN_A_TASK = 500
READY_WITHIN_S = 60.0
DONE_WITHIN_S = 300.0
DIMENSIONS = 512
QUESTIONS = 200
PUT_AT_ONCE = 200
PHRASES = """
o banco descontou do meu benefício um empréstimo que eu nunca fiz, a empresa não pagou as verbas da rescisão, fui
demitida grávida, quero pedir a guarda dos meus filhos e a pensão alimentícia, o plano de saúde negou a cirurgia,
a audiência é amanhã, aluguel, despejo, contrato, juros, cobrança indevida, nome sujo, carteira assinada, horas extras
"""
WORDS = PHRASES.split()


def text() -> str:
    """Words of clients in any order: each text another one, so that none is remembered."""
    words = ""
    while len(words) < CHARACTERS:
        words += random.choice(WORDS) + " "
    return words[:CHARACTERS]


class Service:
    """Two workers on the round's server, and what is asked of them."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._ledger = Ledger(connect(settings), settings)
        environment = {"DESPACHO_REDIS_URL": settings.redis_url, "DESPACHO_DATA_DIR": str(folder / "data")}
        command = python_module("cli.main", "worker", "--threads", str(THREADS))
        self.workers = Workers([command] * PROCESSES, folder / "workers.log", environment)

    def until_ready(self) -> None:
        """A worker that beats has loaded its models. Raises `TimeoutError`."""
        beats = self._ledger.keys.of("heartbeats")
        _wait(lambda: self._ledger.client.zcard(beats) == PROCESSES, READY_WITHIN_S)
        sleep(1)

    def embeddings_per_s(self, tasks: int, texts: int) -> float:
        """Vectors a second over so many tasks of so many texts each, from the first submit to the last end."""
        orders = [
            Order("embeddings.generate_async", kwargs={"texts": [text() for _ in range(texts)]}) for _ in range(tasks)
        ]
        checked = [check(order, CATALOG) for order in orders]
        start = perf_counter()
        ids = [self._ledger.submit(checked[at : at + 500]).task_ids for at in range(0, tasks, 500)]
        _wait(lambda: all(_all_ended(self._ledger.tasks(some)) for some in reversed(ids)), DONE_WITHIN_S)
        return tasks * texts / (perf_counter() - start)


def _all_ended(tasks: Sequence[Task]) -> bool:
    if any(task.status == "failed" for task in tasks):
        raise RuntimeError("a task failed")
    return all(task.status == "succeeded" for task in tasks)


def _wait(condition: Callable[[], bool], within_s: float) -> None:
    deadline = monotonic() + within_s
    while not condition():
        if monotonic() > deadline:
            raise TimeoutError("the workers did not get through")
        sleep(0.02)


# ----------------------------------------------------------------------------------------------- similar


async def _similar_ms(settings: Settings, count: int) -> list[float]:
    """The times of single questions for ten similar cases of `count`, in ms; all of them are in memory by then."""
    service = TaskService.connect(settings)
    file = VectorFile(Ledger(connect(settings), settings), CaseFile(connect(settings), settings))
    for start in range(0, count, PUT_AT_ONCE):
        await asyncio.gather(*(_put(service, file, n) for n in range(start, min(start + PUT_AT_ONCE, count))))
    similar, times = SimilarCases(service.client, settings), []
    await similar.of(DEFAULT_TENANT, "case-0", 10)
    for _ in range(QUESTIONS):
        case_id = f"case-{random.randrange(count)}"
        start_s = perf_counter()
        found = await similar.of(DEFAULT_TENANT, case_id, 10)
        times.append((perf_counter() - start_s) * 1e3)
        assert len(found.neighbours) == 10
    await service.close()
    return times


async def _put(service: TaskService, file: VectorFile, number: int) -> None:
    case_id = f"case-{number}"
    await service.cases.put(DEFAULT_TENANT, case_id, (Turn(role="client", content=case_id),), {})
    version = file.version(DEFAULT_TENANT, case_id)
    assert version is not None
    drawn = [random.gauss(0, 1) for _ in range(DIMENSIONS)]
    norm = math.hypot(*drawn)
    file.keep(DEFAULT_TENANT, case_id, version, "bench", [value / norm for value in drawn])


def main() -> None:
    plan, folder = told()
    settings = Settings(redis_url=redis_url(), data_dir=folder / "data")
    answer(asdict(measure(plan, settings, folder)))


def measure(plan: Plan, settings: Settings, folder: Path) -> MeaningFigures:
    service = Service(settings, folder)
    try:
        service.until_ready()
        service.embeddings_per_s(2 * THREADS * PROCESSES, 1)
        many = service.embeddings_per_s(plan.embeddings // TEXTS_IN_A_TASK, TEXTS_IN_A_TASK)
        single = service.embeddings_per_s(plan.embeddings // 4, 1)
    finally:
        with suppress(ProcessLookupError):
            service.workers.stop()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        times = runner.run(_similar_ms(settings, plan.similar))
    return MeaningFigures(many, single, percentile(times, 50) or 0, percentile(times, 95) or 0)


if __name__ == "__main__":
    main()
