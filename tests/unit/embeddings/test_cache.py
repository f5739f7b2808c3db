"""The cache asks no engine twice, is bounded, and keeps tenants and models apart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from actors.engines.embeddings.cache import Cached, VectorCache, remembering_for
from tests.unit.embeddings.stand_ins import Engine, unheard, vector_of


def test_the_same_text_is_asked_once() -> None:
    engine, cache = Engine(), VectorCache(10)
    cached = Cached(engine, cache)

    with remembering_for("acme"):
        first = cached.embed(["um", "três", "um"], unheard)
        second = cached.embed(["três", "quatro"], unheard)

    assert engine.calls == [["um", "três"], ["quatro"]]
    assert np.allclose(first, [vector_of(text) for text in ("um", "três", "um")])
    assert np.allclose(second, [vector_of(text) for text in ("três", "quatro")])
    assert (cache.hits, cache.misses) == (1, 4)


def test_tenants_and_models_do_not_answer_for_each_other() -> None:
    one, other, cache = Engine(), Engine(), VectorCache(10)
    other.name = "another"

    for tenant, engine in (("acme", one), ("rival", one), ("acme", other)):
        with remembering_for(tenant):
            Cached(engine, cache).embed(["um"], unheard)

    assert one.calls == [["um"], ["um"]]
    assert other.calls == [["um"]]


def test_it_keeps_what_was_used_last() -> None:
    engine, cache = Engine(), VectorCache(2)
    cached = Cached(engine, cache)

    with remembering_for("acme"):
        for text in ("a", "bb", "a", "ccc", "a", "bb"):
            cached.embed([text], unheard)

    assert engine.calls == [["a"], ["bb"], ["ccc"], ["bb"]]
    assert len(cache) == 2


def test_what_nobody_uses_for_an_hour_leaves_as_others_come() -> None:
    now = [0.0]
    engine, cache = Engine(), VectorCache(10, clock=lambda: now[0])
    cached = Cached(engine, cache)

    with remembering_for("acme"):
        for moment, text in ((0, "unused"), (0, "used"), (3_000, "used"), (3_601, "new"), (3_601, "used")):
            now[0] = moment
            cached.embed([text], unheard)

    assert len(cache) == 2
    assert engine.calls == [["unused"], ["used"], ["new"]]


@pytest.mark.parametrize(("most", "tenant"), [(0, "acme"), (10, None)])
def test_switched_off_or_outside_of_a_run_nothing_is_remembered(most: int, tenant: str | None) -> None:
    engine, cache = Engine(), VectorCache(most)
    cached = Cached(engine, cache)

    for _ in range(2):
        if tenant is None:
            cached.embed(["um"], unheard)
        else:
            with remembering_for(tenant):
                cached.embed(["um"], unheard)

    assert engine.calls == [["um"], ["um"]]
    assert len(cache) == 0


def test_a_failure_is_not_remembered() -> None:
    engine, cache = Engine(), VectorCache(10)

    with remembering_for("acme"), pytest.raises(ValueError, match="veneno"):
        Cached(engine, cache).embed(["um", "veneno"], unheard)

    assert len(cache) == 0


def test_what_is_known_counts_as_done() -> None:
    cached = Cached(Engine(), VectorCache(10))
    heard: list[float] = []

    with remembering_for("acme"):
        cached.embed(["um"], unheard)
        cached.embed(["um", "dois"], lambda percent, _message: heard.append(percent))

    assert heard == [100]


def test_many_threads_keep_the_bound() -> None:
    cache = VectorCache(50)
    cached = Cached(Engine(), cache)

    def ask(number: int) -> bool:
        texts = ["x" * ((number + step) % 200) for step in range(10)]
        with remembering_for("acme"):
            return np.allclose(cached.embed(texts, unheard), [vector_of(text) for text in texts])

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(400)))
    assert len(cache) <= 50
