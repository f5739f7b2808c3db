"""What the readers of all formats share while one document is read: its budget, and the form of what they return."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from actors.engines.documents.errors import Code, UnreadableError, reason
from actors.engines.documents.limits import Limits
from tasks.payloads import DocumentOptions

Tell = Callable[[float, str], None]
_SOFT_SHARE = 0.9
"""Share of the time after which reading stops by itself, so that what was read is not lost with the process."""


@dataclass(frozen=True, slots=True)
class Extract:
    """The text of a file. `page_starts` holds the offset of each page, and nothing for texts without pages;
    `body` is where the document proper stands: in an e-mail between its header and what is attached."""

    media_type: str
    text: str
    page_starts: tuple[int, ...] = ()
    pages: int | None = None
    body: tuple[int, int | None] = (0, None)

    @property
    def own_text(self) -> str:
        """The text of `body`, or all of it if nothing stands there."""
        start, end = self.body
        return self.text[start:end].strip() or self.text

    def page_of(self, offset: int) -> int:
        """Page, from 1, on which the character at `offset` stands, in a text that has pages."""
        return max(1, bisect_right(self.page_starts, offset))


@dataclass(slots=True)
class Reading:
    """The budget of one document, attachments included, and what went wrong without ending it."""

    limits: Limits
    options: DocumentOptions
    teller: Tell
    started: float = field(default_factory=time.monotonic)
    ocr_pages: int = 0
    attachments: int = 0
    depth: int = 0
    furthest: float = 0.0
    problems: list[str] = field(default_factory=list)

    def tell(self, share: float, sentence: str) -> None:
        """Pass on a step and the share done by now, which an attachment that starts from zero doesn't set back."""
        self.furthest = max(self.furthest, share)
        self.teller(self.furthest, sentence)

    def note(self, code: Code, sentence: str) -> None:
        """Something could not be read, but the rest can: said once in `AnalyzedDocument.error`."""
        self.problems.append(reason(code, sentence))

    @property
    def time_is_up(self) -> bool:
        return time.monotonic() - self.started > _SOFT_SHARE * self.limits.seconds

    @contextmanager
    def one_deeper(self) -> Iterator[None]:
        """While something attached is read. Raises `UnreadableError` for one that lies too deep."""
        if self.depth >= self.limits.attachment_depth:
            raise UnreadableError("attachment_limit", f"nested more than {self.depth} deep")
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def check_size(self, size: int) -> None:
        """Raises `UnreadableError` for a file above the bound."""
        if size > self.limits.file_bytes:
            raise UnreadableError("too_large", f"{size} bytes, the bound is {self.limits.file_bytes}")


def join_pages(media_type: str, pages: list[str], total: int) -> Extract:
    """One text of the pages read, of `total` that the file has."""
    starts, offset = [], 0
    for page in pages:
        starts.append(offset)
        offset += len(page) + 2
    return Extract(media_type, "\n\n".join(pages), tuple(starts), total)
