"""From a file's bytes to its text: finds out what kind it is and hands it to the reader of that kind."""

from __future__ import annotations

from pathlib import Path

from actors.engines.documents import sniffing
from actors.engines.documents.errors import UnreadableError
from actors.engines.documents.formats import docx, html, mail, ocr, odt, other, pdf, plain, xlsx
from actors.engines.documents.reading import Extract, Reading

_READERS = {
    pdf.MEDIA_TYPE: pdf.read_pdf,
    docx.MEDIA_TYPE: docx.read_docx,
    odt.MEDIA_TYPE: odt.read_odt,
    xlsx.MEDIA_TYPE: xlsx.read_xlsx,
    html.MEDIA_TYPE: html.read_html,
    plain.MEDIA_TYPE: plain.read_text,
}


def load(path: Path, reading: Reading) -> bytes:
    """Raises `UnreadableError`: `missing`, `too_large`."""
    try:
        reading.check_size(path.stat().st_size)
        return path.read_bytes()
    except OSError:
        raise UnreadableError("missing", "the stored file can't be opened") from None


def extract(data: bytes, media_type: str, reading: Reading) -> Extract:
    """The text of `data`, which is of `media_type` as `sniffing` found. Raises `UnreadableError`."""
    if media_type in _READERS:
        return _READERS[media_type](data, reading)
    if media_type.startswith("image/"):
        return ocr.read_image(data, media_type, reading)
    if media_type == mail.MEDIA_TYPE:
        return mail.read_mail(data, reading, read_part)
    return other.read_other(data, media_type, reading)


def read_part(data: bytes, name: str, reading: Reading) -> Extract:
    """An attached file, within the budget of the message it came with. Raises `UnreadableError`."""
    if reading.time_is_up:
        raise UnreadableError("time_limit", "no time was left to read it")
    with reading.one_deeper():
        return extract(data, sniffing.sniff(data, name, ""), reading)
