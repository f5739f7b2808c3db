"""The breaker opens after five failures in a row and lets one probe through in thirty seconds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from actors.engines.http.breaker import ProcessBreaker


def test_it_opens_probes_and_closes() -> None:
    now = [0.0]
    breaker = ProcessBreaker(clock=lambda: now[0])
    for _ in range(4):
        breaker.failed()
    breaker.succeeded()
    for _ in range(4):
        breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    now[0] = 29.9
    assert not breaker.allows()
    now[0] = 30
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.failed()
    now[0] = 61
    assert [breaker.allows() for _ in range(2)] == [True, False]
    breaker.succeeded()
    assert breaker.allows()


def test_a_long_outage_is_not_remembered_call_by_call() -> None:
    now = [0.0]
    breaker = ProcessBreaker(failures=2, cooldown_s=1, clock=lambda: now[0])
    for now[0] in range(1_000):
        breaker.allows()
        breaker.failed()
    assert breaker._open is not None
    assert len(breaker._failures) == 2
    assert len(breaker._open.probes) == 1


def test_one_of_many_threads_probes() -> None:
    now = [0.0]
    breaker = ProcessBreaker(failures=1, clock=lambda: now[0])
    breaker.failed()
    now[0] = 30
    with ThreadPoolExecutor(16) as threads:
        allowed = list(threads.map(lambda _: breaker.allows(), range(500)))
    assert allowed.count(True) == 1
