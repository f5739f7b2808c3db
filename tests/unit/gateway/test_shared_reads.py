"""Reads that many want at once: shared, bounded, and never older than the question."""

from __future__ import annotations

import asyncio

import pytest

from gateway.shared_reads import SharedReads

pytestmark = pytest.mark.anyio


class Store:
    """Something that changes while it is read."""

    def __init__(self) -> None:
        self.value = self.reads = self.under_way = self.most_under_way = 0
        self.may_answer = asyncio.Event()

    async def read(self) -> int:
        self.reads += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        value = self.value
        await self.may_answer.wait()
        self.under_way -= 1
        return value


async def _until_asked(*tasks: asyncio.Task[int]) -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_who_ask_together_are_answered_by_one_read() -> None:
    reads, store = SharedReads(4), Store()
    asked = [asyncio.create_task(reads.get("q", store.read)) for _ in range(100)]
    await _until_asked(*asked)
    store.may_answer.set()

    assert await asyncio.gather(*asked) == [0] * 100
    assert store.reads == 1


async def test_who_asks_while_one_is_read_gets_what_was_read_after_that() -> None:
    reads, store = SharedReads(4), Store()
    first = asyncio.create_task(reads.get("q", store.read))
    await _until_asked(first)
    store.value = 1
    later = [asyncio.create_task(reads.get("q", store.read)) for _ in range(10)]
    await _until_asked(*later)
    assert store.reads == 1
    store.may_answer.set()

    assert await first == 0
    assert await asyncio.gather(*later) == [1] * 10
    assert store.reads == 2


async def test_only_so_many_are_under_way() -> None:
    reads, store = SharedReads(3), Store()
    asked = [asyncio.create_task(reads.get(n, store.read)) for n in range(20)]
    await _until_asked(*asked)
    store.may_answer.set()

    await asyncio.gather(*asked)

    assert (store.reads, store.most_under_way) == (20, 3)


async def test_one_who_gives_up_takes_nothing_from_the_others() -> None:
    reads, store = SharedReads(1), Store()
    leaver, stayer = (asyncio.create_task(reads.get("q", store.read)) for _ in range(2))
    await _until_asked(leaver, stayer)
    leaver.cancel()
    await _until_asked(leaver)
    store.may_answer.set()

    assert await stayer == 0
    assert leaver.cancelled()
    assert await reads.get("q", store.read) == 0


async def test_an_error_is_told_to_all_who_asked_and_kept_from_those_who_ask_again() -> None:
    reads, fails = SharedReads(1), True

    async def read() -> int:
        if fails:
            raise ValueError("away")
        return 1

    asked = await asyncio.gather(*(reads.get("q", read) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in asked] == [ValueError] * 3

    fails = False
    assert await reads.get("q", read) == 1
    with pytest.raises(ValueError, match="no"):
        await reads.get("other", _refuse)


async def _refuse() -> int:
    raise ValueError("no")
