"""Keeps what providers say that their answers cost: a line of the log for each, and sums that the API shows."""

from __future__ import annotations

import logging

from actors.engines.http.usage import Usage
from middleware.run import current_run
from tasks.errors import Unavailable
from tasks.ledger import Ledger

log = logging.getLogger(__name__)


class Spending:
    """A meter of engines that work for tasks. Sums are kept by task type, queue and tenant, with the other figures of
    `/api/tasks/stats` and of reports. A Redis that is away costs the count, never the run."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, model: str, usage: Usage) -> None:
        run = current_run()
        log.info(
            "task %s: an answer of %s took %d prompt and %d completion tokens",
            run.task_id if run else "(none)", model, usage.prompt_tokens, usage.completion_tokens,
        )  # fmt: skip
        if run is not None:
            self._count(run.task_id, usage)

    def _count(self, task_id: str, usage: Usage) -> None:
        try:
            self._ledger.count_tokens(task_id, usage.prompt_tokens, usage.completion_tokens)
        except Unavailable:
            log.warning("task %s: its tokens could not be counted", task_id)
