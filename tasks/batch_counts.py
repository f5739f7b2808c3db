"""What a batch came to, as it is now: a case that was run again by itself counts as what it came to last.

The result of a batch is written with its end. Its cases are counted by the scripts at each move of theirs, also after
that end, so whoever reads the result is told those counts: there is no moment at which the two differ.
"""

from __future__ import annotations

from dataclasses import replace

from tasks.catalog import BATCH
from tasks.record import Task


def recounted(task: Task) -> Task:
    """A task as it is; the result of a batch with the counts of its cases."""
    if task.name != BATCH or task.children is None or not isinstance(task.result, dict):
        return task
    now = task.children
    counts = {"succeeded": now.succeeded, "failed": now.failed, "cancelled": now.cancelled}
    return replace(task, result=task.result | counts)
