"""The breaker opens after five failures in a row and lets one probe through in thirty seconds."""

from __future__ import annotations

from actors.engines.http.breaker import ProcessBreaker


def test_it_opens_probes_and_closes() -> None:
    now = [0.0]
    breaker = ProcessBreaker(lambda: now[0])
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
