"""The server itself: killed, stopped, down, and full."""

from __future__ import annotations

import signal
from contextlib import suppress
from time import sleep

import redis

from tasks.errors import Unavailable
from tests.conftest import wait_until
from tests.faults.arena import Arena, case

OUTAGE_S = 5.0
OVER_HTTP = 100_000


@case("`kill -9` of the server under load; started again from its append-only file")
def server_killed(arena: Arena) -> None:
    arena.workers(2)
    arena.submit(400, work_s=0.03)
    for begun in (60, 150):
        arena.until_begun(begun)
        arena.server.process.kill()
        arena.server.start()


@case("the server stands still for 5 s under load")
def server_stopped(arena: Arena) -> None:
    arena.workers(2)
    arena.submit(300, work_s=0.03)
    arena.until_begun(60)

    arena.server.process.signal(signal.SIGSTOP)
    sleep(OUTAGE_S)
    arena.server.process.signal(signal.SIGCONT)


@case("the server is down for 5 s under load")
def server_down(arena: Arena) -> None:
    arena.workers(2)
    arena.submit(300, work_s=0.03)
    # Those run right through the outage, and those wait for their time in it.
    arena.submit(4, work_s=OUTAGE_S + 2, first=1_000)
    arena.submit(30, delay_s=3, first=2_000)
    arena.until_begun(60)

    arena.server.stop()
    sleep(OUTAGE_S)
    arena.server.start()


@case("the server's memory is full for 5 s under load (`noeviction`)")
def memory_full(arena: Arena) -> None:
    gateway = arena.despacho.start_gateway() if arena.despacho else None
    arena.workers(1)
    arena.submit(150, work_s=0.05)
    arena.until_begun(20)

    arena.server.client.config_set("maxmemory", 1)
    with suppress(redis.ResponseError, Unavailable):
        arena.system.submit([OVER_HTTP])
        raise AssertionError("a full server takes no new task")
    if gateway and arena.despacho:
        refused = gateway.post(OVER_HTTP + 1)
        assert refused.status_code == 503, refused.text
        assert refused.headers["retry-after"]
        assert refused.json()["type"] == "/problems/unavailable"
        # What was let in ends while the memory is full.
        wait_until(lambda: arena.despacho and not arena.despacho.left(), "all that was let in has ended", 30)
    else:
        sleep(OUTAGE_S)
    arena.server.client.config_set("maxmemory", 0)
    if gateway and arena.despacho:
        taken = gateway.post(OVER_HTTP + 1)
        assert taken.status_code == 202, taken.text
        arena.despacho.know(OVER_HTTP + 1, taken)
        arena.expected.add(OVER_HTTP + 1)
