"""Every watcher ends with exactly the events of its stream, once and in order, whatever is killed or cut."""

from __future__ import annotations

import random
import signal
import socket
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep

import pytest

from tasks.catalog import CATALOG
from tasks.ledger import Appetite, Hold, Ledger
from tasks.record import Task
from tasks.submission import NewTask, Order, check
from tests.conftest import wait_until
from tests.faults.despacho import Despacho, Gateway
from tests.faults.processes import Server
from tests.faults.systems import Scale
from tests.faults.watching import Cutter, Hall, Watching

TENANT = "acme"
CASES = 4
WATCHERS = 200
ALL_TOLD_WITHIN_S = 60.0


class Play:
    """Tasks of a few cases, which a test moves on by chance: begun, told of, given back, ended."""

    def __init__(self, ledger: Ledger, seed: int = 7) -> None:
        self._ledger = ledger
        self._random = random.Random(seed)
        self._tasks: list[NewTask] = []
        self._holds: list[Hold] = []

    def add(self, case: int) -> str:
        order = Order("triage.process_async", args=[f"case-{case}"], kwargs={"user_message": "oi"}, tenant=TENANT)
        task = check(order, CATALOG)
        self._tasks.append(task)
        self._ledger.submit([task])
        return task.task_id

    def go_on(self, steps: int, pause_s: float = 0.002) -> None:
        for _ in range(steps):
            self._random.choice((self._begin, self._tell, self._tell, self._end, self._give_back))()
            sleep(pause_s)

    def finish(self) -> None:
        while self._fetch() or self._holds:
            self._end()

    def connect_again(self) -> None:
        """A fetch is not repeated, because its answer may be lost with what it gave: something harmless finds out
        that a connection is broken."""
        self._ledger.do_chores()

    def _fetch(self) -> bool:
        begun = self._ledger.fetch(Appetite("w-play", CATALOG.queues, 1))
        self._holds += [started.hold for started in begun]
        return bool(begun)

    def _begin(self) -> None:
        if not self._fetch():
            self.add(self._random.randrange(CASES))

    def _any(self) -> Hold | None:
        return self._random.choice(self._holds) if self._holds else None

    def _tell(self) -> None:
        if hold := self._any():
            self._ledger.progress(hold, self._random.randrange(100), "Lendo a conversa")

    def _end(self) -> None:
        if hold := self._any():
            self._ledger.succeed(hold, "{}")
            self._holds.remove(hold)

    def _give_back(self) -> None:
        if hold := self._any():
            self._ledger.hand_back(hold)
            self._holds.remove(hold)

    def records(self) -> list[Task]:
        return self._ledger.tasks([task.task_id for task in self._tasks])


class Scene:
    """A server, a gateway that can be killed and started again, watchers, and tasks for them to watch."""

    def __init__(self, folder: Path) -> None:
        self.server = Server(folder)
        self.server.start()
        self.despacho = Despacho(folder, self.server, Scale(long=False, patience_s=60))
        self._gateway = self.despacho.start_gateway()
        self.hall = Hall(lambda: self._gateway.port)
        self.play = Play(Ledger(self.despacho.client, self.despacho.settings))

    @property
    def gateway(self) -> Gateway:
        return self._gateway

    def start_gateway(self) -> None:
        self._gateway = self.despacho.start_gateway()

    def watch(self, hall: Hall | None = None) -> None:
        """Most watch a case, some the tenant, some one task."""
        hall, token = hall or self.hall, self.gateway.token
        for case in range(CASES):
            task_id = self.play.add(case)
            hall.watch(f"/api/v2/triage/stream/case-{case}", token, WATCHERS // CASES - 10)
            hall.watch(f"/api/tasks/{task_id}/events", token, 5)
            hall.watch("/api/events", token, 5)
        self.until_heard(hall)

    def until_heard(self, hall: Hall) -> None:
        wait_until(lambda: all(watching.heard for watching in hall.watchings), "all watch", 60)

    def check(self, hall: Hall | None = None) -> None:
        """Let all tasks end, and hold what every watcher was told against the records."""
        hall = hall or self.hall
        self.play.finish()
        records = self.play.records()
        assert all(task.status.final for task in records)
        wanted = _by_path(records)
        late = [watching for watching in hall.watchings if not _has_all(watching, wanted[watching.path])]
        deadline = monotonic() + ALL_TOLD_WITHIN_S
        while late and monotonic() < deadline:
            sleep(0.05)
            late = [watching for watching in late if not _has_all(watching, wanted[watching.path])]
        for watching in hall.watchings:
            _check(watching, wanted[watching.path])

    def close(self) -> None:
        self.hall.close()
        self.despacho.close()
        self.server.close()


Wanted = tuple[list[tuple[int, str]], set[int]]
"""The moves of a stream in their order, each with its task; and the progress that is kept."""


def _by_path(records: list[Task]) -> dict[str, Wanted]:
    moves, kept = defaultdict[str, list[tuple[int, str]]](list), defaultdict[str, set[int]](set)
    for task in records:
        paths = (f"/api/tasks/{task.task_id}/events", f"/api/v2/triage/stream/{task.case_id}", "/api/events")
        for event in task.events():
            for path in paths:
                if event.event != "progress":
                    moves[path].append((event.seq, task.task_id))
                elif path != "/api/events":
                    # Of progress, the stream of a tenant tells only what happens while one watches.
                    kept[path].add(event.seq)
    return {path: (sorted(moves[path]), kept[path]) for path in moves}


def _has_all(watching: Watching, wanted: Wanted) -> bool:
    return bool(watching.heard) and watching.heard[-1].seq >= wanted[0][-1][0]


def _check(watching: Watching, wanted: Wanted) -> None:
    moves, kept = wanted
    numbers = [heard.seq for heard in watching.heard]
    assert numbers == sorted(set(numbers)), f"{watching.path}: twice or out of order"
    known = {seq for seq, _ in moves}
    told = [(heard.seq, heard.task_id) for heard in watching.heard if heard.seq in known]
    assert told == moves, f"{watching.path}: {len(told)} of {len(moves)} moves"
    # A case calls it processing both when a task begins and when it tells how far it is.
    others = {heard.name for heard in watching.heard if heard.seq not in known}
    assert others <= {"progress", "triage_processing"}, watching.path
    assert kept <= set(numbers), f"{watching.path}: the latest progress is missing"


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dspw-", ignore_cleanup_errors=True)))
        scene = Scene(folder)
        stack.callback(scene.close)
        yield scene


def test_a_killed_gateway_costs_no_watcher_an_event(scene: Scene) -> None:
    scene.watch()
    for _ in range(3):
        scene.play.go_on(150)
        scene.despacho.kill(scene.gateway.process)
        scene.play.go_on(100)
        scene.start_gateway()
    scene.play.go_on(150)

    scene.check()

    assert all(watching.connects >= 2 for watching in scene.hall.watchings if not watching.ended)


@pytest.mark.parametrize("way", ["told to stop", "killed"])
def test_a_restarted_server_costs_no_watcher_an_event_or_its_connection(scene: Scene, way: str) -> None:
    scene.watch()
    for _ in range(2):
        scene.play.go_on(150)
        if way == "killed":
            scene.server.process.kill()
        else:
            scene.server.stop()
        sleep(1)
        scene.server.start()
        scene.play.connect_again()
        scene.play.go_on(150)

    scene.check()

    assert {watching.connects for watching in scene.hall.watchings} == {1}


def test_connections_cut_anywhere_cost_no_watcher_an_event(scene: Scene) -> None:
    cutter = Cutter(lambda: scene.gateway.port, (300, 6_000), seed=11)
    hall = Hall(lambda: cutter.port)
    try:
        hall.call(cutter.start())
        scene.watch(hall)
        for _ in range(20):
            scene.play.go_on(30)
            for connection in scene.server.client.client_list(_type="pubsub"):
                scene.server.client.client_kill_filter(_id=connection["id"])

        scene.check(hall)

        assert cutter.cuts > WATCHERS
    finally:
        hall.call(cutter.stop())
        hall.close()


def _connected(scene: Scene, path: str, receive_bytes: int) -> socket.socket:
    """A client that has asked for a stream and reads no further than its head."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.settimeout(30)
    client.connect(("127.0.0.1", scene.gateway.port))
    head = f"GET {path} HTTP/1.1\r\nHost: faults\r\nAuthorization: Bearer {scene.gateway.token}\r\n\r\n"
    client.sendall(head.encode())
    head_of_answer = b""
    while b"retry" not in head_of_answer:
        head_of_answer += client.recv(1)
    return client


@pytest.mark.parametrize("takes", ["everything", "nothing"])
def test_500_open_streams_do_not_hold_up_a_shutdown(scene: Scene, takes: str) -> None:
    path, clients = "/api/v2/triage/stream/case-0", list[socket.socket]()
    if takes == "everything":
        scene.play.add(0)
        scene.hall.watch(path, scene.gateway.token, 500)
        scene.until_heard(scene.hall)
    else:
        clients = [_connected(scene, path, 2_048) for _ in range(500)]
        channel = f"despacho:events:case:{TENANT}:case-0"
        wait_until(lambda: scene.server.client.pubsub_numsub(channel)[0][1] == 1, "they watch")
        # More events than all buffers between take, and fewer than a client is cut for.
        for _ in range(900):
            scene.play.add(0)

    start = monotonic()
    scene.gateway.process.signal(signal.SIGTERM)
    scene.gateway.process.wait()

    assert monotonic() - start < 3
    for client in clients:
        client.close()
