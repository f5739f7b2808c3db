"""Notices to the people who run the service: what is told, by which ways, and the tasks that deliver it.

Each way (e-mail, webhook) has a task of its own, `notices.send`, whose id follows from the notice's: who tells the
same notice again queues nothing twice, and the receiver sees the same Message-ID or Idempotency-Key at every attempt.
The sending itself is `actors/notices.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from tasks.catalog import CATALOG, NOTICE_TASK
from tasks.ledger import Ledger
from tasks.lifecycle import Priority
from tasks.payloads import NoticeAttachment, NoticeField, NoticePayload
from tasks.settings import Settings
from tasks.submission import SYSTEM_TENANT, NewTask, Order, check

Way = Literal["email", "webhook"]


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told. `notice_id` names the occasion (a slot, a report, a change of an alert): one id is told once.

    `fields` are pairs of a title and a value. `attachments` are reports, by id: they are read when they are sent, and
    only e-mail takes them. `html` is for e-mail too; what shows no HTML shows `text`. `to` are other addresses than
    those that are set for notices.
    """

    notice_id: str
    subject: str
    text: str
    html: str = ""
    fields: Sequence[tuple[str, str]] = ()
    attachments: Sequence[NoticeAttachment] = ()
    color: str = ""
    to: Sequence[str] = ()


def ways(settings: Settings) -> tuple[Way, ...]:
    """The ways that are set up; none by default."""
    email: tuple[Way, ...] = ("email",) if settings.smtp_host else ()
    webhook: tuple[Way, ...] = ("webhook",) if settings.notice_webhook_url else ()
    return email + webhook


def task_id_of(notice_id: str, way: Way) -> str:
    """The id of the task that delivers a notice in one way: always the same."""
    digest = hashlib.sha256(f"notice/{way}/{notice_id}".encode()).digest()
    return str(UUID(bytes=digest[:16], version=4))


def payload_of(notice: Notice, way: Way) -> NoticePayload:
    return NoticePayload(
        way=way,
        subject=" ".join(notice.subject.split())[:200],
        text=notice.text,
        html=notice.html,
        fields=tuple(NoticeField(title=title, value=value) for title, value in notice.fields),
        attachments=tuple(notice.attachments),
        color=notice.color,
        to=tuple(notice.to),
    )


def order_of(notice: Notice, way: Way) -> NewTask:
    order = Order(
        NOTICE_TASK,
        kwargs=payload_of(notice, way).model_dump(mode="json"),
        priority=Priority.HIGH,
        tenant=SYSTEM_TENANT,
        task_id=task_id_of(notice.notice_id, way),
        internal=True,
    )
    return check(order, CATALOG)


def send_notice(ledger: Ledger, settings: Settings, notice: Notice, only: Sequence[Way] | None = None) -> list[str]:
    """Queue a notice in the ways that are set up (`only`: those of them); returns the ids of its tasks, none where
    nothing is set up. Raises `Unavailable`; it may be called again."""
    chosen = [way for way in ways(settings) if only is None or way in only]
    if not chosen:
        return []
    return list(ledger.submit([order_of(notice, way) for way in chosen]).task_ids)
