"""Vectors that all workers share, as an engine's cache asks for them: for the run that is going on, and never at its
cost. A store that is away is a miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from middleware.run import Run, current_run
from tasks.errors import Unavailable
from tasks.ledger import Ledger
from tasks.shared_vectors import SharedVectors

Vector = NDArray[np.float32]


class SharedByRuns:
    """Finds and keeps vectors of the texts that the calling thread's run reads, and counts what was known."""

    def __init__(self, ledger: Ledger, vectors: SharedVectors) -> None:
        self._ledger = ledger
        self._vectors = vectors

    def find(self, model: str, texts: Sequence[str]) -> dict[str, Vector]:
        run = self._run_that_shares()
        if run is None:
            return {}
        found: dict[str, bytes] = {}
        with suppress(Unavailable):
            found = self._vectors.find(run.tenant, model, texts)
            self._ledger.count_cached(run.task_id, len(found), len(texts) - len(found))
        # One that isn't made of floats was written by nobody of ours, or cut.
        return {text: np.frombuffer(raw, "<f4") for text, raw in found.items() if raw and len(raw) % 4 == 0}

    def keep(self, model: str, vectors: Mapping[str, Vector]) -> None:
        run = self._run_that_shares()
        if run is None:
            return
        with suppress(Unavailable):
            packed = {text: vector.astype("<f4").tobytes() for text, vector in vectors.items()}
            self._vectors.keep(run.tenant, run.started.case_id or "", model, packed)

    def _run_that_shares(self) -> Run | None:
        """The text of a document is its case's, which needn't be the run's: so it isn't shared."""
        run = current_run()
        if run is None or not self._vectors.is_on or run.started.payload.get("document_ids"):
            return None
        return run
