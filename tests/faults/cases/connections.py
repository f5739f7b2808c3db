"""Connections that are cut while a reply is on its way: the server has done what it was asked, and nobody knows."""

from __future__ import annotations

from time import sleep

from tests.conftest import wait_until
from tests.faults.arena import Arena, case
from tests.faults.proxy import Breaks
from tests.faults.staging import Moment

PAUSE_S = 0.25


@case("the connection is cut while the reply to a submit is on its way, at every third")
def cut_at_submit(arena: Arena) -> None:
    arena.workers(1)
    cut = arena.breaks(Moment.SUBMIT, Breaks.LOSES_REPLY, every=3, most=1_000)
    numbers = range(arena.scale.tasks(100))
    arena.system.submit_over(arena.proxy, numbers)
    arena.expected.update(numbers)
    assert cut.struck >= 30


@case("the connection is cut while the reply to a fetch is on its way, at every second")
def cut_at_fetch(arena: Arena) -> None:
    cut = arena.breaks(Moment.FETCH, Breaks.LOSES_REPLY, every=2, most=20)
    arena.workers(2, url=arena.proxy.url)
    # In bursts, with pauses in which the workers idle: so there is much to fetch and little to end.
    for burst in range(12):
        arena.submit(15, first=burst * 1_000)
        sleep(PAUSE_S)
    assert cut.struck >= 3


@case("the connection is cut while an end is on its way, at every fifth")
def cut_before_end(arena: Arena) -> None:
    _cut_ends(arena, Breaks.LOSES_REQUEST)


@case("the connection is cut while the reply to an end is on its way, at every fifth")
def cut_at_end(arena: Arena) -> None:
    _cut_ends(arena, Breaks.LOSES_REPLY)


def _cut_ends(arena: Arena, breaks: Breaks) -> None:
    cut = arena.breaks(Moment.END, breaks, every=5, most=20)
    arena.workers(2, url=arena.proxy.url)
    arena.submit(200, work_s=0.01)
    wait_until(lambda: cut.struck >= 20, "twenty were cut", 60)
