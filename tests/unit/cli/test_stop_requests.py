from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from cli.stop_requests import SAME_REQUEST_S, Stopped, StopRequests


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stop(clock: Clock) -> Iterator[StopRequests]:
    requests = StopRequests(clock)
    yield requests
    requests.close()


def test_a_second_request_hurries(stop: StopRequests, clock: Clock) -> None:
    stop.ask()
    assert (stop.asked, stop.hurried) == (True, False)

    clock.now += SAME_REQUEST_S + 0.1
    stop.ask()

    assert stop.hurried


def test_the_echo_of_a_request_does_not_hurry(stop: StopRequests, clock: Clock) -> None:
    stop.ask()
    clock.now += SAME_REQUEST_S / 2

    stop.ask()

    assert not stop.hurried


def test_a_request_ends_a_pause_at_once(stop: StopRequests) -> None:
    stop.ask()

    with pytest.raises(Stopped):
        stop.pause(timeout_s=3_600)


def test_what_can_be_read_ends_a_pause_at_once(stop: StopRequests) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x")

    stop.wait(3_600, reader)

    assert not stop.asked
    os.close(reader)
    os.close(writer)


def test_a_request_after_the_end_does_no_harm(stop: StopRequests) -> None:
    stop.close()

    stop.ask()

    assert stop.asked
