"""Lines that actors logged, as they are kept with their task: what is taken of a line, and the codec of a part, which
is what a run sends at a time. Whose words they are is not known, so they are sealed like a result.

`middleware/run_lines.py` collects them, `lua/keep_lines.lua` keeps them, `LineReads` tells them.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic_core import from_json

from tasks.case_keys import AsyncCaseKeys
from tasks.clock import rfc3339
from tasks.connection import AsyncRedis
from tasks.keys import Keys
from tasks.record import Task
from tasks.redis_faults import redis_faults
from tasks.sealed_tasks import seal_of
from tasks.sealing import SealBroken
from tasks.settings import Settings

KIND = "lines"
TEXT_AT_MOST = 2_000
"""Characters of a line; of a longer one it is said how many more there were."""
NAME_AT_MOST = 100
PART_BYTES = 8 << 10
"""Of the lines that are sent at a time, before they are sealed; of more, the newest. How much a task keeps is bounded
by `keep_lines.lua`."""
LINES_AT_ONCE = 200


class Line(NamedTuple):
    """`number` counts the lines of a run, so that a gap tells what was lost."""

    number: int
    at_ms: int
    level: str
    logger: str
    text: str


def line_of(number: int, record: logging.LogRecord) -> Line:
    """What is kept of a line. An exception that it tells of is named, without its text."""
    text = message_of(record)
    if record.exc_info and record.exc_info[1] is not None:
        text = f"{text[:TEXT_AT_MOST]} ({' from '.join(types_of(record.exc_info[1]))})"
    level, logger = record.levelname.lower()[:NAME_AT_MOST], record.name[:NAME_AT_MOST]
    return Line(number, round(record.created * 1_000), *map(_sane, (level, logger, _cut(text))))


def message_of(record: logging.LogRecord) -> str:
    """What a line says. One whose arguments don't fit it must not be told of with them, as logging would do; and
    asyncio tells of a forgotten exception with its text, below the first line."""
    try:
        message = record.getMessage()
    except Exception as error:  # noqa: BLE001 (whatever an argument raises that is to be written)
        return f"a line of {record.pathname}:{record.lineno} can't be written: {type(error).__name__}"
    return message.partition("\n")[0] if record.name == "asyncio" else message


def types_of(error: BaseException | None) -> Iterator[str]:
    """What an exception is, and what it came from."""
    told: set[int] = set()
    while error is not None and id(error) not in told:
        told.add(id(error))
        yield type(error).__qualname__
        error = error.__cause__ or error.__context__


def _cut(text: str) -> str:
    more = len(text) - TEXT_AT_MOST
    return text if more <= 0 else f"{text[:TEXT_AT_MOST]} … ({more} more characters)"


def _sane(text: str) -> str:
    """Without halves of surrogates, which no JSON in UTF-8 can hold."""
    return text.encode(errors="backslashreplace").decode()


def encode_part(lines: Sequence[Line]) -> bytes:
    """The newest of these lines that a part has room for."""
    kept: list[str] = []
    size = 0
    for line in reversed(lines):
        kept.append(json.dumps(line[1:], ensure_ascii=False, separators=(",", ":")))
        size += len(kept[-1].encode())
        if size > PART_BYTES:
            kept.pop()
            break
    return f"[{','.join(reversed(kept))}]".encode()


@dataclass(frozen=True, slots=True)
class Told:
    """Lines as the API tells them, oldest first, and how many more there were."""

    lines: list[dict[str, Any]]
    lost: int = 0


class LineReads:
    """Reads the lines of tasks for the gateway."""

    def __init__(self, client: AsyncRedis, settings: Settings, case_keys: AsyncCaseKeys) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self._case_keys = case_keys

    async def of(self, task: Task) -> Told:
        """What its actor logged; nothing where it was erased. Raises `Unavailable`."""
        with redis_faults():
            kept = await self._client.hget(self._keys.of("task", id=task.task_id), "lines")
        if kept is None:
            return Told([])
        if task.case_id:
            await self._case_keys.ask([(task.tenant, task.case_id)])
        head, _, rest = kept.partition(b"\n")
        trimmed, parts = (int(head.removeprefix(b"trimmed ")), rest) if head.startswith(b"trimmed ") else (0, kept)
        lines, lost = [], trimmed
        for part in parts.split(b"\n"):
            mark, _, sealed = part.partition(b" ")
            run, _, counted = mark.decode().split(".")
            found = list(self._opened(task, int(run), base64.b64decode(sealed)))
            lines += found
            lost += int(counted) - len(found)
        return Told(lines, lost)

    def _opened(self, task: Task, run: int, sealed: bytes) -> Iterator[dict[str, Any]]:
        try:
            rows = from_json(seal_of(task, self._case_keys.ring, sealed).open(sealed, KIND))
        except SealBroken:
            return
        for at_ms, level, logger, text in rows:
            yield {"at": rfc3339(at_ms), "run": run, "level": level, "logger": logger, "message": text}
