"""Which trace the present work is part of. Nothing is traced yet."""

from __future__ import annotations


def traceparent() -> str:
    """The present span as `traceparent` of W3C Trace Context names it; empty where there is none."""
    return ""


def ids() -> dict[str, str]:
    """The ids of the present span, by the names that logs give them; none where there is none."""
    return {}
