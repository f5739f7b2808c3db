"""Messages that can't be read, are delivered twice, or are moved by hand in dramatiq-dashboard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import httpx

from tasks.lifecycle import State
from tests.conftest import wait_until
from tests.faults.arena import Arena, case

TICKET, PAYLOAD = 7, 11


@case("a message and a payload that can't be read, amid good ones")
def unreadable(arena: Arena) -> None:
    arena.submit(100)
    arena.system.garble(ticket=TICKET, payload=PAYLOAD)
    # Nobody could do this one any more; and where the message is the payload, neither the other.
    arena.expected -= {PAYLOAD} if arena.despacho else {PAYLOAD, TICKET}
    arena.workers(1)

    if arena.despacho:
        despacho = arena.despacho

        def tell() -> None:
            (record,) = despacho.records(PAYLOAD)
            arena.promise(record.status is State.FAILED, "what can't be read is no dead letter")

        arena.afterwards(tell)


@case("every message is delivered twice")
def delivered_twice(arena: Arena) -> None:
    numbers = arena.submit(100, work_s=0.02)
    arena.system.deliver_again(numbers)
    arena.workers(2)
    arena.until_begun(20)
    arena.system.deliver_again(numbers)
    wait_until(lambda: arena.count("end") >= len(numbers), "all have ended", 60)
    arena.system.deliver_again(numbers)


@case("dead letters requeued and deleted in dramatiq-dashboard, waiting ones too")
def dashboard(arena: Arena) -> None:
    dead, waiting = range(30), range(100, 140)
    requeued, deleted = dead[:20], dead[20:]
    clicked, removed = waiting[:10], waiting[10:20]
    arena.system.submit_dead(dead)
    (first,) = arena.workers(1)
    wait_until(lambda: arena.count("fail") == len(dead), "all have failed", 30)
    wait_until(lambda: not arena.system.left(), "all are dead letters", 30)
    first.terminate()
    first.wait()
    arena.system.submit(waiting)

    asyncio.run(_click(arena, "requeue-message", requeued, ".XQ"))
    asyncio.run(_click(arena, "delete-message", deleted, ".XQ"))
    asyncio.run(_click(arena, "requeue-message", clicked, ""))
    asyncio.run(_click(arena, "delete-message", removed, ""))
    arena.workers(1)
    arena.system.sweep()

    arena.expected.update(requeued, clicked, waiting[20:])
    if arena.despacho:
        # What was deleted is told so: a waiting task is cancelled, a dead one forgotten.
        for number in removed:
            assert [record.status for record in arena.despacho.records(number)] == [State.CANCELLED]
        for number in deleted:
            assert {record.status for record in arena.despacho.records(number)} <= {State.FAILED}


async def _click(arena: Arena, button: str, numbers: Iterable[int], tab: str) -> None:
    """As the page's form does it: its token stands in the cookie and in the form."""
    transport = httpx.ASGITransport(app=arena.system.dashboard())
    async with httpx.AsyncClient(transport=transport, base_url="http://ops", cookies={"__dd_csrf": "t"}) as page:
        for number in numbers:
            queue, message_id = arena.system.queue_of(number)
            form = {"queue": queue + tab, "id": message_id, "__dd_csrf": "t"}
            answer = await page.post(f"/{button}", data=form)
            assert answer.status_code in (302, 303), answer.text
