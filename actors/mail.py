"""E-mail by SMTP: one message to the addresses that are set, with time limits, and over TLS unless that is off.

Errors say what the server's code was and never what it wrote.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from typing import Any

from tasks.errors import NoticeFailed, NoticeRefused
from tasks.settings import Settings


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that goes with a message; `media_type` is such as `text/html`."""

    filename: str
    media_type: str
    content: bytes


def message(
    settings: Settings,
    message_id: str,
    subject: str,
    text: str,
    html: str,
    attached: Sequence[Attached],
    to: Sequence[str] = (),
) -> EmailMessage:
    """The message with its headers, to the addresses of the settings or to others. It is marked as made by a machine
    (RFC 3834): no absence notice answers."""
    told = EmailMessage(policy=policy.SMTP)
    told["Subject"] = " ".join(subject.split())
    told["From"] = settings.smtp_from
    told["To"] = ", ".join(to or settings.smtp_to)
    told["Date"] = format_datetime(localtime())
    told["Message-ID"] = f"<{message_id}@{(settings.smtp_from or '').rpartition('@')[2]}>"
    told["Auto-Submitted"] = "auto-generated"
    told.set_content(text)
    if html:
        told.add_alternative(html, subtype="html")
    for file in attached:
        main, _, sub = file.media_type.partition("/")
        charset = {"charset": "utf-8"} if main == "text" else {}
        told.add_attachment(file.content, maintype=main, subtype=sub, filename=file.filename, params=charset)
    return told


def send(settings: Settings, told: EmailMessage) -> int:
    """Hand a message to the server; returns how many of the addresses it refused while it took others.

    Raises `NoticeFailed` where another attempt may help, `NoticeRefused` where the server says that none will.
    """
    # `from None`, always: the text of a foreign error may hold addresses and what the server wrote.
    try:
        with _session(settings) as server:
            refused = server.send_message(told)
    except smtplib.SMTPNotSupportedError:
        raise NoticeRefused("the mail server lacks STARTTLS or AUTH. Check DESPACHO_SMTP_TLS and _USER") from None
    except smtplib.SMTPRecipientsRefused as error:
        raise _of_code(min(code for code, _ in error.recipients.values())) from None
    except smtplib.SMTPResponseException as error:
        raise _of_code(error.smtp_code) from None
    except ssl.SSLError:
        raise NoticeFailed("the mail server's certificate is not valid, or TLS failed") from None
    except TimeoutError:
        raise NoticeFailed("the mail server is silent") from None
    except (OSError, smtplib.SMTPException):
        raise NoticeFailed("the mail server can't be reached, or broke off") from None
    return len(refused)


def _session(settings: Settings) -> smtplib.SMTP:
    given: dict[str, Any] = {
        "host": settings.smtp_host,
        "port": settings.smtp_port,
        "local_hostname": socket.gethostname(),
        "timeout": settings.smtp_timeout_s,
    }
    if settings.smtp_tls == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(**given, context=ssl.create_default_context())
    else:
        server = smtplib.SMTP(**given)
    with ExitStack() as unless_ready:
        # Not the server's own `with`, which says QUIT: after a TLS handshake that failed nobody would answer it.
        unless_ready.callback(server.close)
        if settings.smtp_tls == "starttls":
            server.starttls(context=ssl.create_default_context())
        if settings.smtp_user and settings.smtp_password:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        unless_ready.pop_all()
    return server


def _of_code(code: int) -> NoticeFailed:
    """RFC 5321, section 4.2.1: 4xx passes, 5xx doesn't."""
    return NoticeRefused(f"smtp {code}") if code >= 500 else NoticeFailed(f"smtp {code}")
