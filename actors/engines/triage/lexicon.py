"""The words of each area of law, as a reader of `bank/lexicon.txt`: a weak voice among the features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from tasks.payloads import Area

AREAS: tuple[Area, ...] = get_args(Area)
PATH = Path(__file__).with_name("bank") / "lexicon.txt"
LONGEST_TERM = 4


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Terms of one to four words and the areas they speak for; `word*` stands for every ending."""

    exact: Mapping[str, tuple[int, ...]]
    stems: Mapping[str, tuple[int, ...]]

    def score(self, tokens: Sequence[str]) -> NDArray[np.float32]:
        """One number per area: how many of its terms occur, damped, so that a long text does not shout."""
        hits: dict[int, set[str]] = defaultdict(set)
        for term, areas in self._found(tokens):
            for area in areas:
                hits[area].add(term)
        return np.array([np.log1p(len(hits[i])) for i in range(len(AREAS))], dtype=np.float32)

    def _found(self, tokens: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
        found = []
        for size in range(1, LONGEST_TERM + 1):
            for start in range(len(tokens) - size + 1):
                found += self._lookup(" ".join(tokens[start : start + size]))
        return found

    def _lookup(self, term: str) -> list[tuple[str, tuple[int, ...]]]:
        whole = [(term, self.exact[term])] if term in self.exact else []
        stem = next((term[:n] for n in range(len(term), 3, -1) if term[:n] in self.stems), None)
        return [*whole, (stem, self.stems[stem])] if stem else whole


def load(path: Path = PATH) -> Lexicon:
    """Read a lexicon: a line `[area]` opens an area, below it one or more terms a line, parted by commas."""
    exact: dict[str, set[int]] = defaultdict(set)
    stems: dict[str, set[int]] = defaultdict(set)
    area = -1
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            area = AREAS.index(line.strip("[] "))
        elif line and not line.startswith("#"):
            for term in filter(None, (t.strip() for t in line.split(","))):
                (stems if term.endswith("*") else exact)[term.rstrip("*")].add(area)
    return Lexicon(_frozen(exact), _frozen(stems))


def _frozen(terms: Mapping[str, set[int]]) -> dict[str, tuple[int, ...]]:
    return {term: tuple(sorted(areas)) for term, areas in terms.items()}
