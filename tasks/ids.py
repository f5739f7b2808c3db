"""Ids of tasks: UUIDs that sort by the time at which they were made (RFC 9562, version 7)."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from uuid import UUID

TASK_ID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")


def new_id() -> str:
    """A fresh id: 48 bits of milliseconds, then 74 random bits."""
    return _uuid7(time.time_ns() // 1_000_000, secrets.randbits(80))


def child_id(parent_id: str, index: int) -> str:
    """The id of a parent's child number `index`: always the same, so a parent that runs again queues no child
    twice."""
    digest = hashlib.sha256(f"{parent_id}/{index}".encode()).digest()
    return _uuid7(UUID(parent_id).int >> 80, int.from_bytes(digest[:10]))


def is_task_id(text: str) -> bool:
    return TASK_ID.match(text) is not None


def _uuid7(milliseconds: int, tail: int) -> str:
    value = (milliseconds & (1 << 48) - 1) << 80 | tail
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))
