"""Stock Dramatiq under test: its Redis broker and its command with their defaults."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import redis
from a2wsgi import WSGIMiddleware
from dramatiq_dashboard import DashboardApp

from tests.conftest import wait_until
from tests.faults.processes import Process, Server, python
from tests.faults.proxy import Breaks, Proxy
from tests.faults.staging import STOCK_MOMENTS, STOCK_QUEUE, Moment, StockStaging
from tests.faults.stock_worker import THREADS, URL, build
from tests.faults.systems import Scale, System

RETRIED_AFTER_MS = 3_000


class Stock(System):
    name = "Dramatiq"
    moments = STOCK_MOMENTS

    def __init__(self, folder: Path, server: Server, scale: Scale) -> None:
        super().__init__(folder, server, scale)
        self.broker, self.actor = build(server.url)
        self.staging = StockStaging(self.broker.client)
        self._ids: defaultdict[int, list[str]] = defaultdict(list)

    def close(self) -> None:
        super().close()
        self.broker.client.close()

    # ------------------------------------------------------------------------------------------ processes

    def start_worker(self, threads: int = 4, url: str = "", **environment: str) -> Process:
        environment |= {URL: url or self.server.url, THREADS: str(threads)}
        return self.until_ready(self.spawn(python("tests.faults.stock_worker", "worker"), **environment))

    def start_scheduler(self, begin: float, minute_s: float, url: str = "") -> Process:
        environment = {URL: url or self.server.url, **self.slots(begin, minute_s)}
        return self.until_ready(self.spawn(python("tests.faults.stock_worker", "scheduler"), **environment))

    # ---------------------------------------------------------------------------------------------- tasks

    def submit(
        self, numbers: Iterable[int], *, work_s: float = 0.0, fails: bool = False, delay_s: float = 0.0
    ) -> None:
        for number in numbers:
            self._send(number, work_s, fails, delay_s)

    def _send(
        self, number: int, work_s: float = 0.0, fails: bool = False, delay_s: float = 0.0, **options: Any
    ) -> None:
        message = self.actor.send_with_options(
            kwargs={"number": number, "work_s": work_s, "fails": fails},
            delay=round(delay_s * 1_000) or None,
            min_backoff=RETRIED_AFTER_MS,
            max_backoff=RETRIED_AFTER_MS,
            **options,
        )
        self._ids[number].append(message.options["redis_message_id"])

    def submit_over(self, proxy: Proxy, numbers: Iterable[int]) -> None:
        broker, actor = build(proxy.url)
        for number in numbers:
            while not _sent(actor, number):
                pass
        broker.client.close()

    def submit_and_be_killed(self, proxy: Proxy, breaks: Breaks, number: int) -> None:
        rule = proxy.rule(self.moments[Moment.SUBMIT], breaks)
        sender = self.spawn(python("tests.faults.stock_worker", "send", str(number)), **{URL: proxy.url})
        wait_until(lambda: rule.struck, "the send is under way")
        self.kill(sender)
        self._send(number)

    def submit_dead(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._send(number, fails=True, max_retries=0)

    # ------------------------------------------------------------------------------------ the store's side

    def left(self) -> set[int]:
        numbers = {message_id: number for number, ids in self._ids.items() for message_id in ids}
        return {
            numbers[message_id] if message_id in numbers else json.loads(message)["kwargs"].get("number", -1)
            for message_id, message in self.staging.waiting().items()
        }

    def sweep(self) -> None:
        """Dramatiq mends itself by chance, with its ordinary commands."""

    def deliver_again(self, numbers: Collection[int]) -> None:
        self.staging.deliver_again([message_id for number in numbers for message_id in self._ids[number]])

    def garble(self, ticket: int, payload: int) -> None:
        for number in (ticket, payload):
            self.staging.garble_ticket(self._ids[number][0])

    def dashboard(self) -> Any:
        return WSGIMiddleware(DashboardApp(broker=self.broker, prefix=""))

    def queue_of(self, number: int) -> tuple[str, str]:
        return STOCK_QUEUE, self._ids[number][0]

    @property
    def quiet_s(self) -> float:
        return 3.5


def _sent(actor: Any, number: int) -> bool:
    try:
        actor.send(number=number)
    except redis.RedisError:
        return False
    return True
