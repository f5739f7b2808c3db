"""Conditional requests (RFC 9110, section 13): which version of a record a client has, and what it makes of that.

The entity-tag is strong: every change of a record gives it another one, progress too. What is counted at the moment
of reading is no change: `wait_ms`, `run_ms` and `expected_start_at`. `position` is none either, for who moves the
task; but who reads it wants to see it, so it stands behind the version, and only reading looks at it. So does
the mark of a record that is shown without what clients told.
"""

from __future__ import annotations

import re

from starlette.requests import Request

from tasks.ledger import UNCONDITIONAL
from tasks.record import Task

ANY = "*"
NONE_THAT_THERE_IS = "-"
_TAG = re.compile(r'(W/)?"([!#-~\x80-\xff]*)"')
_VERSION = re.compile(r"[0-9cp.-]+")
_POSITION = "@"
_BARE = "~"


def entity_tag(task: Task, position: int | None = None, *, bare: bool = False) -> str:
    seen = ("" if position is None else str(position)) + (_BARE if bare else "")
    return f'"{task.version}{_POSITION}{seen}"' if seen else f'"{task.version}"'


def has_it_already(request: Request, tag: str) -> bool:
    """Whether the client has just this: the answer is then a 304."""
    given = _field(request, "if-none-match")
    if given == ANY:
        return True
    # The comparison is weak here: a proxy may have marked the tag so.
    return tag.strip('"') in {text for _, text in _TAG.findall(given)}


def seen_by(request: Request) -> str:
    """What `If-Match` binds a move to, as `cancel_task` takes it. A weak tag never matches, nor what is no tag."""
    if "if-match" not in request.headers:
        return UNCONDITIONAL
    given = _field(request, "if-match")
    if given == ANY:
        return ANY
    versions = [text.partition(_POSITION)[0] for weak, text in _TAG.findall(given) if not weak]
    return ",".join(filter(_VERSION.fullmatch, versions)) or NONE_THAT_THERE_IS


def _field(request: Request, name: str) -> str:
    return ",".join(request.headers.getlist(name)).strip()
