"""Delivers notices to the people who run the service: an e-mail, or a POST that Slack and its kin understand.

One run is one attempt in one way; the retries and dead letters are those of any task. The address of the webhook and
the mail server are the operator's own settings and so are trusted: they may lie in the operator's network, which a
client's callback may not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors import mail
from actors.mail import Attached
from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.callbacks import Callback, check_callback, place, place_of
from tasks.errors import NoticeRefused, WebhookFailed
from tasks.payloads import NoticeAttachment, NoticePayload, NoticeResult
from tasks.record import compact_json
from tasks.settings import Settings

if TYPE_CHECKING:
    from actors.engines.http.courier import Courier

MOST_ATTACHED_BYTES = 10 << 20
MEDIA_TYPES = {"html": "text/html", "json": "application/json", "csv": "text/csv"}
GONE = 410


def send(run: Run, payload: NoticePayload, tools: Toolbox) -> NoticeResult:
    """One attempt. Raises `NoticeFailed` or `WebhookFailed` where another may help."""
    return deliver(run.task_id, payload, tools, run.number - 1 - run.started.retries)


def deliver(notice_id: str, payload: NoticePayload, tools: Toolbox, put_off_before: int = 0) -> NoticeResult:
    """The attempt itself, also for who has no run: the watch that tells that no worker is left. Raises as `send`."""
    if payload.way == "email":
        return _by_email(notice_id, payload, tools, put_off_before)
    return _by_webhook(notice_id, payload, tools, put_off_before)


# ------------------------------------------------------------------------------------------------ e-mail


def _by_email(notice_id: str, payload: NoticePayload, tools: Toolbox, put_off_before: int) -> NoticeResult:
    settings = tools.settings
    if settings.smtp_host is None:
        raise NoticeRefused("no mail server is set. Check DESPACHO_SMTP_HOST")
    attached, missing = _attached(payload, tools)
    text = "\n\n".join([_with_fields(payload), *missing])
    told = mail.message(settings, notice_id, payload.subject, text, payload.html, attached, payload.to)
    with tools.webhook_doors.through(place(settings.smtp_host, settings.smtp_port), put_off_before):
        return NoticeResult(outcome="sent", refused=mail.send(settings, told))


def _with_fields(payload: NoticePayload) -> str:
    lines = [f"{field.title}: {field.value}" for field in payload.fields]
    return "\n".join([payload.text, "", *lines]) if lines else payload.text


def _attached(payload: NoticePayload, tools: Toolbox) -> tuple[list[Attached], list[str]]:
    """The reports that are named, and a sentence for each that can't go with it: the notice is sent all the same."""
    attached, missing, room = list[Attached](), list[str](), MOST_ATTACHED_BYTES
    for wanted in payload.attachments:
        content = _content(wanted, tools)
        if content is None:
            missing.append(f"The report {wanted.report_id}.{wanted.form} is not kept any more.")
        elif len(content) > room:
            missing.append(f"The report {wanted.report_id}.{wanted.form} is too large to be sent.")
        else:
            room -= len(content)
            name = wanted.filename or f"report-{wanted.report_id}.{wanted.form}"
            attached.append(Attached(name, MEDIA_TYPES[wanted.form], content))
    return attached, missing


def _content(wanted: NoticeAttachment, tools: Toolbox) -> bytes | None:
    report = tools.reports.read(wanted.report_id)
    if report is None:
        return None
    # Imported where it is needed: it brings the languages with it.
    from tasks.report_forms import as_form

    return as_form(report, wanted.form, tools.settings.report_language)


# ----------------------------------------------------------------------------------------------- webhook


def _by_webhook(notice_id: str, payload: NoticePayload, tools: Toolbox, put_off_before: int) -> NoticeResult:
    courier, to = _webhook(tools.settings)
    headers = {"Content-Type": "application/json", "Idempotency-Key": notice_id}
    body = compact_json(webhook_body(payload)).encode()
    with tools.webhook_doors.through(to.place, put_off_before):
        answer = courier.post(to, headers, body, tools.settings.webhook_timeout_s)
    if answer.status == GONE:
        raise NoticeRefused("http 410. Check DESPACHO_NOTICE_WEBHOOK_URL")
    if not 200 <= answer.status < 300:
        raise WebhookFailed(f"http {answer.status}", answer.retry_after_s)
    return NoticeResult(outcome="sent")


def _webhook(settings: Settings) -> tuple[Courier, Callback]:
    """What sends to the operator's own address, whatever it resolves to."""
    if settings.notice_webhook_url is None:
        raise NoticeRefused("no webhook is set. Check DESPACHO_NOTICE_WEBHOOK_URL")
    from actors.engines.http.courier import Courier

    url = settings.notice_webhook_url.get_secret_value()
    trusted = (place_of(url),)
    return Courier(trusted), check_callback(url, trusted)


def webhook_body(payload: NoticePayload) -> dict[str, Any]:
    """What Slack, Mattermost and Rocket.Chat take: a text, and fields in an attachment."""
    body: dict[str, Any] = {"text": _escaped(f"*{payload.subject}*\n{payload.text}")}
    fields = [
        {"title": field.title, "value": _escaped(field.value), "short": len(field.value) < 40}
        for field in payload.fields
    ]
    if fields:
        body["attachments"] = [{"color": payload.color or "#777777", "fallback": payload.subject, "fields": fields}]
    return body


def _escaped(text: str) -> str:
    """Slack's three characters, so that nothing in a text becomes a link or calls a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
