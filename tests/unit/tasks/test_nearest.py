"""The search in memory gives what comparing with everything would give, whatever was put and dropped before."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import nearest
from tasks.nearest import Space
from tasks.vectors import CaseVector

DIMENSIONS = 8
ALL = 1_000_000
needs_usearch = pytest.mark.skipif(find_spec("usearch") is None, reason="the extra similar is not installed")


def vector(case_id: str, values: Sequence[float], version: str = "v1") -> CaseVector:
    return CaseVector(case_id, version, "m", struct.pack(f"<{len(values)}e", *values))


def some(count: int, seed: int = 0, prefix: str = "case") -> list[CaseVector]:
    drawn = np.random.default_rng(seed).normal(size=(count, DIMENSIONS))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return [vector(f"{prefix}-{number}", values.tolist()) for number, values in enumerate(drawn)]


def by_hand(held: dict[str, CaseVector], asked: CaseVector, most: int) -> list[float]:
    """The best scores, by comparing one by one."""

    def values(of: CaseVector) -> np.ndarray:
        read = np.array(struct.unpack(f"<{DIMENSIONS}e", of.values))
        return np.asarray(read / np.linalg.norm(read))

    scores = [float(values(asked) @ values(other)) for other in held.values() if other.case_id != asked.case_id]
    return sorted(scores, reverse=True)[:most]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(1, 9)), max_size=80))
def test_after_any_puts_and_drops_the_nearest_are_the_nearest(steps: list[tuple[bool, int, int]]) -> None:
    space, held = Space(DIMENSIONS, ALL), {}
    for is_put, number, seed in steps:
        if is_put:
            (put,) = some(1, seed=seed * 100 + number, prefix=f"c{number}")
            space.put([put])
            held[put.case_id] = put
        else:
            space.drop([f"c{number}-0"])
            held.pop(f"c{number}-0", None)

    assert len(space) == len(held)
    asked = next(iter(held.values()), some(1)[0])
    found = space.nearest(asked, 5)
    assert [neighbour.score for neighbour in found] == pytest.approx(by_hand(held, asked, 5), abs=2e-3)
    assert asked.case_id not in {neighbour.case_id for neighbour in found}
    assert all(neighbour.case_id in held for neighbour in found)


def test_it_grows_and_tells_the_conversation_of_each_vector() -> None:
    space = Space(2, ALL)
    space.put([vector(f"case-{number}", (1, number / 4_000)) for number in range(2_000)])
    space.put([vector("case-7", (1, 1), version="v2")])

    assert len(space) == 2_000
    nearest_two = space.nearest(vector("asked", (1, 1)), 2)
    assert [(n.case_id, n.version, n.score) for n in nearest_two] == [
        ("case-7", "v2", 1.0),
        ("case-1999", "v1", pytest.approx(0.9486, abs=1e-3)),
    ]
    assert space.bytes >= 2_000 * 2 * 4


@needs_usearch
def test_beyond_the_bound_the_index_finds_what_the_comparison_found() -> None:
    vectors = some(3_000)
    exact, indexed = Space(DIMENSIONS, ALL), Space(DIMENSIONS, exact_most=1_000)
    exact.put(vectors)
    indexed.put(vectors)
    assert indexed.wants_indexing
    assert not exact.wants_indexing
    while indexed.index_some():
        pass

    # What comes, changes and goes after the index was built is known at once.
    newer = [vectors[5], *some(50, seed=1, prefix="new")]
    for space in (exact, indexed):
        space.drop([asked.case_id for asked in vectors[10:20]])
        space.put(newer)
    assert indexed.wants_indexing

    asked = [*vectors[100:150], *newer]
    agreed = [
        len({n.case_id for n in exact.nearest(a, 10)} & {n.case_id for n in indexed.nearest(a, 10)}) for a in asked
    ]
    assert sum(agreed) >= 0.97 * 10 * len(asked)
    assert {n.case_id for a in asked for n in indexed.nearest(a, 10)}.isdisjoint(v.case_id for v in vectors[10:20])


def test_without_the_library_the_search_stays_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "is_index_installed", lambda: False)
    vectors = some(300)
    space = Space(DIMENSIONS, exact_most=100)
    space.put(vectors)

    assert not space.wants_indexing
    assert not space.index_some()
    held = {v.case_id: v for v in vectors}
    found = [neighbour.score for neighbour in space.nearest(vectors[0], 10)]
    assert found == pytest.approx(by_hand(held, vectors[0], 10), abs=2e-3)


@needs_usearch
def test_searches_puts_and_the_index_go_on_at_once() -> None:
    vectors = some(2_000)
    space = Space(DIMENSIONS, exact_most=500)
    space.put(vectors[:1_000])

    def do(step: int) -> int:
        if step % 3 == 0:
            space.put(vectors[1_000 + step : 1_003 + step])
        elif step % 3 == 1:
            space.index_some()
        else:
            space.drop([vectors[step].case_id])
        return len(space.nearest(vectors[999], 10))

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(do, range(600))) == {10}
