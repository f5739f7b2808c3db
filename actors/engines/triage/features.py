"""Turns a text into the numbers that the linear models read: an embedding, hashed n-grams, lexicon counts.

Raising `VERSION` is due whenever a text would give other numbers than before: old weights are refused then.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.engines.triage.folding import words
from actors.engines.triage.lexicon import Lexicon

VERSION = 1
WORD_BUCKETS = 1 << 15
CHAR_BUCKETS = 1 << 15
CHAR_SIZES = (3, 4, 5)
MAX_WORDS = 600

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse vector: the buckets that are not zero, and their values."""

    index: Indices
    value: Floats

    def dot(self, weights: Floats) -> Floats:
        """The product with a matrix of one row per bucket."""
        return np.asarray(self.value @ weights[self.index], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Grams:
    """The raw counts of a text, before any weighting by rarity."""

    word: Mapping[int, int]
    char: Mapping[int, int]
    lexicon: Floats


def count(text: str, lexicon: Lexicon) -> Grams:
    """Count the hashed n-grams and the lexicon terms of a text; only its first `MAX_WORDS` words are read."""
    tokens = words(text)[:MAX_WORDS]
    return Grams(
        word=Counter(_bucket(gram, WORD_BUCKETS) for gram in _word_grams(tokens)),
        char=Counter(_bucket(gram, CHAR_BUCKETS) for gram in _char_grams(tokens)),
        lexicon=lexicon.score(tokens),
    )


def weigh(counts: Mapping[int, int], idf: Floats) -> Sparse:
    """Sublinear TF-IDF of unit length (Salton and Buckley 1988, scheme 'ltc')."""
    index = np.fromiter(sorted(counts), dtype=np.int64, count=len(counts))
    frequency = np.array([1 + math.log(counts[i]) for i in index.tolist()], dtype=np.float32)
    value = frequency * idf[index].astype(np.float32)
    norm = float(np.linalg.norm(value))
    return Sparse(index, value / norm if norm else value)


def inverse_frequency(documents: Iterable[Mapping[int, int]], buckets: int) -> Floats:
    """Smoothed inverse document frequency, `1 + ln((1 + n) / (1 + df))`."""
    seen = np.zeros(buckets, dtype=np.float64)
    n = 0
    for counts in documents:
        seen[list(counts)] += 1
        n += 1
    return (1 + np.log((1 + n) / (1 + seen))).astype(np.float32)


def _word_grams(tokens: list[str]) -> Iterable[str]:
    yield from tokens
    yield from (f"{a} {b}" for a, b in itertools.pairwise(tokens))


def _char_grams(tokens: list[str]) -> Iterable[str]:
    for token in tokens:
        padded = f"<{token[:40]}>"
        for size in CHAR_SIZES:
            yield from (padded[i : i + size] for i in range(len(padded) - size + 1))


def _bucket(gram: str, buckets: int) -> int:
    return zlib.crc32(gram.encode()) % buckets
