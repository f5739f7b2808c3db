from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.evaluation.measures import Confusion, Rates, Span, count_spans, mean, word_excess, word_recall

LEVELS = ("low", "medium", "high", "critical")
pairs = st.lists(st.tuples(st.sampled_from(LEVELS), st.sampled_from(LEVELS)), min_size=1)
spans = st.lists(st.builds(lambda a, n: Span("CPF", a, a + n), st.integers(0, 40), st.integers(1, 9)), max_size=8)


def test_rates_of_one_label() -> None:
    found = Confusion(("a", "b"), (("a", "a"), ("a", "b"), ("b", "b"), ("b", "b")))

    assert found.rates("a") == Rates(precision=1.0, recall=0.5, f1=pytest.approx(2 / 3), support=2)
    assert found.accuracy() == 0.75
    assert found.macro_f1() == pytest.approx((2 / 3 + 0.8) / 2)
    assert found.rows() == ((1, 1), (0, 2))


def test_a_label_that_is_only_ever_answered_is_no_part_of_the_mean() -> None:
    found = Confusion(("a", "b", "c"), (("a", "a"), ("b", "c")))

    assert found.macro_f1() == 0.5


def test_of_nothing_there_is_no_measure() -> None:
    nothing = Confusion(LEVELS, ())

    assert (nothing.accuracy(), nothing.macro_f1(), nothing.kappa()) == (None, None, None)
    assert nothing.share_taken_for(["critical"], ["low"]) is None
    assert word_recall("", "words") is None
    assert mean([None, None]) is None


def test_kappa_costs_more_the_further_off_an_answer_is() -> None:
    truth = ("low", "medium", "high", "critical") * 3
    near = Confusion(LEVELS, (*zip(truth, truth, strict=True), ("low", "medium")))
    far = Confusion(LEVELS, (*zip(truth, truth, strict=True), ("low", "critical")))

    assert 1 > (near.kappa() or 0) > (far.kappa() or 0) > 0


@given(pairs)
def test_kappa_is_one_just_for_agreement_and_never_above(answered: list[tuple[str, str]]) -> None:
    kappa = Confusion(LEVELS, tuple(answered)).kappa()

    assert kappa is not None
    assert kappa <= 1
    assert (kappa == 1) == all(truth == answer for truth, answer in answered)


@given(pairs)
def test_the_rows_of_the_matrix_add_up(answered: list[tuple[str, str]]) -> None:
    found = Confusion(LEVELS, tuple(answered))

    assert sum(map(sum, found.rows())) == len(answered)
    for label, row in zip(LEVELS, found.rows(), strict=True):
        assert sum(row) == found.rates(label).support


def test_a_span_is_found_to_the_character_or_in_part() -> None:
    truth = [Span("CPF", 0, 14), Span("CPF", 20, 34)]
    answer = [Span("CPF", 0, 14), Span("CPF", 22, 34), Span("CPF", 50, 64)]

    count = count_spans(truth, answer)

    assert (count.exact, count.overlap, count.answered, count.support) == (1, 2, 3, 2)


def test_one_long_answer_does_not_find_two_spans() -> None:
    assert count_spans([Span("CPF", 0, 5), Span("CPF", 6, 9)], [Span("CPF", 0, 9)]).overlap == 1


@given(spans)
def test_what_agrees_with_itself_is_all_found(truth: list[Span]) -> None:
    count = count_spans(truth, truth)

    assert count.exact == count.overlap == count.answered == count.support == len(set(truth))


@given(spans, spans)
def test_no_more_is_found_than_there_is(truth: list[Span], answer: list[Span]) -> None:
    count = count_spans(truth, answer)

    assert count.exact <= min(count.answered, count.support)
    assert count.overlap <= min(count.answered, count.support)


def test_what_stands_at_the_edges_of_a_span_does_not_count() -> None:
    assert Span("CPF", 0, 8).trimmed(" (1234).") == Span("CPF", 2, 6)


def test_words_are_counted_as_often_as_they_stand() -> None:
    assert word_recall("a a b c", "a b") == 0.5
    assert word_excess("a b", "a b a b") == 1.0
