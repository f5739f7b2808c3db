"""Thousands of requests that schemathesis makes from the OpenAPI document, valid and not, alone and along its links,
against a gateway with a worker: no answer is a fault, and none is another than the document says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis

from middleware.worker import LaneWorker
from tasks.api_keys import SCOPES, ApiKeys
from tasks.settings import Settings
from tasks.webhooks import Webhooks
from tests.integration import conftest

ROOT = Path(__file__).resolve().parents[2]
SECONDS, CASES_AT_LEAST = 75, 2_000
LEFT_OUT = (
    # Streams, which their own tests read event by event.
    *("watchTask", "watchCase", "watchCaseAtOldPath", "watchTenant", "getBatchResults"),
    # It would keep all other tasks from ending.
    "pauseQueue",
)
MANY = 10_000_000

gateway, keys, worker = conftest.gateway, conftest.keys, conftest.worker
pytestmark = [
    pytest.mark.api,
    pytest.mark.skipif(find_spec("schemathesis") is None, reason="needs `uv sync --group api`"),
]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"rate_per_token": MANY, "rate_unauthenticated": MANY, "rate_logins": MANY})


def test_every_answer_is_one_that_the_document_tells(
    client: redis.Redis,
    settings: Settings,
    gateway: conftest.Gateway,
    keys: ApiKeys,
    worker: LaneWorker,
    tmp_path: Path,
) -> None:
    Webhooks(client, settings).make_secret("acme")
    _, token = keys.create("test", "acme", SCOPES)

    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *(
                "--config-file",
                str(ROOT / "tests" / "api" / "schemathesis.toml"),
                "run",
                f"{gateway.url}/openapi.json",
            ),
            *("--checks", "all", "--phases", "examples,coverage,fuzzing,stateful"),
            *("--max-time", str(SECONDS), "--request-timeout", "30"),
            *("--header", f"Authorization: Bearer {token}", "--no-color", "--warnings", "off"),
            *(part for operation in LEFT_OUT for part in ("--exclude-operation-id", operation)),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS * 4,
    )

    assert done.returncode == 0, done.stdout[-30_000:] + done.stderr[-2_000:]
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated is not None, done.stdout
    assert int(generated[1]) >= CASES_AT_LEAST
