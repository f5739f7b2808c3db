"""A webhook as a client meets it: the secret from the command line, the real service, and the README's check."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import wait_until
from tests.receiver import Receiver, authority, served_as
from tests.system.service import ROOT, RunningService


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    ca, bundle = authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    receiver = Receiver(tls=served_as(ca, "localhost"))
    yield receiver
    receiver.close()


def secret_from_the_command_line(data_dir: Path) -> str:
    command = [sys.executable, "-m", "cli.main", "webhooks", "secret", "--data-dir", str(data_dir)]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()[-1]


def test_a_client_is_told_the_end_of_its_task(tmp_path: Path, receiver: Receiver) -> None:
    allowed = json.dumps([f"localhost:{receiver.port}"])
    url = f"https://localhost:{receiver.port}/hooks"
    wanted = {
        "task_name": "triage.process_async",
        "args": ["case-1"],
        "kwargs": {"user_message": "Fui demitida ontem, estou grávida de três meses."},
        "callback_url": url,
    }
    with (
        RunningService(tmp_path / "data", DESPACHO_WEBHOOK_ALLOWED_HOSTS=allowed) as service,
        httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {service.key}"}) as api,
    ):
        assert api.post("/api/tasks/queue", json=wanted).status_code == 422
        secret = secret_from_the_command_line(service.data_dir)
        task_id = api.post("/api/tasks/queue", json=wanted).json()["task_id"]
        wait_until(lambda: receiver.received, "the receiver is told", 60)
        log = f"/api/tasks/{task_id}/log"
        wait_until(lambda: api.get(log).json()["events"][-1]["event"] == "webhook_delivered", "the log says so")

    (received,) = receiver.received
    assert received.is_signed_with(secret)
    assert received.json["data"]["task_id"] == task_id
    assert "grávida".encode() not in received.body
