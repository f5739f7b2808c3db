"""Fingerprints: the same fault has one, whatever the task was about."""

from __future__ import annotations

from collections.abc import Callable

from dramatiq.middleware import TimeLimitExceeded
from hypothesis import given
from hypothesis import strategies as st

from middleware.retries import fingerprint_at
from tasks.catalog import CATALOG
from tasks.errors import InvalidInput


def fault(call: object, words: str) -> BaseException:
    try:
        call(words)  # type: ignore[operator]
    except Exception as error:  # whatever our code raises for such words
        return error
    raise AssertionError("nothing was raised")


def queue_check(words: str) -> None:
    CATALOG.check_queue(f"no queue {words}")


def name_check(words: str) -> None:
    CATALOG.get(f"no task {words}")


@given(one=st.text(max_size=50), other=st.text(max_size=50))
def test_a_fingerprint_tells_the_place_and_none_of_the_words(one: str, other: str) -> None:
    told = fingerprint_at("triage.process_async", fault(queue_check, one))

    assert told == fingerprint_at("triage.process_async", fault(queue_check, other))
    assert told != fingerprint_at("batch.process_case", fault(queue_check, one))
    assert told != fingerprint_at("triage.process_async", fault(name_check, one))


def test_a_fault_outside_of_our_code_has_the_place_where_it_was_raised() -> None:
    inside, outside = fault(int, "no number"), fault(lambda words: [][len(words)], "x")
    assert isinstance(fault(queue_check, "x"), InvalidInput)
    assert fingerprint_at("t", inside) != fingerprint_at("t", outside)


def test_a_time_limit_strikes_anywhere_and_has_one_fingerprint() -> None:
    def here(_: str) -> None:
        raise TimeLimitExceeded

    def there(_: str) -> None:
        raise TimeLimitExceeded

    caught = [struck(call) for call in (here, there)]

    assert fingerprint_at("t", caught[0]) == fingerprint_at("t", caught[1])
    assert fingerprint_at("t", caught[0]) != fingerprint_at("other", caught[1])


def struck(call: Callable[[str], None]) -> BaseException:
    try:
        call("")
    except TimeLimitExceeded as error:
        return error
    raise AssertionError("nothing was raised")
