"""Why a document could not be read, or not wholly: the codes that `AnalyzedDocument.error` may open with.

Only the engine's own processes raise or catch these; a caller of the engine sees the text alone.
"""

from __future__ import annotations

from typing import Literal

Code = Literal[
    "missing",
    "empty",
    "too_large",
    "unsupported",
    "encrypted",
    "damaged",
    "no_text",
    "ocr_unavailable",
    "ocr_failed",
    "page_limit",
    "ocr_page_limit",
    "text_limit",
    "attachment_limit",
    "time_limit",
    "memory_limit",
    "crashed",
    "reader_unavailable",
]


def reason(code: Code, sentence: str) -> str:
    """The value of `AnalyzedDocument.error`: a code for machines, then a sentence for people."""
    return f"{code}: {sentence}"


class UnreadableError(Exception):
    """The file, or the part of it at hand, gives no text. `str(error)` is the reason with its code."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(reason(code, sentence))
        self.code = code
        self.sentence = sentence
