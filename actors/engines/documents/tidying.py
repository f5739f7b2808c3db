"""Extracted text made even: one form of accents, plain spaces, no control characters, paragraphs in one line.

Whatever changes the length of a text happens here, before anything is found in it, so that offsets hold.
"""

from __future__ import annotations

import itertools
import re
import unicodedata

_DROPPED = dict.fromkeys(
    [*range(9), 11, *range(14, 32), *range(127, 160), 0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xFFFE, 0xFFFF]
)
_SPACES = dict.fromkeys([0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_BREAKS = {0x0C: "\n", 0x0D: "\n", 0x85: "\n", 0x2028: "\n", 0x2029: "\n"}
_EVEN = {**_DROPPED, **_SPACES, **_LIGATURES, **_BREAKS}

_COMBINING = re.compile("[\u0300-\u036f]")
_BLANKS = re.compile(r" {2,}")
_CELL_BREAK = re.compile(r" ?\t[ \t]*")
_EMPTY_LINES = re.compile(r"\n{3,}")
_SENTENCE_END = (".", ":", ";", "!", "?")
_FULL_LINE = 0.75
_SHORTEST_WRAPPED = 40


def tidy(text: str) -> str:
    """The text in NFC, with plain blanks, no invisible characters and at most one empty line in a row."""
    text = text.replace("\r\n", "\n").translate(_EVEN)
    if _COMBINING.search(text):
        text = unicodedata.normalize("NFC", text)
    text = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate can't be stored
    lines = (_CELL_BREAK.sub("\t", _BLANKS.sub(" ", line)).strip() for line in text.split("\n"))
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def unwrap(text: str) -> str:
    """Join the lines that a page's width broke, as PDF and OCR give them; headings and lists stay apart."""
    lines = text.split("\n")
    width = max(map(len, lines), default=0)
    joined = lines[:1]
    for before, line in itertools.pairwise(lines):
        if _goes_on(before, line, width):
            joined[-1] += " " + line
        else:
            joined.append(line)
    return "\n".join(joined)


def _goes_on(before: str, line: str, width: int) -> bool:
    if not before or not line or before.endswith(_SENTENCE_END):
        return False
    full = len(before) >= max(_SHORTEST_WRAPPED, _FULL_LINE * width)
    return full or (line[0].islower() and len(before) >= _SHORTEST_WRAPPED)


def visible_characters(text: str) -> int:
    """How many characters a person could read: no blanks, nor those that a font without a map of its glyphs
    leaves (private use, unassigned, the replacement character)."""
    return sum(1 for c in text if not c.isspace() and c != "�" and unicodedata.category(c) not in ("Co", "Cn", "Cc"))
