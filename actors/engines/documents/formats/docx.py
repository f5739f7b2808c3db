"""DOCX (ECMA-376, WordprocessingML): headers, body, notes and footers, in that order.

Read here and not by kreuzberg, which leaves headers and footers out; that is where courts and law firms put the
case number and the OAB number. Deleted and moved-away text of tracked changes is left out, as Word shows it.
"""

from __future__ import annotations

import re
import zipfile

from actors.engines.documents.errors import UnreadableError
from actors.engines.documents.formats import ocr
from actors.engines.documents.formats.packages import open_package, read_member, read_xml
from actors.engines.documents.reading import Extract, Reading
from actors.engines.documents.tidying import tidy, visible_characters

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_BODY = "word/document.xml"
_HEADER = re.compile(r"word/header\d*\.xml$")
_NOTES = re.compile(r"word/(?:footnotes|endnotes|comments)\.xml$")
_FOOTER = re.compile(r"word/footer\d*\.xml$")
_PICTURE = re.compile(r"word/media/[^/]+\.(?:png|jpe?g|tiff?|gif)$", re.IGNORECASE)
_PICTURE_TYPES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif"}
# What Word doesn't print: old versions of moved text, fallbacks that repeat a drawing's text, page-number fields.
_HIDDEN = frozenset({"moveFrom", "Fallback", "instrText", "delText", "pPrChange", "rPrChange"})
_MARKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}


def read_docx(data: bytes, reading: Reading) -> Extract:
    """Raises `UnreadableError`: `damaged`, `encrypted`, `too_large`."""
    with open_package(data, reading.limits) as package:
        parts = _parts(package)
        text = tidy("\n\n".join(filter(None, parts)))
        if visible_characters(text) < 25:
            text = tidy("\n\n".join([text, *_read_pictures(package, reading)]))
    return Extract(MEDIA_TYPE, text)


def _parts(package: zipfile.ZipFile) -> list[str]:
    names = sorted(package.namelist())
    if _BODY not in names:
        raise UnreadableError("damaged", "the DOCX has no main part")
    headers = _distinct(package, [n for n in names if _HEADER.match(n)])
    notes = _distinct(package, [n for n in names if _NOTES.match(n)])
    footers = _distinct(package, [n for n in names if _FOOTER.match(n)])
    return [*headers, _part_text(package, _BODY), *notes, *footers]


def _distinct(package: zipfile.ZipFile, names: list[str]) -> list[str]:
    """First page, odd and even pages often have the same header: each text once."""
    return list(dict.fromkeys(_part_text(package, name) for name in names))


def _part_text(package: zipfile.ZipFile, name: str) -> str:
    reader = _WordText()
    read_xml(package, name, reader)
    return tidy("".join(reader.pieces))


def _read_pictures(package: zipfile.ZipFile, reading: Reading) -> list[str]:
    """Scans pasted into an otherwise empty document."""
    if not reading.options.ocr:
        return []
    texts = []
    for name in sorted(filter(_PICTURE.match, package.namelist())):
        kind = _PICTURE_TYPES.get(name.rpartition(".")[2].lower(), "image/tiff")
        try:
            texts.append(ocr.read_image(read_member(package, name), kind, reading).text)
        except UnreadableError as error:
            reading.note(error.code, error.sentence)
    return texts


class _WordText:
    """Collects the text of one WordprocessingML part."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._hidden = 0
        self._in_text = False
        self._cells = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in _HIDDEN or self._hidden:
            self._hidden += 1
        elif name == "t":
            self._in_text = True
        elif name == "tc":
            self._cells += 1
        elif name in _MARKS:
            self._mark(name, attributes)

    def _mark(self, name: str, attributes: dict[str, str]) -> None:
        """A `tab` with attributes is a tab stop of the paragraph's format, not a character."""
        if name != "tab" or not attributes:
            self.pieces.append(_MARKS[name])

    def end(self, name: str) -> None:
        self._in_text = False
        if self._hidden:
            self._hidden -= 1
        elif name == "p":
            self.pieces.append(" " if self._cells else "\n")
        elif name == "tc":
            self._cells -= 1
            self.pieces.append("\t")
        elif name == "tr":
            self.pieces.append("\n")

    def text(self, characters: str) -> None:
        if self._in_text and not self._hidden:
            self.pieces.append(characters)
