"""Joined calls: who waits goes together, and nobody pays for another's text, error or interrupt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import get_ident

import numpy as np
import pytest
from dramatiq.middleware.threading import raise_thread_exception

from actors.engines.embeddings.joined import ALONE_FROM, LEAST, MOST, Joined
from tests.conftest import wait_until
from tests.unit.embeddings.stand_ins import Engine, unheard, vector_of

Vectors = Sequence[Sequence[float]]
Ask = Callable[..., Future[Vectors]]


class Stop(BaseException):
    """As an interrupt is raised in a thread from outside."""


class Callers:
    """Threads that ask an engine which is held up in its first call."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.engine = Engine()
        self.joined = Joined(self.engine)
        self.threads: dict[str, int] = {}
        self._pool = pool
        self.engine.free.clear()
        self.first = pool.submit(self._embed, ["primeiro"])
        wait_until(lambda: self.engine.calls, "the engine is asked")

    def ask(self, *texts: str) -> Future[Vectors]:
        waiting = len(self.joined._waiting)
        future = self._pool.submit(self._embed, texts)
        wait_until(lambda: len(self.joined._waiting) == waiting + 1, "the question waits")
        return future

    def _embed(self, texts: Sequence[str]) -> Vectors:
        self.threads[texts[0]] = get_ident()
        return self.joined.embed(texts, unheard)


@pytest.fixture
def callers():  # type: ignore[no-untyped-def]
    with ThreadPoolExecutor(80) as pool:
        callers = Callers(pool)
        yield callers
        callers.engine.free.set()


def test_who_waits_goes_together_in_the_next_call(callers: Callers) -> None:
    two, three = callers.ask("bb", "ccc"), callers.ask("dddd")
    callers.engine.free.set()

    assert np.allclose(callers.first.result(10), [vector_of("primeiro")])
    assert np.allclose(two.result(10), [vector_of("bb"), vector_of("ccc")])
    assert np.allclose(three.result(10), [vector_of("dddd")])
    assert callers.engine.calls == [["primeiro"], ["bb", "ccc", "dddd"]]


def test_one_bad_text_fails_its_own_caller(callers: Callers) -> None:
    good, bad, other = callers.ask("bb"), callers.ask("veneno"), callers.ask("ccc")
    callers.engine.free.set()

    assert np.allclose(good.result(10), [vector_of("bb")])
    assert np.allclose(other.result(10), [vector_of("ccc")])
    with pytest.raises(ValueError, match="veneno"):
        bad.result(10)
    assert np.allclose(callers.joined.embed(["depois"], unheard), [vector_of("depois")])


def test_an_interrupted_caller_leaves_at_once_and_holds_nobody_up(callers: Callers) -> None:
    waiting, leaving = callers.ask("bb"), callers.ask("ccc")

    for text in ("primeiro", "ccc"):
        raise_thread_exception(callers.threads[text], Stop)  # type: ignore[no-untyped-call]
    for future in (callers.first, leaving):
        with pytest.raises(Stop):
            future.result(10)
    callers.engine.free.set()

    assert np.allclose(waiting.result(10), [vector_of("bb")])
    assert callers.engine.calls == [["primeiro"], ["bb"]]


def test_a_call_is_bounded_and_the_rest_follows_in_order(callers: Callers) -> None:
    lengths = [LEAST + number for number in range(5)]
    asked = [callers.ask(*["x" * length] * (ALONE_FROM // length - 1)) for length in lengths]
    callers.engine.free.set()

    for length, future in zip(lengths, asked, strict=True):
        assert np.allclose(future.result(10), vector_of("x" * length))
    sizes = [sum(map(len, call)) for call in callers.engine.calls[1:]]
    assert len(sizes) == 3
    assert max(sizes) <= MOST


@pytest.mark.parametrize("texts", [["x" * ALONE_FROM], [""] * (ALONE_FROM // LEAST + 1), []])
def test_what_fills_a_call_goes_alone_and_nothing_goes_at_once(callers: Callers, texts: list[str]) -> None:
    callers.engine.free.set()
    callers.first.result(10)

    assert np.allclose(callers.joined.embed(texts, unheard), [vector_of(text) for text in texts])
    assert callers.joined.calls == 1


def test_an_engine_that_forgets_a_text_fails_instead_of_mixing_callers_up() -> None:
    class Forgetful(Engine):
        def embed(self, texts, report):  # type: ignore[no-untyped-def]
            return super().embed(texts, report)[1:]

    with pytest.raises(ValueError, match="0 vectors for 1 texts"):
        Joined(Forgetful()).embed(["um"], unheard)


def test_under_load_everyone_gets_its_own() -> None:
    engine = Engine()
    joined = Joined(engine)

    def ask(number: int) -> bool:
        texts = ["x" * (number % 97 + step) for step in range(number % 4 + 1)]
        return np.allclose(joined.embed(texts, unheard), [vector_of(text) for text in texts])

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(ask, range(2_000)))
    assert sum(map(len, engine.calls)) == sum(number % 4 + 1 for number in range(2_000))
