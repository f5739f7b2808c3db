"""How a line of a log is written: as text, or as one JSON object. Both name what the line is about, and neither tells
the words of an exception: they may quote what a client said.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any, Literal

from tasks import tracing
from tasks.clock import rfc3339
from tasks.context import present

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
        return f"Traceback (most recent call last):\n{frames}\n{' from '.join(_types(error))}"


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


def message_of(record: logging.LogRecord) -> str:
    """What a line says. One whose arguments don't fit it must not be told of with them, as logging would do; and
    asyncio tells of a forgotten exception with its text, below the first line."""
    try:
        message = record.getMessage()
    except Exception as error:  # noqa: BLE001 (whatever an argument raises that is to be written)
        return f"a line of {record.pathname}:{record.lineno} can't be written: {type(error).__name__}"
    return message.partition("\n")[0] if record.name == "asyncio" else message


def _about() -> dict[str, str | int]:
    context = present()
    return {**(context.as_fields() if context is not None else {}), **tracing.ids()}


def _suffix() -> str:
    about = " ".join(f"{name}={value}" for name, value in _about().items())
    return f" [{about}]" if about else ""


def _types(error: BaseException | None) -> Iterator[str]:
    """What an exception is, and what it came from."""
    told: set[int] = set()
    while error is not None and id(error) not in told:
        told.add(id(error))
        yield type(error).__qualname__
        error = error.__cause__ or error.__context__
