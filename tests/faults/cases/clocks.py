"""A worker whose clock jumps by an hour while it works."""

from __future__ import annotations

from collections.abc import Mapping
from time import sleep, time

from tests.faults.arena import Arena, case
from tests.faults.clocks import JUMP

HOUR_S = 3_600
DELAYED = 1_000
DELAY_S = 3.0
PAUSE_S = 0.4
EARLY_S = 0.05


@case("the clock of one worker jumps an hour ahead")
def clock_ahead(arena: Arena) -> None:
    _jump(arena, HOUR_S)


@case("the clock of one worker jumps an hour back")
def clock_back(arena: Arena) -> None:
    _jump(arena, -HOUR_S)


def _jump(arena: Arena, seconds: int) -> None:
    file = arena.folder / "jump"
    arena.system.start_worker(**{JUMP: str(file)})
    arena.system.start_worker()
    arena.submit(150, work_s=0.05)
    arena.until_begun(20)

    fresh = file.with_suffix(".new")
    fresh.write_text(str(seconds))
    fresh.rename(file)
    # Those wait for their time, and for the time of a retry, on the wrong clock and on the right one. They come in
    # bursts, so that both workers get some.
    due: dict[int, float] = {}
    for first in range(DELAYED, 2 * DELAYED, DELAYED // 8):
        moment = time() + DELAY_S
        due |= dict.fromkeys(arena.submit(8, delay_s=DELAY_S, first=first), moment)
        sleep(PAUSE_S)
    arena.submit(40, fails=True, first=2 * DELAYED)

    arena.afterwards(lambda: _tell_early_ones(arena, due))


def _tell_early_ones(arena: Arena, due: Mapping[int, float]) -> None:
    early = {line.number for line in arena.lines() if line.at < due.get(line.number, 0.0) - EARLY_S}
    arena.promise(not early, f"{len(early)} delayed tasks began before their time")
