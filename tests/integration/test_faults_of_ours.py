"""A fault of ours costs the caller nothing but the answer."""

from __future__ import annotations

import logging

import pytest

from tasks.reader import Reader
from tests.integration.conftest import Client


def test_it_is_logged_with_the_request_id_and_told_without_details(
    api: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*arguments: object) -> None:
        raise RuntimeError("segredo")

    monkeypatch.setattr(Reader, "workers", broken)
    with caplog.at_level(logging.ERROR):
        answer = api.get("/readyz", headers={"X-Request-ID": "req-7"})

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "req-7"
    assert "segredo" not in answer.text
    assert any("req-7" in record.getMessage() for record in caplog.records)
