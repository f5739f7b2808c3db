"""Fingerprints of faults: which failed tasks failed of the same.

One stands for the type of task, the type of the error and the place in our code where it was raised, without its
line. It holds nothing of a payload, and stays the same over tasks, workers and most releases.
"""

from __future__ import annotations

import hashlib

from tasks.record import Task


def fingerprint(task_name: str, error_type: str, place: str) -> str:
    """Of a fault: 12 hex digits."""
    return hashlib.sha256("\n".join((task_name, error_type, place)).encode()).hexdigest()[:12]


def fingerprint_of(task: Task) -> str:
    """That of a failed task. One that no run has ended (a crashed worker's, a missing actor's), or that an older
    release has written, is told by its types alone."""
    error = task.error or {}
    return str(error.get("fingerprint") or fingerprint(task.name, str(error.get("type", "")), ""))
