"""Times as Despacho writes them: milliseconds since 1970 inside, RFC 3339 in UTC with milliseconds outside."""

from __future__ import annotations

import datetime as dt
import time


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def rfc3339(milliseconds: int | None) -> str | None:
    """`2026-11-23T12:00:00.123Z`, or `None` for `None`."""
    if milliseconds is None:
        return None
    moment = dt.datetime.fromtimestamp(milliseconds / 1_000, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1_000:03d}Z"


def to_ms(moment: dt.datetime) -> int:
    """Milliseconds of a moment; one without a zone is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return round(moment.timestamp() * 1_000)


def rfc3339_ms(text: str) -> int:
    """Milliseconds of a moment as `rfc3339` writes it."""
    return to_ms(dt.datetime.fromisoformat(text))
