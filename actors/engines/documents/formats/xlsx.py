"""XLSX (ECMA-376, SpreadsheetML): each sheet with its name, a row on a line, values as the sheet shows them.

Read here and not by kreuzberg, which gives the bare number: 1234.5 is an amount only because its cell says "R$".
Of number formats, dates, times, percentages, reais and plain decimals are told apart; the rest stays a number.
"""

from __future__ import annotations

import datetime as dt
import re
import zipfile

from actors.engines.documents.errors import UnreadableError
from actors.engines.documents.formats.packages import open_package, read_xml
from actors.engines.documents.reading import Extract, Reading
from actors.engines.documents.tidying import tidy

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_WORKBOOK, _STRINGS, _STYLES = "xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml"
_SHEET = re.compile(r"xl/worksheets/sheet(\d{1,6})\.xml$")
_EPOCH = dt.datetime(1899, 12, 30)  # serial 0; the odd day makes up for Excel's 29 February 1900
_LAST_SERIAL = 2_958_465  # 31 December 9999
# ECMA-376 part 1, 18.8.30: the formats that are not written into the file.
_BUILT_IN = {9: "0%", 10: "0.00%", 2: "0.00", 4: "#,##0.00", 44: "R$"} | {
    **dict.fromkeys((14, 15, 16, 17, 22), "dd/mm/yyyy"),
    **dict.fromkeys((18, 19, 20, 21), "hh:mm"),
}
_NO_CODE = re.compile(r'"[^"]*"|\\.|\[(?!\$)[^\]]*\]')


def read_xlsx(data: bytes, reading: Reading) -> Extract:
    """Raises `UnreadableError`: `damaged`, `encrypted`, `too_large`."""
    reading.tell(5, "Lendo a planilha")
    with open_package(data, reading.limits) as package:
        names = package.namelist()
        if _WORKBOOK not in names:
            raise UnreadableError("unsupported", "a spreadsheet in a binary form that can't be read")
        book = _Book(reading.limits.characters)
        for part in (_WORKBOOK, _STRINGS, _STYLES):
            if part in names:
                read_xml(package, part, book)
        return Extract(MEDIA_TYPE, tidy("\n\n".join(_sheets(package, book))))


def _sheets(package: zipfile.ZipFile, book: _Book) -> list[str]:
    numbered = sorted((int(match[1]), name) for name in package.namelist() if (match := _SHEET.match(name)))
    texts = []
    for place, (_, name) in enumerate(numbered):
        sheet = _Sheet(book)
        read_xml(package, name, sheet)
        if text := "".join(sheet.pieces).strip("\n"):
            title = book.sheets[place] if place < len(book.sheets) else ""
            texts.append(f"{title}\n\n{text}" if title else text)
    return texts


class _Book:
    """What the sheets share: their names, the strings, and the number format of each cell style."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.sheets: list[str] = []
        self.strings: list[str] = []
        self.formats: list[str] = []
        self._codes = dict(_BUILT_IN)
        self._pieces: list[str] = []
        self._in_text = self._in_styles = self._phonetic = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            self.sheets.append(attributes.get("name", ""))
        elif name == "numFmt":
            self._codes[_number(attributes.get("numFmtId", ""))] = attributes.get("formatCode", "")
        elif name == "xf" and self._in_styles:
            self.formats.append(self._codes.get(_number(attributes.get("numFmtId", "")), ""))
        self._in_styles = self._in_styles or name == "cellXfs"
        self._phonetic = self._phonetic or name == "rPh"
        self._in_text = name == "t" and not self._phonetic

    def end(self, name: str) -> None:
        self._in_text = False
        self._in_styles = self._in_styles and name != "cellXfs"
        self._phonetic = self._phonetic and name != "rPh"
        if name == "si":
            self.strings.append("".join(self._pieces))
            self._pieces.clear()

    def text(self, characters: str) -> None:
        if self._in_text:
            self._pieces.append(characters)


class _Sheet:
    """Collects the rows of one sheet; a cell ends in a tab, a row in a line break."""

    def __init__(self, book: _Book) -> None:
        self.pieces: list[str] = []
        self._book = book
        self._characters = 0
        self._kind = self._code = ""
        self._value: list[str] = []
        self._in_value = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            style = _number(attributes.get("s", "0"))
            self._kind = attributes.get("t", "n")
            self._code = self._book.formats[style] if style < len(self._book.formats) else ""
        self._in_value = name in ("v", "t")

    def end(self, name: str) -> None:
        self._in_value = False
        if name == "c":
            self._add(self._shown("".join(self._value)))
            self._value.clear()
        elif name == "row" and self.pieces and self.pieces[-1] != "\n":
            self.pieces.append("\n")

    def text(self, characters: str) -> None:
        if self._in_value:
            self._value.append(characters)

    def _add(self, shown: str) -> None:
        if shown and self._characters <= self._book.most:
            self._characters += len(shown)
            self.pieces += (shown, "\t")

    def _shown(self, value: str) -> str:
        if self._kind == "s":
            place = _number(value)
            return self._book.strings[place] if place < len(self._book.strings) else ""
        if self._kind == "b":
            return "VERDADEIRO" if value == "1" else "FALSO"
        return show_number(value, self._code) if self._kind == "n" else value


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 else 1_000_000_000


def show_number(value: str, code: str) -> str:
    """`value`, as the file stores it, the way a cell of number format `code` shows it in Brazil."""
    try:
        number = float(value)
    except ValueError:
        return value
    plain = _NO_CODE.sub("", code).lower()
    if re.search(r"[dy]|h|ss", plain) and 0 <= number <= _LAST_SERIAL:
        return _show_date(number, dated="d" in plain or "y" in plain, timed="h" in plain)
    if "r$" in code.lower():
        return f"R$ {_decimal(number)}"
    if "%" in plain:
        return f"{_decimal(100 * number)}%"
    return _decimal(number) if ".0" in plain else _whole(number, value)


def _show_date(serial: float, dated: bool, timed: bool) -> str:
    moment = _EPOCH + dt.timedelta(seconds=round(serial * 86_400))
    parts = (f"{moment:%d/%m/}{moment.year:04d}" if dated else "", f"{moment:%H:%M}" if timed else "")
    return " ".join(filter(None, parts))


def _decimal(number: float) -> str:
    return f"{number:,.2f}".translate({ord(","): ".", ord("."): ","})


def _whole(number: float, value: str) -> str:
    """Without the dust of binary fractions: 0.30000000000000004 was typed as 0,3."""
    return f"{number:.15g}".replace(".", ",") if "e" not in f"{number:.15g}" else value
