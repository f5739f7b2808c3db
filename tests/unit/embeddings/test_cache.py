"""The cache asks no engine twice, is bounded, and keeps tenants and models apart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from actors.engines.embeddings.cache import Cached, VectorCache, Whose, nobodys
from tests.unit.embeddings.stand_ins import Engine, unheard, vector_of


def acme() -> str:
    return "acme"


def test_the_same_text_is_asked_once() -> None:
    engine, cache = Engine(), VectorCache(10)
    cached = Cached(engine, cache, acme)

    first = cached.embed(["um", "três", "um"], unheard)
    second = cached.embed(["três", "quatro"], unheard)

    assert engine.calls == [["um", "três"], ["quatro"]]
    assert np.allclose(first, [vector_of(text) for text in ("um", "três", "um")])
    assert np.allclose(second, [vector_of(text) for text in ("três", "quatro")])
    assert (cache.hits, cache.misses) == (1, 4)


def test_tenants_and_models_do_not_answer_for_each_other() -> None:
    one, other, cache = Engine(), Engine(), VectorCache(10)
    other.name = "another"

    for whose, engine in ((acme, one), (lambda: "rival", one), (acme, other)):
        Cached(engine, cache, whose).embed(["um"], unheard)

    assert one.calls == [["um"], ["um"]]
    assert other.calls == [["um"]]


def test_it_keeps_what_was_used_last() -> None:
    engine, cache = Engine(), VectorCache(2)
    cached = Cached(engine, cache, acme)

    for text in ("a", "bb", "a", "ccc", "a", "bb"):
        cached.embed([text], unheard)

    assert engine.calls == [["a"], ["bb"], ["ccc"], ["bb"]]
    assert len(cache) == 2


def test_what_nobody_uses_for_an_hour_leaves_as_others_come() -> None:
    now = [0.0]
    engine, cache = Engine(), VectorCache(10, clock=lambda: now[0])
    cached = Cached(engine, cache, acme)

    for moment, text in ((0, "unused"), (0, "used"), (3_000, "used"), (3_601, "new"), (3_601, "used")):
        now[0] = moment
        cached.embed([text], unheard)

    assert len(cache) == 2
    assert engine.calls == [["unused"], ["used"], ["new"]]


@pytest.mark.parametrize(("most", "whose"), [(0, acme), (10, nobodys)])
def test_switched_off_or_outside_of_a_run_nothing_is_remembered(most: int, whose: Whose) -> None:
    engine, cache = Engine(), VectorCache(most)

    for _ in range(2):
        Cached(engine, cache, whose).embed(["um"], unheard)

    assert engine.calls == [["um"], ["um"]]
    assert len(cache) == 0


def test_a_failure_is_not_remembered() -> None:
    engine, cache = Engine(), VectorCache(10)

    with pytest.raises(ValueError, match="veneno"):
        Cached(engine, cache, acme).embed(["um", "veneno"], unheard)

    assert len(cache) == 0


def test_what_is_known_counts_as_done() -> None:
    cached = Cached(Engine(), VectorCache(10), acme)
    heard: list[float] = []

    cached.embed(["um"], unheard)
    cached.embed(["um", "dois"], lambda percent, _message: heard.append(percent))

    assert heard == [100]


def test_many_threads_keep_the_bound() -> None:
    cache = VectorCache(50)
    cached = Cached(Engine(), cache, acme)

    def ask(number: int) -> bool:
        texts = ["x" * ((number + step) % 200) for step in range(10)]
        return np.allclose(cached.embed(texts, unheard), [vector_of(text) for text in texts])

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(400)))
    assert len(cache) <= 50
