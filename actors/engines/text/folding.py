"""Text folded for matching: lower case, no accents, plain dashes and spaces, with the way back to the original.

Clients write without accents, keyboards compose them in two code points, and PDFs bring their own slashes and
spaces. Patterns are written once, for the folded form; offsets always speak of the original text.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_PLAIN = {
    "⁄": "/",
    "∕": "/",
    "–": "-",
    "—": "-",
    "‑": "-",
    "‐": "-",
    "−": "-",
    "’": "'",
    "‘": "'",
    "“": '"',
    "”": '"',
    "°": "º",
    "\x00": " ",
    "\t": " ",
    "\r": " ",
}


class _FoldTable(dict[int, str]):
    """A translation table that learns each character the first time it is met."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _fold_character(chr(code))
        return folded


def _fold_character(character: str) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    if unicodedata.combining(character):
        return ""
    if character.isspace() and character != "\n":
        return " "
    base = unicodedata.normalize("NFD", character)[:1]
    lowered = base.lower()
    return lowered if len(lowered) == 1 else base


_TABLE = _FoldTable()


@dataclass(frozen=True, slots=True)
class Folded:
    """The folded `text` and, where characters were dropped, the original offset of each that stayed."""

    text: str
    length: int
    offsets: tuple[int, ...] | None

    def start(self, index: int) -> int:
        """Offset into the original of the folded character at `index`."""
        if self.offsets is None:
            return index
        return self.offsets[index] if index < len(self.offsets) else self.length

    def end(self, index: int) -> int:
        """Offset into the original just after the folded character before `index`, with its accents."""
        return self.start(index)


@lru_cache(maxsize=8)
def fold(text: str) -> Folded:
    """Fold `text` for matching. Cached, because the finders of one text share it."""
    folded = text.translate(_TABLE)
    if len(folded) == len(text):
        return Folded(folded, len(text), None)
    kept = tuple(i for i, character in enumerate(text) if _TABLE[ord(character)])
    return Folded(folded, len(text), kept)


def plain(text: str) -> str:
    """The folded form alone, for words that need no way back."""
    return text.translate(_TABLE)
