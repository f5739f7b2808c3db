"""Despacho under test: real workers, gateway and scheduler; tasks submitted through the ledger or over HTTP."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any, cast

import httpx

from middleware.dashboard import dashboard_app
from tasks.api_keys import SCOPES, ApiKeys
from tasks.connection import connect
from tasks.errors import Unavailable
from tasks.inspection import Inspection, pause_for
from tasks.ledger import Ledger
from tasks.lifecycle import State
from tasks.record import Task
from tasks.schedules import Known
from tasks.settings import Settings
from tasks.submission import NewTask, Order, check
from tests.conftest import wait_until
from tests.faults.clocks import slot_number
from tests.faults.despacho_worker import FAULTS, MOST_SLOTS, OVER_HTTP, SCHEDULE, slot_task
from tests.faults.processes import Process, Server, python
from tests.faults.proxy import Breaks, Proxy
from tests.faults.recording import Line
from tests.faults.staging import DESPACHO_MOMENTS, LANE, DespachoStaging, Moment
from tests.faults.systems import Scale, System

AT_ONCE = 200
SWIFT = {"heartbeat_timeout_s": 2.0, "sweep_interval_s": 0.5}
RETRIED_AFTER_S = 3.0


class Gateway:
    """A gateway process and a client with a key of it."""

    def __init__(self, process: Process, port_file: Path, token: str) -> None:
        self.process = process
        wait_until(lambda: _port(port_file), "the gateway listens", 60)
        self.port = _port(port_file)
        self.token = token
        self._url = f"http://127.0.0.1:{self.port}"
        self._headers = {"Authorization": f"Bearer {token}"}

    def post(self, number: int, key: str = "") -> httpx.Response:
        headers = {**self._headers, "Idempotency-Key": key or f"key-{number}"}
        body = {"task_name": OVER_HTTP, "kwargs": {"texts": [str(number)]}}
        return httpx.post(f"{self._url}/api/tasks/queue", json=body, headers=headers, timeout=30)


def _port(file: Path) -> int:
    return int(file.read_text() or 0) if file.exists() else 0


class Despacho(System):
    name = "Despacho"
    moments = DESPACHO_MOMENTS

    def __init__(self, folder: Path, server: Server, scale: Scale) -> None:
        super().__init__(folder, server, scale)
        patience: dict[str, Any] = {} if scale.long else dict(SWIFT)
        self.settings = Settings(redis_url=server.url, data_dir=folder / "data", **patience)
        self.client = connect(self.settings)
        self.ledger = Ledger(self.client, self.settings, FAULTS)
        self.staging = DespachoStaging(self.client)
        self._ids: defaultdict[int, list[str]] = defaultdict(list)
        self._gateways = 0
        self._token = ""
        given = {f"DESPACHO_{name.upper()}": str(value) for name, value in patience.items()}
        self.environment |= given | {"DESPACHO_DATA_DIR": str(self.settings.data_dir)}

    def close(self) -> None:
        super().close()
        self.client.close()

    # ------------------------------------------------------------------------------------------ processes

    def start_worker(self, threads: int = 4, url: str = "", **environment: str) -> Process:
        environment |= {"DESPACHO_REDIS_URL": url or self.server.url, "DESPACHO_THREADS": str(threads)}
        return self.until_ready(self.spawn(python("tests.faults.despacho_worker"), **environment))

    def start_scheduler(self, begin: float, minute_s: float, url: str = "") -> Process:
        environment = {"DESPACHO_REDIS_URL": url or self.server.url, **self.slots(begin, minute_s)}
        return self.until_ready(self.spawn(python("tests.faults.despacho_scheduler"), **environment))

    def due_slots(self, lines: Sequence[Line]) -> set[int]:
        """Those that came. A scheduler that is away for longer than a slot's minute catches up with the latest alone:
        on a machine that is busy enough, each start takes so long."""
        return {number for number in range(MOST_SLOTS) if self.ledger.is_known(slot_task(number))}

    def untold_slots(self) -> list[str]:
        """From the first that came to the last that was seen to, each has come or is counted as missed."""
        came = self.due_slots(())
        fields = self.client.hgetall(self.ledger.keys.of("schedule", schedule=SCHEDULE.name))
        known = Known.parse(cast(dict[bytes, bytes], fields))
        seen = set(range(min(came), slot_number(known.slot_ms or 0) + 1))
        untold = len(seen - came) - known.missed
        return [f"{untold} slots neither came nor are counted as missed"] if untold else []

    def start_gateway(self, url: str = "") -> Gateway:
        self._gateways += 1
        port_file = self.folder / f"port.{self._gateways}"
        environment = {"DESPACHO_REDIS_URL": url or self.server.url, "FAULTS_PORT_FILE": str(port_file)}
        process = self.spawn(python("tests.faults.despacho_gateway"), **environment)
        self._token = self._token or ApiKeys(self.client, self.settings).create("faults", "acme", SCOPES)[1]
        return Gateway(process, port_file, self._token)

    # ---------------------------------------------------------------------------------------------- tasks

    def submit(
        self, numbers: Iterable[int], *, work_s: float = 0.0, fails: bool = False, delay_s: float = 0.0
    ) -> None:
        tasks = [self._task(number, work_s, fails, delay_s) for number in numbers]
        for start in range(0, len(tasks), AT_ONCE):
            self.ledger.submit(tasks[start : start + AT_ONCE])

    def _task(self, number: int, work_s: float = 0.0, fails: bool = False, delay_s: float = 0.0) -> NewTask:
        order = Order(
            "faults.work",
            kwargs={"number": number, "work_s": work_s, "fails": fails},
            countdown_s=delay_s,
            retry_config={"min_backoff_s": RETRIED_AFTER_S, "max_backoff_s": RETRIED_AFTER_S},
        )
        task = check(order, FAULTS)
        self._ids[number].append(task.task_id)
        return task

    def submit_over(self, proxy: Proxy, numbers: Iterable[int]) -> None:
        over = self.settings.model_copy(update={"redis_url": proxy.url})
        client = connect(over)
        ledger = Ledger(client, over, FAULTS)
        for task in [self._task(number) for number in numbers]:
            while not _submitted(ledger, task):
                pass
        client.close()

    def submit_and_be_killed(self, proxy: Proxy, breaks: Breaks, number: int) -> None:
        gateway = self.start_gateway(proxy.url)
        rule = proxy.rule(self.moments[Moment.SUBMIT], breaks)

        def ask() -> None:
            with suppress(httpx.HTTPError):
                gateway.post(number)

        client = Thread(target=ask)
        client.start()
        wait_until(lambda: rule.struck, "the submit is under way")
        self.kill(gateway.process)
        client.join()
        answer = self.start_gateway().post(number)
        assert answer.status_code in (200, 202), answer.text
        self.know(number, answer)

    def know(self, number: int, answer: httpx.Response) -> None:
        self._ids[number].append(str(answer.json()["task_id"]))

    def submit_dead(self, numbers: Iterable[int]) -> None:
        once = [self._task(number, fails=True) for number in numbers]
        final = [replace(task, options=check(_once(), FAULTS).options) for task in once]
        self.ledger.submit(final)

    # ------------------------------------------------------------------------------------ the store's side

    def records(self, number: int) -> list[Task]:
        return self.ledger.tasks(self._ids[number])

    def _all_records(self) -> Iterable[tuple[int, Task]]:
        numbers = {task_id: number for number, ids in self._ids.items() for task_id in ids}
        ids = list(numbers)
        for start in range(0, len(ids), AT_ONCE):
            for task in self.ledger.tasks(ids[start : start + AT_ONCE]):
                yield numbers[task.task_id], task

    def left(self) -> set[int]:
        return {number for number, task in self._all_records() if not task.status.final}

    def untrue(self, lines: Sequence[Line]) -> set[int]:
        ends = Counter(line.number for line in lines if line.event == "end")
        return {number for number, task in self._all_records() if not _is_true(task, ends[number])}

    def sweep(self) -> None:
        Inspection(self.ledger, pause_for(self.settings.heartbeat_timeout_s)).run(mend=True)

    def deliver_again(self, numbers: Collection[int]) -> None:
        self.staging.deliver_again([task_id for number in numbers for task_id in self._ids[number]])

    def garble(self, ticket: int, payload: int) -> None:
        self.staging.garble_ticket(self._ids[ticket][0])
        self.staging.garble_payload(self._ids[payload][0])

    def dashboard(self) -> Any:
        return dashboard_app(self.settings, "")

    def queue_of(self, number: int) -> tuple[str, str]:
        return LANE, self._ids[number][0]

    @property
    def quiet_s(self) -> float:
        return self.settings.heartbeat_timeout_s + 1.5


def _once() -> Order:
    return Order("faults.work", retry_config={"max_retries": 0})


def _submitted(ledger: Ledger, task: NewTask) -> bool:
    try:
        ledger.submit([task])
    except Unavailable:
        return False
    return True


def _is_true(task: Task, ends: int) -> bool:
    """A task that succeeded has executed to its end, says so once, and keeps the result of its last run. One that
    hasn't succeeded has never executed to its end, or has yet to tell."""
    told = [event.event for event in task.events()]
    if task.status is not State.SUCCEEDED:
        return not task.status.final or not ends
    result = task.result or {}
    return bool(ends) and told.count("succeeded") == 1 and result.get("run", result.get("count")) == task.run
