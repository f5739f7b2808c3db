"""What takes work in: the gateway and the scheduler, killed or doubled. A minute of the schedule takes a few seconds.

Stock has no gateway: there it is the process that sends. Its scheduler is periodiq.
"""

from __future__ import annotations

from time import time

from tests.conftest import wait_until
from tests.faults.arena import Arena, case
from tests.faults.proxy import Breaks
from tests.faults.staging import Moment

MINUTE_S = 5.0


@case("`kill -9` of what takes a submit in, before it is stored; the client repeats it")
def gateway_killed_before(arena: Arena) -> None:
    _submit_and_be_killed(arena, Breaks.LOSES_REQUEST_SILENTLY)


@case("`kill -9` of what takes a submit in, stored and not yet answered; the client repeats it")
def gateway_killed_after(arena: Arena) -> None:
    _submit_and_be_killed(arena, Breaks.LOSES_REPLY_SILENTLY)


def _submit_and_be_killed(arena: Arena, breaks: Breaks) -> None:
    arena.workers(1)
    arena.submit(100, first=1_000)
    for number in range(3 if arena.scale.long else 1):
        arena.system.submit_and_be_killed(arena.proxy, breaks, number)
        arena.expected.add(number)


@case("`kill -9` of the scheduler before and after it sent a slot; started again at once")
def scheduler_killed(arena: Arena) -> None:
    begin = time() - MINUTE_S / 2
    arena.system.environment |= arena.system.slots(begin, MINUTE_S)
    arena.workers(1)
    scheduler = arena.system.start_scheduler(begin, MINUTE_S)
    wait_until(lambda: arena.count("end") >= 2, "two slots were executed", 60)
    for breaks in (Breaks.LOSES_REQUEST_SILENTLY, Breaks.LOSES_REPLY_SILENTLY):
        arena.kill(scheduler)
        sent = arena.breaks(Moment.SUBMIT, breaks)
        scheduler = arena.system.start_scheduler(begin, MINUTE_S, arena.proxy.url)
        wait_until(lambda sent=sent: sent.struck, "a slot is being sent", 60)
        arena.kill(scheduler)
        scheduler = arena.system.start_scheduler(begin, MINUTE_S)
    _let_run(arena, begin, 2)
    arena.kill(scheduler)
    arena.remember_slots()


@case("two schedulers at once")
def two_schedulers(arena: Arena) -> None:
    begin = time() - MINUTE_S / 2
    arena.system.environment |= arena.system.slots(begin, MINUTE_S)
    arena.workers(1)
    schedulers = [arena.system.start_scheduler(begin, MINUTE_S) for _ in range(2)]
    _let_run(arena, begin, 3)
    arena.kill(*schedulers)
    arena.remember_slots()


def _let_run(arena: Arena, begin: float, slots: int) -> None:
    last = int((time() - begin) / MINUTE_S) + slots
    wait_until(lambda: any(line.number >= last for line in arena.lines()), f"{slots} more slots were executed", 120)
    # Time for whoever is late with the last one.
    wait_until(lambda: (time() - begin) / MINUTE_S > last + 0.5, "the last slot's minute is half over")
