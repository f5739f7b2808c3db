"""`despacho up --workers auto`: a flood makes the workers more, quiet makes them fewer, and every task ends once."""

from __future__ import annotations

from pathlib import Path

from cli.embedded import socket_url
from cli.state import read_state
from tasks.connection import connect
from tasks.ledger import Ledger
from tasks.lifecycle import State
from tasks.record import Task
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Client
from tests.system.service import RunningService
from tests.system.test_service import client_of

SOON = {
    "DESPACHO_WORKERS": "auto",
    "DESPACHO_MAX_PROCESSES": "2",
    "DESPACHO_SCALE_OUT_AFTER_S": "0.3",
    "DESPACHO_SCALE_IN_AFTER_S": "1",
}


def test_workers_come_with_a_flood_and_go_with_it(tmp_path: Path) -> None:
    def workers() -> list[str]:
        state = read_state(tmp_path / "data")
        assert state is not None
        return sorted(name for name, process in state.children.items() if "worker" in name and process.alive)

    with RunningService(tmp_path / "data", threads=1, **SOON) as service, client_of(service) as api:
        assert workers() == ["worker-1"]

        ids = flood(api, 700)
        wait_until(lambda: workers() == ["worker-1", "worker-2"], "a second worker", 30)
        wait_until(lambda: len(api.get("/api/workers").json()["workers"]) == 2, "it serves", 30)
        ids += flood(api, 100)
        wait_until(lambda: workers() == ["worker-1"], "the second has retired", 60)
        ids += flood(api, 5)
        for task_id in ids[-5:]:
            api.until(task_id, "succeeded")

        begun = [[event.event for event in task.events()].count("running") for task in records(service, ids)]
        assert begun == [1] * len(ids)
        assert {task.status for task in records(service, ids)} == {State.SUCCEEDED}
        log = (tmp_path / "data" / "logs" / "despacho.log").read_text()
        assert "worker-2 has retired with exit code 0" in log


def flood(api: Client, count: int) -> list[str]:
    told = {"kwargs": {"user_message": "Meu voo foi cancelado."}}
    tasks = [{"task_name": "triage.process_async", "args": [f"case-{n}"], **told} for n in range(count)]
    answer = api.post("/api/tasks/bulk", json={"tasks": tasks})
    assert answer.status_code == 202, answer.text
    return list(answer.json()["task_ids"])


def records(service: RunningService, ids: list[str]) -> list[Task]:
    state = read_state(service.data_dir)
    assert state is not None
    assert state.socket is not None
    settings = Settings(redis_url=socket_url(state.socket))
    with connect(settings) as client:
        return Ledger(client, settings).tasks(ids)
