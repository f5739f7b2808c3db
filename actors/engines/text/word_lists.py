"""Lists of words written as they are read: blank-separated, so that a list stays a paragraph."""

from __future__ import annotations


def words(paragraph: str) -> tuple[str, ...]:
    """The words of `paragraph`, in order."""
    return tuple(paragraph.split())
