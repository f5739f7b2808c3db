"""Worker processes that are killed, stopped and replaced."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from time import monotonic, sleep

from tasks.record import Task
from tests.conftest import wait_until
from tests.faults.arena import Arena, case
from tests.faults.despacho import Despacho
from tests.faults.proxy import Breaks
from tests.faults.staging import Moment

LONGEST_STOP_S = 10.0
HURRIED_S = "0.1"
"""Less than a task takes: whoever is told to stop must hand back what it is in the middle of."""


@case("`kill -9` of a worker that has fetched and not begun")
def killed_before_it_begins(arena: Arena) -> None:
    arena.submit(200)
    fetched = arena.breaks(Moment.FETCH, Breaks.LOSES_REPLY_SILENTLY)
    (doomed,) = arena.workers(1, url=arena.proxy.url)
    wait_until(lambda: fetched.struck, "the server gave tasks away")
    assert not arena.lines()

    arena.kill(doomed)
    arena.workers(1)


@case("`kill -9` of a worker in the middle of its tasks", reruns=True)
def killed_in_the_work(arena: Arena) -> None:
    doomed, _ = arena.workers(2)
    arena.submit(200, work_s=0.1)
    arena.until_begun(40)
    arena.until_busy(doomed)

    arena.kill(doomed)
    arena.workers(1)


@case("`kill -9` of a worker between the end of its tasks and the ack", reruns=True)
def killed_between_end_and_ack(arena: Arena) -> None:
    ended = arena.breaks(Moment.END, Breaks.LOSES_REQUEST_SILENTLY, most=4)
    (doomed,) = arena.workers(1, threads=4, url=arena.proxy.url)
    arena.submit(200, work_s=0.05)
    wait_until(lambda: ended.struck == 4, "four ends are on their way")

    arena.kill(doomed)
    arena.workers(1)


@case("`kill -9` of all workers while failed tasks wait for their retry")
def killed_in_a_retry_wait(arena: Arena) -> None:
    doomed = arena.workers(2)
    tasks = arena.submit(100, fails=True)
    wait_until(lambda: arena.count("fail") == len(tasks), "all have failed once", 30)

    arena.kill(*doomed)
    arena.workers(1)


@case("SIGTERM of a worker under load", reruns=True)
def told_to_stop(arena: Arena) -> None:
    leaving = arena.system.start_worker(DESPACHO_DRAIN_TIMEOUT_S=HURRIED_S)
    arena.system.start_worker()
    tasks = arena.submit(60, work_s=0.8)
    arena.until_busy(leaving)

    told = monotonic()
    leaving.terminate()
    assert leaving.wait() == 0

    if arena.despacho:
        despacho = arena.despacho
        arena.promise(monotonic() - told < LONGEST_STOP_S, "the worker was slow to stop")
        arena.promise(bool(_taken_back(despacho, tasks)), "nothing was handed back at once")
        arena.afterwards(lambda: _tell_costs(arena, despacho, tasks))


def _taken_back(despacho: Despacho, numbers: Iterable[int]) -> list[Task]:
    records = [record for number in numbers for record in despacho.records(number)]
    return [record for record in records if any(event.event == "recovered" for event in record.events())]


def _tell_costs(arena: Arena, despacho: Despacho, numbers: Iterable[int]) -> None:
    costly = [record for record in _taken_back(despacho, numbers) if record.attempt != 1]
    arena.promise(not costly, f"a stop cost {len(costly)} tasks an attempt")


@case("ten rolling restarts of the workers under load", reruns=True)
def rolling_restarts(arena: Arena) -> None:
    present = [arena.system.start_worker(DESPACHO_DRAIN_TIMEOUT_S=HURRIED_S) for _ in range(2)]
    arena.submit(250, work_s=0.4)
    for number in range(10):
        fresh = arena.system.start_worker(DESPACHO_DRAIN_TIMEOUT_S=HURRIED_S)
        leaving, present = present[0], [present[1], fresh]
        leaving.terminate()
        assert leaving.wait() == 0, f"restart {number}"
    assert all(process.alive for process in present)


@case("a worker frozen until its tasks are taken back, and then let go on", reruns=True)
def frozen(arena: Arena) -> None:
    """The store gives its tasks to another; what the frozen one writes then must not count."""
    frozen_one, _ = arena.workers(2)
    arena.submit(60, work_s=0.4)
    arena.until_busy(frozen_one)

    under_way = arena.break_off(frozen_one)
    assert under_way
    if arena.despacho:
        despacho = arena.despacho
        wait_until(lambda: len(_taken_back(despacho, under_way)) == len(under_way), "its tasks were taken back", 60)
    else:
        sleep(arena.system.quiet_s)
    frozen_one.signal(signal.SIGCONT)
