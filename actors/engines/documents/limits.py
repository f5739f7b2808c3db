"""How much one document may cost, and how the operating system is told so.

The bounds hold in the reading process; the engine only hands them over.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

from tasks.payloads import Frozen

MIB = 1024 * 1024
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class Limits(Frozen):
    """Bounds for one document. OCR of an A4 page costs 1 to 2 s and 300 to 770 MB, which sets the scale."""

    seconds: float = 600
    memory_bytes: int = 1024 * MIB
    file_bytes: int = 256 * MIB
    unpacked_bytes: int = 400 * MIB
    unpacked_ratio: int = 150
    pixels: int = 60_000_000
    ocr_pages: int = 200
    characters: int = 2_000_000
    attachments: int = 50
    attachment_depth: int = 3


def bind_process(limits: Limits, parent: int) -> None:
    """Bound this process for good: memory, CPU, no core dump (it would hold a client's text), and no life after
    `parent`, which must be the process that forked it from its only thread."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _bound(resource.RLIMIT_DATA, limits.memory_bytes)
    # Address space counts mapped libraries and files too; twice the memory leaves room for both.
    _bound(resource.RLIMIT_AS, 2 * limits.memory_bytes)
    _bound(resource.RLIMIT_CPU, int(limits.seconds) + 1)
    _die_with(parent)


def _bound(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was told
        os._exit(1)
