"""What is done once by design, done by two at the same time."""

from __future__ import annotations

from threading import Event, Thread

from tests.faults.arena import Arena, case
from tests.faults.despacho import Despacho


@case("several promoters of delayed tasks at once")
def two_promoters(arena: Arena) -> None:
    arena.workers(2)
    with_two_more(arena)
    arena.submit(150, delay_s=1.5)
    arena.submit(50, fails=True, first=1_000)


@case("several reapers of a killed worker at once", reruns=True, stock=False)
def two_reapers(arena: Arena) -> None:
    doomed, _ = arena.workers(2)
    with_two_more(arena)
    arena.submit(150, work_s=0.1)
    arena.until_begun(30)
    arena.until_busy(doomed)
    arena.kill(doomed)


def with_two_more(arena: Arena) -> None:
    """Two that do all chores over and over until the verdict, and ask for no lease."""
    if not arena.despacho:
        return
    over = Event()
    threads = [Thread(target=_do_chores, args=(arena.despacho, over)) for _ in range(2)]
    for thread in threads:
        thread.start()

    def end() -> None:
        over.set()
        for thread in threads:
            thread.join()

    arena.at_close(end)


def _do_chores(despacho: Despacho, over: Event) -> None:
    while not over.wait(0.005):
        despacho.ledger.do_chores()
