"""The formats that kreuzberg reads well: RTF, presentations, OpenDocument spreadsheets and old Office files.

Nothing is cached on disk.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from actors.engines.documents.errors import UnreadableError
from actors.engines.documents.formats.packages import open_package
from actors.engines.documents.reading import Extract, Reading
from actors.engines.documents.tidying import tidy

PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
RTF = "application/rtf"
DOC = "application/msword"
XLS = "application/vnd.ms-excel"

_PACKAGES = frozenset({PPTX, ODS})
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d) 00:00:00\b")
_IMAGE_MARK = re.compile(r"^\[Image: [^\]\n]{0,200}\]$|^!\[[^\]\n]{0,200}\]\([^)\n]{0,200}\)$", re.MULTILINE)
_NOTE_MARK = re.compile(r"^\[\^\d+\]: ", re.MULTILINE)
_RTF_BLANK = re.compile(rb"(?<!\\)((?:\\\\)*)\\~")
_RTF_HYPHEN = re.compile(rb"(?<!\\)((?:\\\\)*)\\_")
_RTF_HEX = re.compile(rb"(?<!\\)((?:\\\\)*)\\'([0-9a-fA-F]{2})")
_RTF_CHARSET = re.compile(rb"\\(mac|pca|pc)(?![a-z])|\\ansicpg(10000|850|437)(?!\d)")
_RTF_CODECS = {
    b"mac": "mac_roman",
    b"10000": "mac_roman",
    b"pca": "cp850",
    b"850": "cp850",
    b"pc": "cp437",
    b"437": "cp437",
}
_HEAD = 200
_ENCRYPTED = re.compile(r"password|encrypt", re.IGNORECASE)


def read_other(data: bytes, media_type: str, reading: Reading) -> Extract:
    """Raises `UnreadableError`: `damaged`, `encrypted`, `too_large`."""
    if media_type in _PACKAGES:
        open_package(data, reading.limits).close()
    reading.tell(5, "Lendo o documento")
    text = _extract(_mended_rtf(data) if media_type == RTF else data, media_type, reading)
    return Extract(media_type, tidy(_without_marks(text)))


def _mended_rtf(data: bytes) -> bytes:
    r"""kreuzberg reads the fixed blank `\~` as a tilde, drops the fixed hyphen `\_`, and takes every character set
    for Windows'."""
    data = _RTF_HYPHEN.sub(rb"\1-", _RTF_BLANK.sub(rb"\1 ", data))
    charset = _RTF_CHARSET.search(data[:_HEAD])
    return _in_windows_charset(data, _RTF_CODECS[charset[1] or charset[2]]) if charset else data


def _in_windows_charset(data: bytes, codec: str) -> bytes:
    """Each character of the old Macintosh or DOS by its number in Unicode; RTF 1.9.1, 'Unicode RTF'."""
    meant = [b"\\u%d?" % ord(bytes([byte]).decode(codec)) for byte in range(256)]
    data = _RTF_CHARSET.sub(rb"\\ansi", data[:_HEAD]) + data[_HEAD:]
    return _RTF_HEX.sub(lambda match: match[1] + meant[int(match[2], 16)], data)


def _extract(data: bytes, media_type: str, reading: Reading) -> str:
    import kreuzberg

    try:
        return str(kreuzberg.extract_bytes_sync(data, media_type, _config(int(reading.limits.seconds))).content)
    except kreuzberg.KreuzbergError as error:
        if _ENCRYPTED.search(str(error)):
            raise UnreadableError("encrypted", "the file is protected by a password") from None
        raise UnreadableError("damaged", f"the file can't be read ({type(error).__name__})") from None


@lru_cache(maxsize=1)
def _config(seconds: int) -> Any:
    from kreuzberg import ConcurrencyConfig, ExtractionConfig

    return ExtractionConfig(
        use_cache=False,
        output_format="plain",
        concurrency=ConcurrencyConfig(max_threads=1),
        extraction_timeout_secs=max(1, seconds),
    )


def _without_marks(text: str) -> str:
    """Dates of a spreadsheet without their midnight, and no marks of kreuzberg's own."""
    return _NOTE_MARK.sub("", _IMAGE_MARK.sub("", _MIDNIGHT.sub(r"\1", text)))
