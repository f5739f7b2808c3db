"""Vectors of one model in memory, and the search for the nearest: exact, by numpy, up to a number of them; beyond
that by the index of the library usearch, where it is installed, and exact where it isn't.

Knows cases by their ids only. May be used from several threads.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.vectors import CaseVector

FIRST_ROOM = 256
INDEXED_AT_ONCE = 50
"""So long a search may have to wait for the index: some 20 ms."""
UNINDEXED_MOST = 2_000
"""What the index doesn't know yet is compared one by one, up to so many."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A case, its cosine similarity (-1 to 1), and the conversation of which its vector was made."""

    case_id: str
    version: str
    score: float


class Space:
    """The vectors of one model and one size. More than `exact_most` are worth an index."""

    def __init__(self, dimensions: int, exact_most: int) -> None:
        self._dimensions = dimensions
        self._exact_most = exact_most
        self._lock = Lock()
        self._cases: list[str] = []
        self._versions: list[str] = []
        self._rows: dict[str, int] = {}
        self._matrix: Floats = np.empty((FIRST_ROOM, dimensions), dtype=np.float32)
        self._index: _Index | None = None
        self._unindexed: set[str] = set()

    def __len__(self) -> int:
        return len(self._cases)

    @property
    def bytes(self) -> int:
        """About what this takes in memory."""
        return self._matrix.nbytes + 200 * len(self) + (self._index.bytes if self._index else 0)

    def put(self, vectors: Sequence[CaseVector]) -> None:
        """Hold these, each instead of what its case had before."""
        fresh = _decode(vectors, self._dimensions)
        with self._lock:
            for vector, values in zip(vectors, fresh, strict=True):
                self._put(vector, values)

    def _put(self, vector: CaseVector, values: Floats) -> None:
        row = self._rows.get(vector.case_id)
        if row is None:
            row = self._rows[vector.case_id] = len(self._cases)
            self._cases.append(vector.case_id)
            self._versions.append(vector.version)
            if row == len(self._matrix):
                self._matrix = np.concatenate([self._matrix, np.empty_like(self._matrix)])
        self._versions[row] = vector.version
        self._matrix[row] = values
        if self._index is not None:
            self._index.forget(vector.case_id)
            self._unindexed.add(vector.case_id)

    def drop(self, case_ids: Iterable[str]) -> None:
        """Forget these; those that aren't here are no error."""
        with self._lock:
            for case_id in case_ids:
                self._drop(case_id)

    def _drop(self, case_id: str) -> None:
        row = self._rows.pop(case_id, None)
        if row is None:
            return
        last, version = self._cases.pop(), self._versions.pop()
        if last != case_id:
            self._cases[row], self._versions[row], self._rows[last] = last, version, row
            self._matrix[row] = self._matrix[len(self._cases)]
        if self._index is not None:
            self._index.forget(case_id)
            self._unindexed.discard(case_id)

    def nearest(self, vector: CaseVector, most: int) -> list[Neighbour]:
        """The cases nearest to this one, itself left out, the nearest first."""
        (query,) = _decode([vector], self._dimensions)
        with self._lock:
            rows = self._candidates(query, most + 1)
            scores = self._matrix[: len(self)] @ query if rows is None else self._matrix[rows] @ query
            best = _largest(scores, most + 1)
            found = [(int(best_row if rows is None else rows[best_row]), scores[best_row]) for best_row in best]
            named = [Neighbour(self._cases[row], self._versions[row], _rounded(score)) for row, score in found]
        return [neighbour for neighbour in named if neighbour.case_id != vector.case_id][:most]

    # ------------------------------------------------------------------------------------------- the index

    def _candidates(self, query: Floats, most: int) -> NDArray[np.int64] | None:
        """The rows worth a look; `None` for all of them."""
        is_small = len(self) <= self._exact_most
        if is_small or self._index is None or len(self._unindexed) > UNINDEXED_MOST:
            return None
        likely = (*self._index.nearest(query, most), *self._unindexed)
        return np.array([self._rows[case_id] for case_id in likely], dtype=np.int64)

    @property
    def wants_indexing(self) -> bool:
        if len(self) <= self._exact_most or not is_index_installed():
            return False
        return self._index is None or bool(self._unindexed)

    def index_some(self) -> bool:
        """Bring the index a step further; false where nothing is left to do. For a thread of its own: an index takes
        its time, and searches go on meanwhile."""
        with self._lock:
            if not self.wants_indexing:
                return False
            if self._index is None:
                self._index, self._unindexed = _Index(self._dimensions), set(self._cases)
            some = list(itertools.islice(self._unindexed, INDEXED_AT_ONCE))
            self._index.add(some, self._matrix[[self._rows[case_id] for case_id in some]])
            self._unindexed.difference_update(some)
            return self.wants_indexing


class _Index:
    """usearch's graph (HNSW, Malkov and Yashunin 2018) over half-precision copies."""

    def __init__(self, dimensions: int) -> None:
        from usearch.index import Index

        self._graph: Any = Index(ndim=dimensions, metric="ip", dtype="f16")
        self._keys: dict[str, int] = {}
        self._cases: dict[int, str] = {}
        self._next_key = 0

    @property
    def bytes(self) -> int:
        return int(self._graph.memory_usage) + 300 * len(self._keys)

    def add(self, case_ids: Sequence[str], vectors: Floats) -> None:
        keys = np.arange(self._next_key, self._next_key + len(case_ids), dtype=np.uint64)
        self._next_key += len(case_ids)
        self._graph.add(keys, vectors, threads=1)
        for case_id, key in zip(case_ids, keys.tolist(), strict=True):
            self._keys[case_id], self._cases[key] = key, case_id

    def forget(self, case_id: str) -> None:
        key = self._keys.pop(case_id, None)
        if key is not None:
            del self._cases[key]
            self._graph.remove(key)

    def nearest(self, query: Floats, most: int) -> list[str]:
        """More than are asked for: the graph's own order is approximate, and what it finds is compared exactly."""
        matches = self._graph.search(query, 4 * most + 64, threads=1)
        return [self._cases[key] for key in matches.keys.tolist() if key in self._cases]


@cache
def is_index_installed() -> bool:
    return find_spec("usearch") is not None


def _decode(vectors: Sequence[CaseVector], dimensions: int) -> Floats:
    """The vectors as they are searched: single precision, of unit length."""
    raw = np.frombuffer(b"".join(vector.values for vector in vectors), dtype="<f2")
    matrix = raw.reshape(len(vectors), dimensions).astype(np.float32)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.where(norms == 0, 1, norms), dtype=np.float32)


def _largest(scores: Floats, most: int) -> NDArray[np.int64]:
    """Where the largest scores are, the largest first."""
    if len(scores) > most:
        best = np.argpartition(-scores, most - 1)[:most]
        return np.asarray(best[np.argsort(-scores[best], kind="stable")])
    return np.argsort(-scores, kind="stable")


def _rounded(score: Any) -> float:
    """Four digits: half precision is good for no more."""
    return round(min(1.0, max(-1.0, float(score))), 4)
