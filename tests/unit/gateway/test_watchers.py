"""The queue of one watcher: bounded, taken as a whole, awake when something comes or when nothing does."""

from __future__ import annotations

import asyncio

import pytest

from gateway.bridge import BEHIND_AT_MOST, CLOSED, GAP, Frame, Watcher, _together
from tasks.record import Event

pytestmark = pytest.mark.anyio


def a_frame(seq: int) -> Frame:
    return Frame(Event(seq, "running", "t1", "demo.work", None))


async def test_all_that_has_come_is_taken_at_once() -> None:
    watcher, frames = Watcher("c"), [a_frame(1), a_frame(2)]
    for frame in frames:
        watcher.offer(frame)

    assert await watcher.take(1) == frames


async def test_a_silence_is_told_again_and_again_and_something_wakes_at_once() -> None:
    watcher = Watcher("c")
    assert [await watcher.take(0.01) for _ in range(3)] == [[], [], []]

    waiting = asyncio.create_task(watcher.take(60))
    await asyncio.sleep(0)
    watcher.offer(GAP)

    assert await asyncio.wait_for(waiting, 1) == [GAP]
    watcher.leave()


async def test_who_takes_nothing_and_is_a_thousand_behind_is_cut_and_told_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.bridge.TAKEN_WITHIN_S", 0)
    cuts: list[int] = []
    watcher = Watcher("c", abort=lambda: cuts.append(1))
    with watcher.sending():
        for seq in range(BEHIND_AT_MOST):
            watcher.offer(a_frame(seq))
        assert not watcher.closed

        for seq in range(5):
            watcher.offer(a_frame(BEHIND_AT_MOST + seq))

    assert watcher.closed
    assert await watcher.take(1) == [CLOSED]
    assert cuts == [1]


async def test_who_is_a_thousand_behind_by_no_fault_of_the_client_reads_the_log() -> None:
    cuts: list[int] = []
    watcher = Watcher("c", abort=lambda: cuts.append(1))
    for seq in range(BEHIND_AT_MOST + 1):
        watcher.offer(a_frame(seq))
    watcher.offer(CLOSED)

    taken = await watcher.take(1)

    assert taken[0] is GAP
    assert [item.seq for item in taken if isinstance(item, Frame)] == [BEHIND_AT_MOST]
    assert watcher.closed
    assert cuts == []


async def test_what_is_put_back_comes_first() -> None:
    watcher, first, second = Watcher("c"), a_frame(1), a_frame(2)
    watcher.offer(second)
    watcher.put_back([first])

    assert await watcher.next() is first
    assert await watcher.next() is second


@pytest.mark.parametrize("count", [0, 1, 500, 1_201])
def test_orders_go_out_in_few_calls_and_in_their_order(count: int) -> None:
    orders = [("subscribe", f"c{n}") for n in range(count)]
    mixed = [*orders, ("unsubscribe", "c0"), ("subscribe", "events:*"), ("subscribe", "c0")]

    calls = list(_together(mixed))

    assert [(verb, name) for verb, names in calls for name in names] == mixed
    assert len(calls) == -(-count // 500) + 3
