"""What kind of file it is, by its content alone: a name or a declared type may be wrong, or a lie.

They only break a tie where content can't: a short text that might be an e-mail or a page of HTML.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import Final

from actors.engines.documents.errors import UnreadableError
from actors.engines.documents.formats import docx, html, mail, odt, other, pdf, plain, xlsx

_IMAGES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_OLE2: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PACKAGES: Final = (
    ("word/document.xml", docx.MEDIA_TYPE),
    ("xl/workbook.xml", xlsx.MEDIA_TYPE),
    ("xl/workbook.bin", xlsx.MEDIA_TYPE),
    ("ppt/presentation.xml", other.PPTX),
)
_OPEN_DOCUMENTS: Final = {odt.MEDIA_TYPE, other.ODS}
_OLE2_STREAMS: Final = (("WordDocument", other.DOC), ("Workbook", other.XLS), ("Book", other.XLS))
_HTML_START = re.compile(r"\s*(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+html|html|head|body|\?xml)\b", re.I | re.S)
_HTML_TAG = re.compile(r"<(?:p|div|table|br|span|h[1-6]|ul|a)\b[^<>]{0,300}>", re.I)
_MAIL_HEADER = re.compile(
    r"^(from|to|subject|date|mime-version|received|return-path|message-id|delivered-to|reply-to|content-type"
    r"|x-[a-z-]{2,40}|dkim-signature|cc|sender)[ \t]*:",
    re.I | re.M,
)
_HEAD = 8_192


def sniff(data: bytes, filename: str, declared: str) -> str:
    """The media type of `data`. Raises `UnreadableError`: `empty`, `unsupported`, `encrypted`, `damaged`."""
    if not data.strip(b"\x00 \t\r\n"):
        raise UnreadableError("empty", "the file holds nothing")
    return _by_signature(data) or _textual(data, filename.lower(), declared.lower())


def _by_signature(data: bytes) -> str | None:
    if b"%PDF-" in data[:1024]:
        return pdf.MEDIA_TYPE
    if data.startswith(b"PK"):
        return _package(data)
    if data.startswith(_OLE2):
        return _compound_file(data)
    if data.lstrip()[:5] == rb"{\rtf":
        return other.RTF
    return _image(data)


def _image(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[:2] == b"BM" and data[6:10] == bytes(4):  # the reserved fields, as 'BM' alone may open a text
        return "image/bmp"
    return next((kind for mark, kind in _IMAGES if data.startswith(mark)), None)


def _package(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            return _package_kind(package)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError, KeyError):
        raise UnreadableError("damaged", "the package (ZIP) is broken or cut off") from None


def _package_kind(package: zipfile.ZipFile) -> str:
    names = frozenset(package.namelist())
    for member, kind in _PACKAGES:
        if member in names:
            return kind
    if "mimetype" in names and package.getinfo("mimetype").file_size < 200:
        declared = package.read("mimetype").decode("ascii", "replace").strip().removesuffix("-template")
        if declared in _OPEN_DOCUMENTS:
            return declared
    raise UnreadableError("unsupported", "a ZIP archive that is no document; upload the files in it")


def _compound_file(data: bytes) -> str:
    """The container of old Office files (MS-CFB), and of new ones when a password protects them."""
    if _names_stream(data, "EncryptedPackage"):
        raise UnreadableError("encrypted", "the file is protected by a password")
    for stream, kind in _OLE2_STREAMS:
        if _names_stream(data, stream):
            return kind
    raise UnreadableError("unsupported", "an old Office file of a kind that can't be read")


def _names_stream(data: bytes, name: str) -> bool:
    return (name + "\0").encode("utf-16-le") in data


def _textual(data: bytes, filename: str, declared: str) -> str:
    head = plain.decode(data[:_HEAD])
    if _is_mail(head, filename.endswith(".eml") or declared == mail.MEDIA_TYPE):
        return mail.MEDIA_TYPE
    if _is_html(head, filename.endswith((".html", ".htm", ".xhtml")) or "html" in declared):
        return html.MEDIA_TYPE
    return plain.MEDIA_TYPE


def _is_mail(head: str, called_so: bool) -> bool:
    """A block of header fields at the top, of which two are known ones (one, if it is called a message)."""
    top = re.split(r"\r?\n\r?\n", head.lstrip(), maxsplit=1)[0]
    if not re.match(r"[!-9;-~]{1,76}[ \t]*:", top):
        return False
    known = {match[1].lower() for match in _MAIL_HEADER.finditer(top)}
    return len(known) >= (1 if called_so else 3) or {"from", "subject"} <= known or "received" in known


def _is_html(head: str, called_so: bool) -> bool:
    if _HTML_START.match(head):
        return True
    return len(_HTML_TAG.findall(head)) >= (1 if called_so else 3)
