"""One breaker for all worker processes: it opens, lets one probe through at a time, closes, and is told of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from actors.engines.http.breaker import SharedBreaker
from tasks import breakers
from tasks.breakers import BreakerBook, Breakers, Opening, WorkersBreaker
from tasks.clock import now_ms
from tasks.connection import connect, connect_async
from tasks.keys import Keys
from tasks.ledger import Ledger
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Client

KEYS = Keys("despacho")
COOLDOWN_MS = 150


def of_a_process(settings: Settings, name: str = "embeddings", **bounds: int) -> WorkersBreaker:
    chosen = {"failures": 3, "cooldown_ms": COOLDOWN_MS, "lease_ms": 60_000} | bounds
    return WorkersBreaker(Ledger(connect(settings), settings), name, **chosen)


@pytest.fixture
def processes(client: redis.Redis, settings: Settings) -> list[WorkersBreaker]:
    return [of_a_process(settings) for _ in range(2)]


def shown(api: Client) -> dict[str, dict[str, Any]]:
    return {breaker["name"]: breaker for breaker in api.get("/api/circuit-breakers").json()["breakers"]}


def test_it_opens_over_processes_lets_one_probe_through_and_closes(
    processes: list[WorkersBreaker], client: redis.Redis, api: Client
) -> None:
    one, two = processes
    one.failed("a", "ProviderFailed")
    one.succeeded("b")
    assert [one.failed("c", "E"), two.failed("d", "E"), one.failed("e", "ProviderFailed")] == [0, 0, COOLDOWN_MS]
    assert two.ask("f").says in ("open", "probe")

    wait_until(lambda: shown(api)["embeddings"]["state"] == "half_open", "a probe is due")
    with ThreadPoolExecutor(16) as threads:
        said = list(threads.map(lambda n: (n, processes[n % 2].ask(str(n))), range(200)))
    (probe,) = [n for n, saying in said if saying.says == "probe"]
    assert {saying.says for n, saying in said if n != probe} == {"probed"}
    assert one.ask(str(probe)).says == "probe", "an answer that was lost is given again"

    # What began before it opened changes nothing, however it ends.
    assert not two.succeeded("late")
    assert two.failed("late", "E") > 0
    assert one.failed(str(probe), "ProviderFailed") == COOLDOWN_MS
    told = shown(api)["embeddings"]
    assert (told["failures"], told["last_error"]) == (4, "ProviderFailed")

    wait_until(lambda: two.ask("again").says == "probe", "the next probe is due")
    assert two.succeeded("again")
    told = shown(api)["embeddings"]
    assert (told["state"], told["failures"], told["until"]) == ("closed", 0, None)
    assert told["opened_at"]
    assert one.ask("g").says == "closed"
    assert client.pttl(KEYS.of("breaker", dependency="embeddings")) > 0


def test_a_probe_whose_worker_was_killed_is_followed_by_another(client: redis.Redis, settings: Settings) -> None:
    mortal, other = (of_a_process(settings, failures=1, cooldown_ms=1, lease_ms=100) for _ in range(2))
    mortal.failed("a", "E")
    wait_until(lambda: mortal.ask("probe").says == "probe", "a probe is due")
    assert other.ask("other").says in ("probed", "probe")
    wait_until(lambda: other.ask("other").says == "probe", "the lost probe is given up", 2)


def test_what_is_kept_of_breakers_is_bounded(
    client: redis.Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakers, "BREAKERS_AT_MOST", 3)
    monkeypatch.setattr(breakers, "OPENINGS_AT_MOST", 5)
    for number in range(4):
        of_a_process(settings, f"webhooks:t:h{number}:443", failures=1).failed("a", "E")
    shared = of_a_process(settings, "webhooks:t:h9:443", failures=1, cooldown_ms=0)
    for number in range(300):
        shared.failed(f"{number}", "E")
        shared.ask(f"{number}")
        shared.succeeded(f"{number}")

    assert client.zcard(KEYS.of("breakers")) == 3
    assert len(list(client.scan_iter(KEYS.of("breaker", dependency="*")))) == 3
    assert client.xlen(KEYS.of("breaker_openings")) < 250


def test_openings_are_read_by_period(client: redis.Redis, settings: Settings) -> None:
    async def openings(*period: int) -> Sequence[Opening]:
        connection = connect_async(settings)
        try:
            return await Breakers(connection, settings).openings(*period)
        finally:
            await connection.aclose()

    before = now_ms()
    of_a_process(settings, "webhooks:acme:a.example:443", failures=1, cooldown_ms=60_000).failed("a", "WebhookFailed")

    (opening,) = asyncio.run(openings(before - 1_000, now_ms() + 1_000))
    assert (opening.name, opening.error) == ("webhooks:acme:a.example:443", "WebhookFailed")
    assert asyncio.run(openings(0, before - 60_000)) == []
    book = BreakerBook(client, settings)
    assert book.openings(before - 1_000, now_ms() + 1_000) == [opening]
    assert [(state.name, state.state) for state in book.list()] == [(opening.name, "open")]


def test_while_redis_is_away_a_process_counts_for_itself(settings: Settings, tmp_path: Path) -> None:
    away = settings.model_copy(update={"redis_url": f"unix://{tmp_path}/nobody"})
    breaker = SharedBreaker(of_a_process(away, failures=2, cooldown_ms=60_000))

    assert breaker.ask().wait_s == 0
    assert breaker.failed(breaker.ask(), "E") == 0
    assert 0 < breaker.failed(breaker.ask(), "E") <= 60
    assert 0 < breaker.ask().wait_s <= 60
