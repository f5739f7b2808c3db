"""A receiver may do what it likes: the courier comes back in time, and reaches no address that was not checked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from time import monotonic

import httpx
import pytest
import trustme

from actors.engines.http import courier as module
from actors.engines.http.courier import Answer, Courier
from tasks.callbacks import Callback
from tasks.errors import WebhookFailed
from tests import receiver as replies
from tests.receiver import Receiver, Reply, authority, served_as

HOST = "app.example"
LIMIT_S = 0.5
LATE_S = 0.6
"""For a busy machine; the reading of a body may last a second more and would be seen."""

Open = Callable[..., Receiver]


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    return authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def opened() -> Iterator[Open]:
    with ExitStack() as stack:

        def open_receiver(*arguments: object, **named: object) -> Receiver:
            receiver = Receiver(*arguments, **named)  # type: ignore[arg-type]
            stack.callback(receiver.close)
            return receiver

        yield open_receiver


@pytest.fixture
def receiver(opened: Open, ca: tuple[trustme.CA, Path]) -> Receiver:
    return opened(tls=served_as(ca[0], HOST))


class Names:
    """A resolver that gives its answers in order, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def trusting(bundle: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(bundle))


def to(receiver: Receiver, scheme: str = "https", host: str = HOST, target: str = "/hooks?a=%20b") -> Callback:
    return Callback(scheme, host, receiver.port, target)


def courier(ca: tuple[trustme.CA, Path], callback: Callback, names: Names | None = None) -> Courier:
    """One that the operator allows to reach this receiver."""
    return Courier((callback.place,), names or Names(["127.0.0.1"]), trusting(ca[1]))


def send(courier: Courier, callback: Callback, within_s: float = 5.0) -> Answer:
    return courier.post(callback, {"webhook-id": "x"}, b'{"ol\xc3\xa1":1}', within_s)


def fails(courier: Courier, callback: Callback, within_s: float = 5.0) -> str:
    with pytest.raises(WebhookFailed) as failure:
        send(courier, callback, within_s)
    assert "SECRET" not in str(failure.value)
    return failure.value.reason


def test_the_request_comes_whole_under_the_name_of_the_host(receiver: Receiver, ca: tuple[trustme.CA, Path]) -> None:
    callback = to(receiver)

    answer = send(courier(ca, callback), callback)

    (received,) = receiver.received
    assert answer == Answer(200, None)
    assert received.path == "/hooks?a=%20b"
    assert received.body == b'{"ol\xc3\xa1":1}'
    assert received.headers["Host"] == f"{HOST}:{receiver.port}"
    assert received.headers["webhook-id"] == "x"


@pytest.mark.parametrize(
    "reply", [replies.silence, replies.drip_of_headers, replies.endless_continue], ids=lambda reply: reply.__name__
)
def test_a_receiver_that_takes_its_time_gets_no_more_than_the_limit(
    receiver: Receiver, ca: tuple[trustme.CA, Path], reply: Reply
) -> None:
    receiver.replies = [reply]
    callback = to(receiver)
    sender = courier(ca, callback)

    began = monotonic()
    reason = fails(sender, callback, LIMIT_S)

    assert reason == "timeout"
    assert monotonic() - began < LIMIT_S + LATE_S


@pytest.mark.parametrize(
    "reply",
    [replies.drip_of_a_body, replies.huge_body, replies.endless_chunks, replies.cut_in_the_body],
    ids=lambda reply: reply.__name__,
)
def test_what_follows_the_status_changes_nothing_and_is_hardly_read(
    receiver: Receiver, ca: tuple[trustme.CA, Path], reply: Reply
) -> None:
    receiver.replies = [reply]
    callback = to(receiver)
    sender = courier(ca, callback)

    began = monotonic()
    answer = send(sender, callback, LIMIT_S)

    assert answer.status == 200
    assert monotonic() - began < LIMIT_S + LATE_S


def test_of_a_huge_body_no_more_is_read_than_what_the_sockets_hold(
    receiver: Receiver, ca: tuple[trustme.CA, Path]
) -> None:
    receiver.replies = [replies.huge_body]
    callback = to(receiver)

    send(courier(ca, callback), callback)

    assert receiver.sent < 16 << 20


@pytest.mark.parametrize(
    "reply", [replies.huge_headers, replies.nonsense, replies.reset], ids=lambda reply: reply.__name__
)
def test_what_is_no_answer_fails(receiver: Receiver, ca: tuple[trustme.CA, Path], reply: Reply) -> None:
    receiver.replies = [reply]
    callback = to(receiver)

    assert fails(courier(ca, callback), callback) == "connection broken"


def test_a_redirect_is_an_answer_like_any_other(receiver: Receiver, ca: tuple[trustme.CA, Path]) -> None:
    receiver.replies = [replies.status(302, Location="http://169.254.169.254/latest/meta-data")]
    callback = to(receiver)
    names = Names(["127.0.0.1"])

    assert send(courier(ca, callback, names), callback).status == 302
    assert names.asked == [HOST]
    assert len(receiver.received) == 1


def test_retry_after_is_heard(receiver: Receiver, ca: tuple[trustme.CA, Path]) -> None:
    receiver.replies = [replies.status(429, Retry_After="120")]
    callback = to(receiver)

    assert send(courier(ca, callback), callback) == Answer(429, 120)


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.1.2.3"], ["169.254.169.254"], ["::1"], ["::ffff:127.0.0.1"], ["8.8.8.8", "127.0.0.1"]],
)
def test_a_name_with_a_private_address_is_not_asked(
    receiver: Receiver, ca: tuple[trustme.CA, Path], addresses: list[str]
) -> None:
    sender = Courier((), Names(addresses), trusting(ca[1]))

    assert fails(sender, to(receiver)) == "the host has an address that is not allowed"
    assert not receiver.received


def test_the_system_itself_resolves_no_name_of_this_machine_for_a_client(ca: tuple[trustme.CA, Path]) -> None:
    for host in ("localhost", "127.1", "0x7f000001", "2130706433", "0"):
        reason = fails(Courier((), tls=trusting(ca[1])), Callback("https", host, 443, "/"))
        assert reason in ("the host has an address that is not allowed", "unknown host")


def test_a_name_that_changes_its_address_is_reached_where_it_was_checked(
    opened: Open, ca: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the first answer is fit, the next one leads inside."""
    monkeypatch.setattr(module, "is_public", lambda address: address == "127.0.0.2")
    outside = opened("127.0.0.2", tls=served_as(ca[0], HOST))
    inside = opened("127.0.0.1", outside.port, tls=served_as(ca[0], HOST))
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    sender = Courier((), names, trusting(ca[1]))

    assert send(sender, to(outside)).status == 200
    assert names.asked == [HOST]
    assert fails(sender, to(outside)) == "the host has an address that is not allowed"
    assert (len(outside.received), len(inside.received)) == (1, 0)


def test_the_next_address_is_tried_where_nobody_answers_at_the_first(
    receiver: Receiver, ca: tuple[trustme.CA, Path]
) -> None:
    callback = to(receiver)

    assert send(courier(ca, callback, Names(["127.0.0.9", "127.0.0.1"])), callback).status == 200


def test_name_servers_that_take_their_time_hold_up_nobody_else(
    receiver: Receiver, ca: tuple[trustme.CA, Path]
) -> None:
    released = Event()

    async def stuck(host: str, port: int) -> Sequence[str]:
        await asyncio.get_running_loop().run_in_executor(None, released.wait, 30)
        return []

    slow, callback = Courier((), stuck, trusting(ca[1])), to(receiver)
    try:
        for _ in range(12):
            assert fails(slow, callback, 0.01) == "timeout"
        by_the_system = Courier((f"localhost:{receiver.port}",), tls=trusting(ca[1]))
        assert "certificate" in fails(by_the_system, to(receiver, host="localhost"), 2)
    finally:
        released.set()


def test_nobody_at_any_address_is_told(ca: tuple[trustme.CA, Path]) -> None:
    callback = Callback("https", HOST, 1, "/")

    assert fails(courier(ca, callback), callback) == "unreachable"
    assert fails(courier(ca, callback, Names([])), callback) == "unreachable"


def test_the_certificate_must_be_the_hosts(opened: Open, ca: tuple[trustme.CA, Path]) -> None:
    other = opened(tls=served_as(ca[0], "other.example"))
    callback = to(other)

    assert "certificate" in fails(courier(ca, callback), callback)
    assert not other.received


def test_the_certificate_must_be_of_a_trusted_authority(receiver: Receiver) -> None:
    callback = to(receiver)

    reason = fails(Courier((callback.place,), Names(["127.0.0.1"]), httpx.create_ssl_context()), callback)

    assert "certificate" in reason
    assert not receiver.received


def test_a_receiver_without_tls_is_reached_where_the_operator_allows_it(
    opened: Open, ca: tuple[trustme.CA, Path]
) -> None:
    plain = opened()
    callback = to(plain, scheme="http")

    assert send(courier(ca, callback), callback).status == 200


def test_no_proxy_of_the_environment_is_asked(
    receiver: Receiver, opened: Open, ca: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = opened()
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    callback = to(receiver)

    assert send(courier(ca, callback), callback).status == 200
    assert not proxy.received
