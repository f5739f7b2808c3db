"""The judge of the fault cases: each way in which a task can go wrong is told as what it is."""

from __future__ import annotations

from tests.faults.recording import Line
from tests.faults.verdict import judge


def line(number: int, event: str, group: int = 1, thread: int = 1, at: float = 0.0) -> Line:
    return Line(number=number, event=event, group=group, thread=thread, at=at)


def once(number: int, group: int = 1) -> list[Line]:
    return [line(number, "begin", group), line(number, "end", group)]


def test_what_ended_well_once_is_clean() -> None:
    assert judge([1, 2], [*once(1), *once(2)], left=()).clean


def test_what_never_ended_is_lost_or_stranded() -> None:
    verdict = judge([1, 2, 3], once(1), left={3})

    assert (verdict.lost, verdict.stranded) == ((2,), (3,))
    assert not verdict.clean


def test_what_ended_well_twice_is_repeated() -> None:
    assert judge([1], [*once(1), *once(1, group=2)], left=()).repeated == (1,)


def test_an_end_that_a_kill_kept_from_being_written_is_excused() -> None:
    verdict = judge([1], [*once(1, group=7), *once(1, group=2)], left=(), killed={7})

    assert verdict.clean
    assert verdict.run_again == (1,)


def test_a_killed_thread_is_excused_for_its_last_end_only() -> None:
    lines = [*once(1, group=7), *once(2, group=7), *once(1), *once(2)]

    assert judge([1, 2], lines, left=(), killed={7}).repeated == (1,)


def test_what_was_broken_off_is_run_again() -> None:
    verdict = judge([1], [line(1, "begin", group=7), *once(1)], left=(), killed={7})

    assert verdict.clean
    assert verdict.run_again == (1,)


def test_an_end_that_a_killed_process_added_to_one_that_was_told_is_repeated() -> None:
    assert judge([1], [*once(1), *once(1, group=7)], left=(), killed={7}).repeated == (1,)


def test_what_ended_and_still_stands_in_the_store_is_stranded() -> None:
    assert judge([1], once(1), left={1}).stranded == (1,)


def test_a_failure_on_purpose_is_no_repetition() -> None:
    verdict = judge([1], [line(1, "begin"), line(1, "fail"), *once(1)], left=())

    assert verdict.clean
    assert not verdict.run_again


def test_what_was_taken_from_a_silent_process_may_end_there_beside_its_successor() -> None:
    lines = [line(1, "begin", group=7), *once(1), line(1, "end", group=7)]

    assert judge([1], lines, left=(), broken_off={(1, 7)}).clean
    assert judge([1], lines, left=()).repeated == (1,)


def test_a_broken_promise_is_not_clean() -> None:
    assert not judge([1], once(1), left=(), broken=["it took too long"]).clean


def test_a_record_that_tells_it_otherwise_is_no_clean_one() -> None:
    assert not judge([1], once(1), left=(), untrue={1}).clean
