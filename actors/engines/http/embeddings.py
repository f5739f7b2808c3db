"""Embeddings by a provider, through `/embeddings`: in batches, each answer checked before a vector is used.

A failure is never made up for here: vectors of two models lie in two spaces, and mixing them unseen would spoil every
comparison made with them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.engines import Report
from actors.engines.http.exchange import Deadline, Exchange

BATCH = 64
BATCH_CHARACTERS = 200_000
MAX_ANSWER_BYTES = 32 << 20

Vector = NDArray[np.float32]


class HttpEmbeddings:
    """`dimensions` is 0 until the first answer, which decides it for the process."""

    def __init__(self, exchange: Exchange) -> None:
        self.name = exchange.provider.model
        self.dimensions = 0
        self._exchange = exchange

    def embed(self, texts: Sequence[str], report: Report) -> Sequence[Sequence[float]]:
        """One unit vector per text. Raises `ProviderFailed`."""
        vectors: list[Any] = []
        for batch in _batches(texts):
            vectors.extend(self._embed(batch))
            report(100 * len(vectors) / len(texts), f"{len(vectors)} de {len(texts)} textos")
        return vectors

    def _embed(self, batch: Sequence[str]) -> list[Vector]:
        question = {"model": self.name, "input": batch, "encoding_format": "base64"}
        deadline = Deadline.after(self._exchange.provider.timeout_s)
        answer = self._exchange.ask("/embeddings", question, deadline, MAX_ANSWER_BYTES)
        vectors = [self._vector(entry) for entry in self._in_order(answer.get("data"), len(batch))]
        self._check_dimensions(vectors)
        return vectors

    def _in_order(self, data: object, count: int) -> list[dict[str, Any]]:
        if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
            raise self._exchange.failed("unexpected answer")
        if len(data) != count:
            raise self._exchange.failed("wrong number of vectors")
        places = [entry.get("index", place) for place, entry in enumerate(data)]
        if not all(isinstance(place, int) for place in places) or sorted(places) != list(range(count)):
            raise self._exchange.failed("wrong order of vectors")
        return [data[places.index(place)] for place in range(count)]

    def _vector(self, entry: dict[str, Any]) -> Vector:
        try:
            vector = _decode(entry.get("embedding"))
        except (ValueError, TypeError, OverflowError, binascii.Error):
            raise self._exchange.failed("unreadable vector") from None
        norm = float(np.linalg.norm(vector.astype(np.float64)))
        if vector.ndim != 1 or not np.isfinite(norm) or norm == 0:
            raise self._exchange.failed("unreadable vector")
        return (vector / norm).astype(np.float32)

    def _check_dimensions(self, vectors: Sequence[Vector]) -> None:
        expected = self.dimensions or len(vectors[0])
        if any(len(vector) != expected for vector in vectors):
            raise self._exchange.failed("wrong dimensions")
        self.dimensions = expected


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        # Providers refuse an empty text; a full stop is far from everything.
        clean = text.replace("\0", " ").strip() or "."
        if batch and (len(batch) == BATCH or size + len(clean) > BATCH_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(clean)
        size += len(clean)
    if batch:
        yield batch


def _decode(embedding: object) -> Vector:
    """Floats, or base64 of little-endian float32: providers answer with either, whatever was asked for."""
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    return np.asarray(embedding, dtype=np.float32)
