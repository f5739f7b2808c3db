from __future__ import annotations

import os

import pytest

from tasks.readiness import READY_FD, announce_ready


def test_the_word_is_given_once_and_the_pipe_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setenv(READY_FD, str(writer))

    announce_ready()
    announce_ready()

    assert os.read(reader, 100) == b"ready\n"
    assert os.read(reader, 100) == b""
    assert READY_FD not in os.environ
    os.close(reader)


def test_without_a_supervisor_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(READY_FD, raising=False)

    announce_ready()

    assert READY_FD not in os.environ


def test_a_supervisor_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setenv(READY_FD, str(writer))

    announce_ready()

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writer)


@pytest.mark.parametrize("value", ["", "-1", "stdout", "999999999", "9" * 40])
def test_a_number_that_is_no_pipe_is_no_error(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(READY_FD, value)

    announce_ready()

    assert READY_FD not in os.environ
