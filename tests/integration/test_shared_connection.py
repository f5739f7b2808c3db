"""The one connection that a gateway's requests share: every answer belongs to its question, and a break is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import redis

from tasks.connection import connect_shared
from tasks.settings import Settings
from tasks.shared_connection import SharedConnection

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def shared(settings: Settings) -> AsyncIterator[SharedConnection]:
    connection = connect_shared(settings)
    yield connection
    await connection.close()


async def test_every_answer_belongs_to_its_question(client: redis.Redis, settings: Settings) -> None:
    async with shared(settings) as connection:
        answers = await asyncio.gather(*(connection.call("ECHO", str(number)) for number in range(2_000)))

    assert answers == [str(number).encode() for number in range(2_000)]


async def test_a_request_that_hung_up_takes_no_other_answer_with_it(client: redis.Redis, settings: Settings) -> None:
    async with shared(settings) as connection:
        asked = [asyncio.create_task(connection.call("ECHO", str(number))) for number in range(200)]
        await asyncio.sleep(0)
        for task in asked[::2]:
            task.cancel()
        others = await asyncio.gather(*asked[1::2])

    assert others == [str(number).encode() for number in range(1, 200, 2)]


async def test_a_refusal_is_only_its_askers(client: redis.Redis, settings: Settings) -> None:
    async with shared(settings) as connection:
        wrong, right = await asyncio.gather(
            connection.call("NOSUCH"), connection.call("ECHO", "here"), return_exceptions=True
        )

    assert isinstance(wrong, redis.ResponseError)
    assert right == b"here"


async def test_a_cut_connection_is_told_and_made_anew(client: redis.Redis, settings: Settings) -> None:
    async with shared(settings) as connection:
        number = await connection.call("CLIENT", "ID")
        blocked = asyncio.create_task(connection.call("BLPOP", "despacho:nothing", 0))
        await asyncio.sleep(0)
        client.client_kill_filter(_id=str(number))

        with pytest.raises(redis.ConnectionError):
            await blocked
        assert await connection.call("ECHO", "again") == b"again"


def test_a_caller_may_begin_another_event_loop(client: redis.Redis, settings: Settings) -> None:
    connection = connect_shared(settings)

    async def ask(word: str) -> object:
        answer = await connection.call("ECHO", word)
        await connection.close()
        return answer

    assert [asyncio.run(ask(word)) for word in ("one", "two")] == [b"one", b"two"]


async def test_a_silent_server_is_given_up_in_time(settings: Settings) -> None:
    was_left = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while await reader.read(1_000):
                pass
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        was_left.set()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    silent = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{port}/0"})
    async with shared(silent) as connection, asyncio.timeout(4):
        with pytest.raises(redis.TimeoutError):
            await connection.call("ECHO", "?")
    await asyncio.wait_for(was_left.wait(), 2)
    server.close()
    await server.wait_closed()
