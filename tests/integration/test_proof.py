"""A worker that takes no tasks says so: to a probe, to the gateways, and by silence to its supervisor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from threading import Event
from time import monotonic
from typing import Any

import httpx
import pytest
import redis

from actors.probes import answer_probes
from cli.port import free_port
from middleware import proof
from middleware.proof import STUCK_S, Proof, Prover, Signs
from middleware.run import Run
from middleware.worker import LaneWorker
from tasks.errors import SettingsError
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Client
from tests.integration.stories import AnyPayload, AnyResult
from tests.integration.test_worker import Shop


class Clock:
    """The machine's clock, set forward when the test says so."""

    ahead = 0.0

    def __call__(self) -> float:
        return monotonic() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Loops turn often, so that what they leave behind is fresh again soon after the clock was set."""
    monkeypatch.setattr("middleware.broker.TURN_S", 0.02)
    monkeypatch.setattr(proof, "SAY_EVERY_S", 0.02)
    return Clock()


@pytest.fixture
def shop(client: redis.Redis, settings: Settings) -> Iterator[Shop]:
    # The pulse turns at the machine's own clock: it is given as much time as the other is set forward.
    shop = Shop(client, settings.model_copy(update={"heartbeat_timeout_s": 1.0}))
    yield shop
    shop.close()


def opened(shop: Shop, clock: Clock, work: Any = lambda run, payload: AnyResult()) -> LaneWorker:
    worker = shop.open(work, threads=2)
    worker.broker.signs.clock = clock
    worker.pulse.every_s = 10_000.0
    wait_until(lambda: not worker.proof.unready(), "it takes tasks")
    return worker


def test_paused_queues_and_long_tasks_make_no_worker_unready(shop: Shop, clock: Clock, client: redis.Redis) -> None:
    goes_on, begun = Event(), []

    def work(run: Run, payload: AnyPayload) -> AnyResult:
        begun.append(run.task_id)
        goes_on.wait(20)
        return AnyResult()

    worker = opened(shop, clock, work)
    client.hset(f"{shop.settings.namespace}:paused", mapping={"demo": "{}", "other": "{}"})
    clock.ahead += 10 * STUCK_S
    wait_until(lambda: not worker.proof.unready(), "idle, with paused queues, an hour later")
    client.delete(f"{shop.settings.namespace}:paused")

    tasks = [shop.submit(timeout_s=3_600) for _ in range(3)]
    wait_until(lambda: len(begun) == 2, "both threads are busy")
    clock.ahead += 10 * STUCK_S
    wait_until(lambda: not worker.proof.unready(), "busy for long, within its limits")

    goes_on.set()
    for task_id in tasks:
        shop.ends(task_id, "succeeded")


def test_a_worker_whose_threads_all_hang_is_stuck_and_one_whose_half_hang_is_not(shop: Shop, clock: Clock) -> None:
    release = Event()

    def work(run: Run, payload: AnyPayload) -> AnyResult:
        while not release.is_set():
            # As native code does: it hears no interrupt.
            with suppress(BaseException):
                release.wait(20)
        return AnyResult()

    worker = opened(shop, clock, work)
    shop.submit(timeout_s=1)
    wait_until(lambda: len(worker.broker.time_limit.overdue()) == 1, "one is over its limit")
    clock.ahead += STUCK_S
    wait_until(lambda: not worker.proof.unready(), "the other thread still takes tasks")

    clock.ahead = 0
    shop.submit(timeout_s=1)
    wait_until(lambda: len(worker.broker.time_limit.overdue()) == 2, "both are")
    assert worker.proof.stuck() == ""
    clock.ahead += STUCK_S
    wait_until(lambda: "hangs beyond" in worker.proof.stuck(), "no thread is left")

    # Retiring doesn't wait for what never ends.
    worker.retire(lambda: False)
    release.set()


def test_a_stuck_consumer_is_told_to_the_gateway_the_probe_and_by_silence_to_the_supervisor(
    api: Client, worker: LaneWorker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[float] = []
    changes: list[str] = []

    def changed(stuck: str) -> None:
        changes.append(stuck)
        worker.pulse.describe_soon()

    prover = Prover(worker.proof, lambda: said.append(monotonic()), changed)
    port = free_port(Settings(port=0))
    server = answer_probes("127.0.0.1", port, {"/livez": worker.proof.stuck, "/readyz": worker.proof.unready})
    url = f"http://127.0.0.1:{port}"
    worker.broker.signs.clock = clock
    worker.pulse.every_s = 10_000.0
    release = Event()
    try:
        prover.start()
        wait_until(lambda: said, "it says that it works")
        assert httpx.get(f"{url}/readyz").json() == {"status": "ok", "reasons": []}
        assert httpx.get(f"{url}/livez").status_code == 200
        assert httpx.get(f"{url}/other").status_code == 404
        assert api.get("/readyz").status_code == 200

        # The next fetch never comes back.
        monkeypatch.setattr(worker.broker.ledger, "fetch", lambda _: release.wait(60) and ())
        worker.broker.ring()
        wait_until(lambda: worker.broker.fetching, "it hangs")
        clock.ahead += STUCK_S + 1
        wait_until(lambda: changes == ["the consumer hangs"], "it is noticed")
        silent_from = len(said)
        for path in ("livez", "readyz"):
            answer = httpx.get(f"{url}/{path}")
            assert (answer.status_code, answer.json()["reasons"]) == (503, ["the consumer hangs"])
        wait_until(lambda: api.get("/readyz").status_code == 503, "the gateway heard of it")
        assert api.get("/readyz").json()["reasons"] == ["no worker takes tasks: the consumer hangs"]
        assert len(said) == silent_from

        monkeypatch.undo()
        release.set()
        wait_until(lambda: changes[-1] == "" and len(said) > silent_from, "it works again")
        wait_until(lambda: api.get("/readyz").status_code == 200, "the gateway heard of that too")

        with pytest.raises(SettingsError, match="DESPACHO_PROBE_PORT"):
            answer_probes("127.0.0.1", port, {})
    finally:
        release.set()
        prover.stop()
        server.shutdown()
        server.server_close()


class Beating:
    turned_at = heard_at = 0.0
    every_s = 4.0


def test_a_server_that_is_away_makes_a_worker_unready_and_only_a_wedged_connection_makes_it_stuck() -> None:
    now = [0.0]
    signs, pulse = Signs(lambda: now[0]), Beating()
    one = Proof(signs, pulse, [], list, lambda: False)

    def passes(seconds: int, *, redis_answers_the_pulse: bool) -> None:
        for _ in range(seconds):
            now[0] += 1
            signs.turned()
            signs.failed()
            pulse.turned_at = now[0]
            pulse.heard_at = now[0] if redis_answers_the_pulse else pulse.heard_at

    passes(600, redis_answers_the_pulse=False)
    assert (one.stuck(), one.unready()) == ("", "Redis does not answer")
    passes(20, redis_answers_the_pulse=True)
    assert one.stuck() == "fetches fail though Redis answers"
    signs.fetched()
    assert one.unready() == ""
    now[0] += STUCK_S + 5
    signs.turned()
    assert one.stuck() == "the pulse hangs"
