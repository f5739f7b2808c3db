"""How a line of a log is written: as text, or as one JSON object. Both name what the line is about, and neither tells
the words of an exception: they may quote what a client said.
"""

from __future__ import annotations

import json
import logging
import traceback
from typing import Any, Literal

from tasks import tracing
from tasks.clock import rfc3339
from tasks.context import present
from tasks.lines import message_of, types_of

Format = Literal["text", "json"]
LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"


class WordlessFormatter(logging.Formatter):
    """Text. Tells of an exception its type and where it was raised, without its text."""

    def __init__(self) -> None:
        super().__init__(LINE)

    def format(self, record: logging.LogRecord) -> str:
        told = logging.makeLogRecord(record.__dict__)
        told.msg, told.args, told.exc_text = message_of(record) + _suffix(), (), None
        return super().format(told)

    def formatException(self, ei: Any) -> str:  # noqa: N802 (the name is logging's)
        _, error, trace = ei
        frames = "".join(traceback.format_tb(trace)).rstrip()
        return f"Traceback (most recent call last):\n{frames}\n{' from '.join(types_of(error))}"


class JsonFormatter(WordlessFormatter):
    """One object a line, in ASCII, so that no encoding of a terminal or a pipe makes it unreadable."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": rfc3339(round(record.created * 1_000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message_of(record),
            **_about(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def formatter(wanted: Format) -> logging.Formatter:
    return JsonFormatter() if wanted == "json" else WordlessFormatter()


def _about() -> dict[str, str | int]:
    context = present()
    return {**(context.as_fields() if context is not None else {}), **tracing.ids()}


def _suffix() -> str:
    about = " ".join(f"{name}={value}" for name, value in _about().items())
    return f" [{about}]" if about else ""
