"""ODT (OpenDocument 1.3, ISO/IEC 26300): header, body, notes where they stand, footer.

Tracked deletions are left out, as the author took them back.
"""

from __future__ import annotations

import zipfile

from actors.engines.documents.errors import UnreadableError
from actors.engines.documents.formats.packages import open_package, read_member, read_xml
from actors.engines.documents.reading import Extract, Reading
from actors.engines.documents.tidying import tidy

MEDIA_TYPE = "application/vnd.oasis.opendocument.text"
_BODY, _STYLES, _MANIFEST = "content.xml", "styles.xml", "META-INF/manifest.xml"
_HIDDEN = frozenset({"tracked-changes", "annotation", "note-citation", "page-number", "desc", "title"})
_HEADERS = frozenset({"header", "header-first", "header-left"})
_FOOTERS = frozenset({"footer", "footer-first", "footer-left"})


def read_odt(data: bytes, reading: Reading) -> Extract:
    """Raises `UnreadableError`: `damaged`, `encrypted`, `too_large`."""
    with open_package(data, reading.limits) as package:
        _check_lock(package)
        if _BODY not in package.namelist():
            raise UnreadableError("damaged", "the ODT has no content")
        body, margins = _OpenText(), _OpenText()
        read_xml(package, _BODY, body)
        if _STYLES in package.namelist():
            read_xml(package, _STYLES, margins)
    return Extract(MEDIA_TYPE, tidy("\n\n".join([*margins.headers, "".join(body.pieces), *margins.footers])))


def _check_lock(package: zipfile.ZipFile) -> None:
    """A password locks the members one by one, or a package within the package; only the manifest tells (part 2,
    3.4.1)."""
    if _MANIFEST in package.namelist() and b"encryption-data" in read_member(package, _MANIFEST):
        raise UnreadableError("encrypted", "the file is protected by a password")


class _OpenText:
    """Collects the text of paragraphs and headings; of a styles file, its headers and footers."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.headers: list[str] = []
        self.footers: list[str] = []
        self._hidden = 0
        self._paragraphs = 0
        self._cells = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        if name in _HIDDEN or self._hidden:
            self._hidden += 1
        elif name in ("p", "h"):
            self._paragraphs += 1
        elif name == "table-cell":
            self._cells += 1
        elif name in ("s", "tab", "line-break"):
            self.pieces.append("\n" if name == "line-break" else " ")

    def end(self, name: str) -> None:
        if self._hidden:
            self._hidden -= 1
        elif name in ("p", "h"):
            self._paragraphs -= 1
            self.pieces.append(" " if self._cells else "\n")
        elif name == "table-cell":
            self._cells -= 1
            self.pieces.append("\t")
        elif name == "table-row":
            self.pieces.append("\n")
        elif name in _HEADERS | _FOOTERS:
            self._close_margin(name)

    def _close_margin(self, name: str) -> None:
        text = "".join(self.pieces).strip()
        self.pieces.clear()
        margin = self.headers if name in _HEADERS else self.footers
        if text and text not in margin:
            margin.append(text)

    def text(self, characters: str) -> None:
        if self._paragraphs and not self._hidden:
            self.pieces.append(characters)
