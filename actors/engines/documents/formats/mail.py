"""E-mail (RFC 5322, MIME): who wrote to whom and when, the body once, and the text of each attachment.

Of alternatives that say the same in two formats, one is read. Attachments go through the same readers as any
file, as deep and as many as the limits allow.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
from collections.abc import Callable, Iterable, Iterator
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message

from actors.engines.documents.errors import UnreadableError
from actors.engines.documents.formats.html import text_of_html
from actors.engines.documents.formats.plain import decode
from actors.engines.documents.reading import Extract, Reading
from actors.engines.documents.tidying import tidy

MEDIA_TYPE = "message/rfc822"
ReadPart = Callable[[bytes, str, Reading], Extract]
"""Reads an attached file: its bytes, its name, and the budget it shares."""

_HEADERS = (("De", "From"), ("Para", "To"), ("Cc", "Cc"), ("Data", "Date"), ("Assunto", "Subject"))
_LONGEST_HEADER = 1_000
_DEEPEST_PART = 20
_READABLE = ("text/plain", "text/html")
_PGP = "multipart/encrypted"  # RFC 3156
_SMIME = ("application/pkcs7-mime", "application/x-pkcs7-mime")  # RFC 8551; signed ones are of this type too
_BROKEN_HEADER = (ValueError, LookupError, HeaderParseError, TypeError)
_BROKEN_MESSAGE = (RecursionError, ValueError, LookupError, TypeError, AttributeError, AssertionError)


def read_mail(data: bytes, reading: Reading, read_part: ReadPart) -> Extract:
    """Raises `UnreadableError`: `damaged` for a message that can't be taken apart, `too_large` for one whose
    parts are nested too deeply."""
    try:
        message = email.message_from_bytes(data, policy=email.policy.compat32)
    except _BROKEN_MESSAGE:
        raise UnreadableError("damaged", "the message can't be taken apart") from None
    header, body, attached = _read_message(message, _Attached(reading, read_part))
    start = len(header) + 2 if header else 0
    text = _joined([header, body, attached])
    return Extract(MEDIA_TYPE, text if body or attached else "", body=(start, start + len(body)))


class _Attached:
    """Reads what is attached, within the budget and each file once."""

    def __init__(self, reading: Reading, read_part: ReadPart) -> None:
        self.reading = reading
        self._read_part = read_part
        self._seen: set[bytes] = set()

    def message(self, message: Message) -> str:
        try:
            with self.reading.one_deeper():
                return _joined(["Mensagem anexa", *_read_message(message, self)])
        except UnreadableError as error:
            self.reading.note(error.code, f"attached message: {error.sentence}")
            return ""

    def file(self, part: Message) -> str:
        name = _decoded(part.get_filename() or "sem nome")
        data = _payload(part)
        if not data or self._is_known(data) or not self._is_allowed():
            return ""
        self.reading.tell(50, f"Lendo o anexo {name}")
        return f"Anexo: {name}\n{self._text(data, name)}"

    def _is_known(self, data: bytes) -> bool:
        digest = hashlib.sha256(data).digest()
        known = digest in self._seen
        self._seen.add(digest)
        return known

    def _is_allowed(self) -> bool:
        most = self.reading.limits.attachments
        if self.reading.attachments >= most:
            self.reading.note("attachment_limit", f"only the first {most} attachments were read")
            return False
        self.reading.attachments += 1
        return True

    def _text(self, data: bytes, name: str) -> str:
        try:
            return self._read_part(data, name, self.reading).text
        except UnreadableError as error:
            self.reading.note(error.code, f"attachment {name}: {error.sentence}")
            return ""


def _read_message(message: Message, attached: _Attached) -> tuple[str, str, str]:
    """Its header, its body, and everything attached."""
    bodies, others = [], []
    for part in _leaves(message, 0):
        if _is_locked(part):
            attached.reading.note("encrypted", "the message is encrypted for its recipient (S/MIME or PGP)")
        elif _is_body(part):
            bodies.append(_body(part, attached.reading))
        elif part.get_content_type() == MEDIA_TYPE:
            others.append(attached.message(_inner(part)))
        else:
            others.append(attached.file(part))
    return _header(message), _joined(dict.fromkeys(bodies)), _joined(others)


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(filter(None, texts))


def _leaves(message: Message, depth: int) -> Iterator[Message]:
    """The parts without parts, in order; of alternatives the readable one, an attached message whole."""
    if depth > _DEEPEST_PART:
        raise UnreadableError("too_large", f"the message's parts are nested more than {_DEEPEST_PART} deep")
    if not message.is_multipart() or message.get_content_type() in (MEDIA_TYPE, _PGP):
        yield message
        return
    for child in _chosen(message):
        yield from _leaves(child, depth + 1)


def _chosen(message: Message) -> list[Message]:
    children = [child for child in message.get_payload() if isinstance(child, Message)]
    if message.get_content_type() != "multipart/alternative":
        return children
    plain = [c for c in children if c.get_content_type() == "text/plain" and _text_of(c).strip()]
    return plain[:1] or children[-1:]  # RFC 2046, 5.1.4: the last alternative is the richest


def _is_locked(part: Message) -> bool:
    kind = part.get_content_type()
    return kind == _PGP or (kind in _SMIME and part.get_param("smime-type", "enveloped-data") == "enveloped-data")


def _is_body(part: Message) -> bool:
    attached = part.get_content_disposition() == "attachment" or part.get_filename() is not None
    return part.get_content_type() in _READABLE and not attached


def _inner(part: Message) -> Message:
    payload = part.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else None
    return inner if isinstance(inner, Message) else Message()


def _body(part: Message, reading: Reading) -> str:
    text = _text_of(part)
    return text_of_html(text, reading) if part.get_content_type() == "text/html" else tidy(text)


def _text_of(part: Message) -> str:
    data = _payload(part)
    declared = part.get_content_charset()
    try:
        return data.decode(declared) if declared else decode(data)
    except (LookupError, UnicodeError):  # an unknown name, or bytes that belie it
        return decode(data)


def _payload(part: Message) -> bytes:
    try:
        payload = part.get_payload(decode=True)
    except _BROKEN_MESSAGE:
        return b""
    return payload if isinstance(payload, bytes) else b""


def _header(message: Message) -> str:
    named = ((label, _decoded(str(message.get(name, "")))) for label, name in _HEADERS)
    return tidy("\n".join(f"{label}: {value}" for label, value in named if value))


def _decoded(raw: str) -> str:
    """A header's value with its encoded words (RFC 2047) read, in one line."""
    try:
        raw = str(make_header(decode_header(raw[:_LONGEST_HEADER])))
    except _BROKEN_HEADER:
        raw = raw[:_LONGEST_HEADER]
    return " ".join(raw.split())
