"""A worker whose clock jumps by an hour while it works."""

from __future__ import annotations

from time import time

from tests.faults.arena import Arena, case
from tests.faults.clocks import JUMP

HOUR_S = 3_600
DELAYED = 1_000
DELAY_S = 3.0


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
    # Those wait for their time, and for the time of a retry, on the wrong clock and on the right one.
    due = time() + DELAY_S
    delayed = set(arena.submit(60, delay_s=DELAY_S, first=DELAYED))
    arena.submit(40, fails=True, first=2_000)

    arena.afterwards(lambda: _tell_early_ones(arena, delayed, due))


def _tell_early_ones(arena: Arena, delayed: set[int], due: float) -> None:
    early = {line.number for line in arena.lines() if line.number in delayed and line.at < due - 0.05}
    arena.promise(not early, f"{len(early)} delayed tasks began before their time")
