"""One question, one deadline, whatever the provider does with its time; and an interrupt ends the wait."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest
from dramatiq.middleware.threading import raise_thread_exception
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.http.exchange import LONGEST_RETRY_AFTER_S, Deadline, Exchange, retry_after_s
from middleware.interrupts import Interrupts
from middleware.run import Cancelled
from tasks.errors import ProviderFailed, ProviderRefused
from tasks.ledger import Hold
from tests.conftest import wait_until
from tests.unit.providers import fake as replies
from tests.unit.providers.conftest import Exchanges
from tests.unit.providers.fake import FakeProvider, Reply

LIMIT_S = 0.4
LATE_S = 0.35
"""For a busy machine; a wait of a second on top would still be seen."""


def ask(exchange: Exchange, question: Any = "?", limit_s: float = LIMIT_S) -> dict[str, Any]:
    return exchange.ask("/embeddings", {"input": question}, Deadline.after(limit_s), 1 << 20)


def fails_in_time(exchange: Exchange, question: Any = "?") -> str:
    began = monotonic()
    with pytest.raises(ProviderFailed) as failure:
        ask(exchange, question)
    assert monotonic() - began < LIMIT_S + LATE_S
    return failure.value.reason


@pytest.mark.parametrize(
    "reply",
    [
        replies.silence,
        replies.silence_in_the_middle,
        replies.endless_headers,
        replies.endless_continue,
        replies.drip,
        replies.slow_503,
    ],
)
def test_a_provider_that_takes_its_time_gets_no_more_than_the_limit(
    fake: FakeProvider, exchange: Exchanges, reply: Reply
) -> None:
    fake.replies = [reply]
    assert fails_in_time(exchange()) == "timeout"


@pytest.fixture
def deaf() -> Iterator[socket.socket]:
    """A socket that takes connections and never reads."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def port(server: socket.socket) -> int:
    return int(server.getsockname()[1])


def test_a_provider_that_does_not_read_gets_no_more_than_the_limit(deaf: socket.socket, exchange: Exchanges) -> None:
    assert fails_in_time(exchange(url=f"http://127.0.0.1:{port(deaf)}"), "x" * (32 << 20)) == "timeout"


def test_a_handshake_without_end_gets_no_more_than_the_limit_and_is_closed(
    deaf: socket.socket, exchange: Exchanges
) -> None:
    gc.disable()
    try:
        assert fails_in_time(exchange(url=f"https://127.0.0.1:{port(deaf)}")) == "timeout"
        taken, _ = deaf.accept()
        with taken:
            taken.settimeout(2)
            while taken.recv(65_536):
                pass
    finally:
        gc.enable()


def test_a_provider_without_tls_is_not_spoken_to(fake: FakeProvider, exchange: Exchanges) -> None:
    assert fails_in_time(exchange(url=fake.url.replace("http:", "https:"))) == "unreachable"
    assert fake.asked == []


@pytest.mark.parametrize("proxy", ["nonsense://proxy.example", "socks5://proxy.example"])
def test_a_proxy_that_makes_no_sense_is_a_failure_like_others(
    exchange: Exchanges, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    assert fails_in_time(exchange(url="http://llm.example")) == "request impossible"


def test_an_address_that_is_none_is_refused(exchange: Exchanges) -> None:
    with pytest.raises(ProviderRefused, match=r"address impossible\. Check DESPACHO_LLM_URL"):
        ask(exchange(url="http://[::1"))


def test_a_provider_that_takes_no_connection_gets_no_more_than_the_limit(exchange: Exchanges) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        assert fails_in_time(exchange(url=f"http://127.0.0.1:{port(server)}")) == "timeout"


class Interrupted(BaseException):
    pass


def interrupted_while_it_waits(exchange: Exchange, fake: FakeProvider) -> float:
    """Ask from a thread, interrupt it, and say how long that took to be heard."""
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            ask(exchange, limit_s=25)
        except BaseException as error:
            ended.append(error)

    waiting = Thread(target=wait)
    waiting.start()
    wait_until(lambda: fake.asked, "the provider was asked")
    began = monotonic()
    raise_thread_exception(waiting.ident, Interrupted)  # type: ignore[no-untyped-call]
    waiting.join(10)
    assert [type(error) for error in ended] == [Interrupted]
    return monotonic() - began


@pytest.mark.parametrize(
    "reply", [replies.silence, replies.silence_in_the_middle, replies.status(503, Retry_After="20")]
)
def test_an_interrupt_is_heard_while_the_provider_is_waited_for(
    fake: FakeProvider, exchange: Exchanges, reply: Reply
) -> None:
    fake.replies = [reply]
    assert interrupted_while_it_waits(exchange(), fake) < 0.3


def test_an_interrupt_closes_the_connection_and_spoils_no_other(fake: FakeProvider, exchange: Exchanges) -> None:
    fake.replies = [replies.silence, replies.answer({"fresh": True})]
    shared = exchange()
    interrupted_while_it_waits(shared, fake)
    wait_until(fake.hung_up.is_set, "the client hangs up", 1)
    assert ask(shared) == {"fresh": True}


def test_interrupts_at_any_moment_leave_nothing_locked(fake: FakeProvider, exchange: Exchanges) -> None:
    fake.replies = [replies.answer({"fresh": True})]
    shared, interrupts = exchange(), Interrupts()

    def run(hold: Hold) -> None:
        with suppress(Cancelled):
            try:
                interrupts.enter(hold)
                ask(shared, limit_s=25)
            finally:
                interrupts.leave(hold)

    def run_interrupted(number: int) -> None:
        hold = Hold(str(number), 1, "worker", "demo.normal")
        running = Thread(target=run, args=[hold])
        running.start()
        sleep(number % 40 / 10_000)
        interrupts.interrupt(hold, Cancelled)
        running.join(20)
        assert not running.is_alive()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run_interrupted, range(600)))
    assert ask(shared) == {"fresh": True}


@pytest.mark.parametrize(
    ("status", "settings"),
    [
        (401, "DESPACHO_LLM_KEY"),
        (403, "DESPACHO_LLM_KEY"),
        (400, "DESPACHO_LLM_MODEL"),
        (404, "DESPACHO_LLM_URL and DESPACHO_LLM_MODEL"),
        (302, "DESPACHO_LLM_URL and DESPACHO_LLM_MODEL"),
    ],
)
def test_a_refusal_names_the_setting_and_opens_no_circuit(
    fake: FakeProvider, exchange: Exchanges, status: int, settings: str
) -> None:
    fake.replies = [replies.status(status, Location="http://127.0.0.1:1/")]
    shared = exchange()
    for _ in range(7):
        with pytest.raises(ProviderRefused) as refusal:
            ask(shared)
        assert (
            str(refusal.value) == f"the provider of some-model refused the request: http {status}. Check {settings}."
        )
    assert len(fake.asked) == 7


def test_what_a_busy_provider_asks_for_is_handed_on(fake: FakeProvider, exchange: Exchanges) -> None:
    fake.replies = [replies.status(503, Retry_After="90"), replies.status(503)]
    with pytest.raises(ProviderFailed) as failure:
        ask(exchange())
    assert failure.value.retry_after_s == 90
    with pytest.raises(ProviderFailed) as failure:
        ask(exchange())
    assert failure.value.retry_after_s is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4,9} \d\d:\d\d:\d\d [+-]\d{1,9}"))
def test_any_retry_after_is_bounded_or_none(header: str) -> None:
    asked = retry_after_s(header)
    assert asked is None or 0 <= asked <= LONGEST_RETRY_AFTER_S


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("3", 3.0),
        ("9" * 400, LONGEST_RETRY_AFTER_S),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER_S),
        ("-1", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, asked: float | None) -> None:
    assert retry_after_s(header) == asked
