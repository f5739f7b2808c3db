"""Plain text in whatever encoding it comes: the bytes decide, as no file says which one it is.

Tried in order: a byte order mark, UTF-16 without one, UTF-8, and then the single-byte encodings that Brazilian
systems have used, of which the one that gives the most Portuguese letters is taken.
"""

from __future__ import annotations

import codecs

from actors.engines.documents.errors import UnreadableError
from actors.engines.documents.reading import Extract, Reading
from actors.engines.documents.tidying import tidy

MEDIA_TYPE = "text/plain"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SINGLE_BYTE = ("cp1252", "latin-1", "cp850", "mac_roman")
_PORTUGUESE = frozenset("áàâãéêíóôõúüçÁÀÂÃÉÊÍÓÔÕÚÜÇºª°§–—“”‘’…•\xa0€")
_SAMPLE = 100_000
_MOST_CONTROLS = 0.02


def read_text(data: bytes, reading: Reading) -> Extract:
    """Raises `UnreadableError` `unsupported` for bytes that are no text."""
    text = decode(data)
    if _looks_binary(text):
        raise UnreadableError("unsupported", "the file is neither text nor of a kind that can be read")
    return Extract(MEDIA_TYPE, tidy(text[: 2 * reading.limits.characters]))


def decode(data: bytes) -> str:
    """The text of `data`. Every sequence of bytes has one; whether it means anything is not judged."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if wide := _utf16_without_mark(data):
        return data.decode(wide, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _nearly_utf8(data, error) or _single_byte(data)


def _utf16_without_mark(data: bytes) -> str | None:
    """Latin text in UTF-16 has a zero in nearly every second byte."""
    even, odd = data[:_SAMPLE:2], data[1:_SAMPLE:2]
    if odd.count(0) > 0.7 * len(odd) and even.count(0) < 0.1 * len(even):
        return "utf-16-le"
    if even.count(0) > 0.7 * len(even) and odd.count(0) < 0.1 * len(odd):
        return "utf-16-be"
    return None


def _nearly_utf8(data: bytes, error: UnicodeDecodeError) -> str | None:
    """UTF-8 that was cut off in the middle of its last character, or has a stray byte among many good ones."""
    text = data.decode("utf-8", "replace")
    bad, foreign = text.count("�"), sum(1 for c in text[:_SAMPLE] if ord(c) > 127)
    cut_off = error.start >= len(data) - 3 and foreign > 1
    return text if cut_off or bad * 20 < foreign else None


def _single_byte(data: bytes) -> str:
    sample = data[:_SAMPLE]
    best = max(_SINGLE_BYTE, key=lambda encoding: _portuguese_letters(sample, encoding))
    return data.decode(best, "replace")


def _portuguese_letters(sample: bytes, encoding: str) -> int:
    """Ties go to the earlier encoding, as `max` keeps the first."""
    text = sample.decode(encoding, "replace")
    good = sum(1 for c in text if c in _PORTUGUESE)
    return good - sum(1 for c in text if c == "�" or "\x80" <= c <= "\x9f")


def _looks_binary(text: str) -> bool:
    sample = text[:_SAMPLE]
    controls = sum(1 for c in sample if c == "�" or (c < " " and c not in "\t\n\r\f\v"))
    return controls > _MOST_CONTROLS * len(sample) + 2
