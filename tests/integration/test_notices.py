"""Notices from the call that queues them to the mail server and the webhook's receiver, on real sockets."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from actors import notices, reports
from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from middleware.broker import build_broker
from middleware.worker import LaneWorker
from tasks import notices as book
from tasks.catalog import CATALOG, NOTICE_TASK
from tasks.errors import SettingsError
from tasks.keys import Keys
from tasks.ledger import Ledger
from tasks.notices import Notice, payload_of, send_notice, task_id_of
from tasks.payloads import NoticeAttachment
from tasks.report_mail import notice_of
from tasks.reports import ReportBook
from tasks.schedules import SlotBook
from tasks.settings import Settings
from tasks.submission import Order, check
from tests import receiver as replies
from tests.conftest import wait_until
from tests.receiver import Receiver, authority, served_as
from tests.sample_report import full

KEYS = Keys("despacho")
REPORT = NoticeAttachment(report_id="r-1", form="html")


class Postbox:
    """A mail server's mind: keeps what comes, and answers as a test wants."""

    def __init__(self) -> None:
        self.came: list[EmailMessage] = []
        self.answers: list[str] = []
        self.refuses: set[str] = set()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address in self.refuses:
            return "550 no such mailbox SECRET"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.came.append(cast(EmailMessage, message_from_bytes(envelope.content, policy=policy.default)))
        return answer


@pytest.fixture
def postbox() -> Postbox:
    return Postbox()


def free_port() -> int:
    with socket.create_server(("localhost", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def mail_port(postbox: Postbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Over STARTTLS, with a certificate of an authority of the test, for one user with a password."""
    ca, bundle = authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    context: ssl.SSLContext = served_as(ca, "localhost")

    def knows(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        return AuthResult(success=(given.login, given.password) == (b"despacho", b"senha"))

    controller = Controller(
        postbox,
        hostname="localhost",
        port=free_port(),
        tls_context=context,
        require_starttls=True,
        authenticator=knows,
        auth_required=True,
    )
    controller.start()
    yield controller.port
    controller.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def settings(redis_url: str, tmp_path: Path, mail_port: int, receiver: Receiver) -> Settings:
    return Settings(
        redis_url=redis_url,
        data_dir=tmp_path / "data",
        smtp_host="localhost",
        smtp_port=mail_port,
        smtp_user="despacho",
        smtp_password="senha",  # type: ignore[arg-type]
        smtp_from="despacho@app.example",
        smtp_to=("ops@app.example", "gone@app.example"),
        smtp_timeout_s=2,
        report_to=("partners@app.example",),
        # An operator's own: a private address, in clear.
        notice_webhook_url=f"http://127.0.0.1:{receiver.port}/services/T0/secret",  # type: ignore[arg-type]
    )


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings) -> Ledger:
    return Ledger(client, settings)


@pytest.fixture(autouse=True)
def worker(client: redis.Redis, settings: Settings) -> Iterator[LaneWorker]:
    broker = build_broker(settings)
    tools = Toolbox(broker.ledger, settings)
    for declared in (Declared(NOTICE_TASK, notices.send), Declared("reports.generate", reports.generate)):
        declare(broker, declared, tools)
    worker = LaneWorker(broker, 2)
    with ExitStack() as stack:
        worker.start()
        stack.callback(worker.drain, 0)
        yield worker


@pytest.fixture(autouse=True)
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once, two at most."""
    monkeypatch.setattr(book, "Order", _impatient)


_order = book.Order


def _impatient(*given: Any, **named: Any) -> Any:
    quick = {"max_retries": 1, "min_backoff_s": 0.01, "max_backoff_s": 0.02}
    return _order(*given, **named, retry_config=quick)


def status(client: redis.Redis, task_id: str) -> str:
    raw = client.hget(KEYS.of("task", id=task_id), "status")
    return cast(bytes, raw).decode() if raw else ""


def become(client: redis.Redis, task_id: str, wanted: str) -> None:
    wait_until(lambda: status(client, task_id) == wanted, f"the notice is {wanted}")


def test_a_notice_goes_both_ways_once_with_its_report(
    client: redis.Redis, settings: Settings, ledger: Ledger, postbox: Postbox, receiver: Receiver
) -> None:
    ReportBook(client, settings).keep("r-1", full())
    gone = NoticeAttachment(report_id="r-0", form="json")
    told = Notice(
        "report/r-1",
        "Relatório diário\r\nBcc: victim@app.example",
        "Tudo <bem> & em dia.",
        "<p>Tudo bem.</p>",
        fields=(("Sucesso", "99 %"),),
        attachments=(REPORT, gone),
    )
    postbox.refuses.add("gone@app.example")

    by_mail, by_webhook = send_notice(ledger, settings, told)
    assert send_notice(ledger, settings, told) == [by_mail, by_webhook]
    become(client, by_mail, "succeeded")
    become(client, by_webhook, "succeeded")

    (mail,) = postbox.came
    assert mail["Message-ID"] == f"<{by_mail}@app.example>"
    assert mail["Subject"] == "Relatório diário Bcc: victim@app.example"
    assert mail["Bcc"] is None
    assert mail["Auto-Submitted"] == "auto-generated"
    plain, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert "Sucesso: 99 %" in plain.get_content()
    assert "r-0.json is not kept any more" in plain.get_content()
    assert page is not None
    assert page.get_content().strip() == "<p>Tudo bem.</p>"
    (attached,) = mail.iter_attachments()
    assert attached.get_filename() == "report-r-1.html"
    assert "<h1>Relatório diário</h1>" in attached.get_content()
    (posted,) = receiver.received
    assert posted.headers["Idempotency-Key"] == by_webhook
    assert "Tudo &lt;bem&gt; &amp; em dia." in posted.json["text"]
    assert posted.json["attachments"][0]["fields"] == [{"title": "Sucesso", "value": "99 %", "short": True}]


def test_a_scheduled_report_is_sent_once_in_words_with_its_page_and_table(
    client: redis.Redis, settings: Settings, ledger: Ledger, postbox: Postbox, receiver: Receiver
) -> None:
    # given a mail server and a receiver that are away for a moment, and a slot of the schedule that comes
    postbox.answers = ["451 later"]
    receiver.replies = [replies.status(503), replies.status(200)]
    book = SlotBook(ledger, settings)
    daily = next(schedule for schedule in book.schedules if schedule.name == "daily-report")
    report_id = book.submit(daily, dt.datetime.now(dt.UTC))
    asked = Order("reports.generate", kwargs={"kind": "daily"}, tenant="acme")
    (by_hand,) = ledger.submit([check(asked, CATALOG)]).task_ids

    # when both reports are written, and what was sent is sent again after its notices were forgotten
    become(client, report_id, "succeeded")
    become(client, by_hand, "succeeded")
    ids = [task_id_of(f"report/{report_id}", way) for way in ("email", "webhook")]
    for task_id in ids:
        become(client, task_id, "succeeded")
    kept = ReportBook(client, settings).read(report_id)
    assert kept is not None
    client.delete(*(KEYS.of("task", id=task_id) for task_id in ids))
    reports.tell(kept, Toolbox(ledger, settings))

    # then one mail came, to those whom reports go to, and one notice at the receiver
    assert not client.exists(*(KEYS.of("task", id=task_id) for task_id in ids))
    (mail,) = postbox.came
    assert mail["To"] == "partners@app.example"
    assert mail["Subject"] == "Relatório diário: Nenhuma tarefa terminou neste período."
    plain, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert "Tarefas terminadas: 0 (antes 0)" in plain.get_content()
    assert page is not None
    assert "Nenhuma tarefa terminou neste período." in page.get_content()
    attached = {file.get_content_type(): file for file in mail.iter_attachments()}
    assert "<h1>Relatório diário</h1>" in attached["text/html"].get_content()
    table = attached["text/csv"]
    assert table.get_filename() == f"despacho-daily-{kept['from'][:10]}.csv"
    assert table.get_content().startswith("\ufefffrom,until,what,name,")
    assert len({posted.headers["Idempotency-Key"] for posted in receiver.received}) == 1
    assert "*Relatório diário: Nenhuma tarefa terminou" in receiver.received[-1].json["text"]


def test_the_words_of_a_mail_stay_small_and_what_is_hostile_in_them_is_text(settings: Settings) -> None:
    hostile = "<script>alert(1)</script>\r\nBcc: victim@app.example"
    notice = notice_of(full("weekly", hostile), settings)

    assert "<script" not in notice.html
    assert "&lt;script" in notice.html
    assert len(payload_of(notice, "email").model_dump_json()) < 20_000
    assert [each.filename for each in notice.attachments] == [
        "despacho-weekly-2026-11-16.html",
        "despacho-weekly-2026-11-16.csv",
    ]


def test_what_may_pass_is_repeated_as_the_same_notice_and_what_does_not_is_a_dead_letter(
    client: redis.Redis, settings: Settings, ledger: Ledger, postbox: Postbox, receiver: Receiver
) -> None:
    postbox.answers = ["451 later SECRET"]
    receiver.replies = [replies.status(503), replies.status(200)]
    by_mail, by_webhook = send_notice(ledger, settings, Notice("n-1", "Aviso", "Texto"))
    become(client, by_mail, "succeeded")
    become(client, by_webhook, "succeeded")
    assert [each.headers["Idempotency-Key"] for each in receiver.received] == [by_webhook] * 2
    assert len(postbox.came) == 1

    postbox.answers = ["554 no SECRET"]
    receiver.replies = [replies.status(410)]
    by_mail, by_webhook = send_notice(ledger, settings, Notice("n-2", "Aviso", "Texto"))
    become(client, by_mail, "failed")
    become(client, by_webhook, "failed")
    assert len(receiver.received) == 3
    for task_id in (by_mail, by_webhook):
        error = cast(bytes, client.hget(KEYS.of("task", id=task_id), "error"))
        assert b"SECRET" not in error
        assert b"secret" not in error


def test_without_a_way_nothing_is_queued(client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    nowhere = Settings(redis_url=redis_url, data_dir=tmp_path / "data")
    assert send_notice(Ledger(client, nowhere), nowhere, Notice("n-1", "Aviso", "Texto")) == []
    assert client.scard(KEYS.of("tenants")) == 0


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"smtp_host": "mail"}, "DESPACHO_SMTP_FROM is missing"),
        ({"smtp_host": "mail", "smtp_from": "a@b", "smtp_to": ["a b@c"]}, "DESPACHO_SMTP_TO is wrong"),
        ({"smtp_host": "mail", "smtp_from": "a@b", "smtp_to": ["a@b"], "smtp_user": "u"}, "belong together"),
        (
            {
                "smtp_host": "mail",
                "smtp_from": "a@b",
                "smtp_to": ["a@b"],
                "smtp_user": "u",
                "smtp_password": "p",
                "smtp_tls": "none",
            },
            "over TLS alone",
        ),
        ({"notice_webhook_url": "hooks.example/secret"}, "DESPACHO_NOTICE_WEBHOOK_URL is wrong"),
    ],
)
def test_what_is_set_by_half_or_wrong_stops_the_start(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named) as raised:
        Settings.load(**wrong)
    assert "secret" not in str(raised.value)
