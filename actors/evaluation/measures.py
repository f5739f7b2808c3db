"""The measures of an evaluation, over plain labels and spans; how they are shown is not decided here.

A measure over nothing is `None`: neither 0 nor 1 would be true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EDGE = " \t\r\n,;.:()[]\"“”'"
"""What doesn't count at the edges of a span: annotators differ on whether a full stop belongs to a name."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Precision, recall and F1 of one label, and how often it is right in truth."""

    precision: float | None
    recall: float | None
    f1: float | None
    support: int

    @classmethod
    def of(cls, right: int, answered: int, support: int) -> Rates:
        f1 = 2 * right / (answered + support) if answered + support else None
        return cls(_share(right, answered), _share(right, support), f1, support)


@dataclass(frozen=True, slots=True)
class Confusion:
    """Pairs of the true and the answered label. `labels` are in the order in which they are shown, and for an ordered
    scale in its order."""

    labels: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]

    def count(self, truth: str, answer: str) -> int:
        return self._counts()[truth, answer]

    def rows(self) -> tuple[tuple[int, ...], ...]:
        """A row for each true label, a column for each answer."""
        counts = self._counts()
        return tuple(tuple(counts[truth, answer] for answer in self.labels) for truth in self.labels)

    def accuracy(self) -> float | None:
        return _share(sum(truth == answer for truth, answer in self.pairs), len(self.pairs))

    def rates(self, label: str) -> Rates:
        right = sum(truth == answer == label for truth, answer in self.pairs)
        answered = sum(answer == label for _, answer in self.pairs)
        return Rates.of(right, answered, sum(truth == label for truth, _ in self.pairs))

    def macro_f1(self) -> float | None:
        """The mean F1 of the labels that are ever true; a label that is only ever answered costs those it robbed."""
        scores = [rates.f1 or 0.0 for label in self.labels if (rates := self.rates(label)).support]
        return sum(scores) / len(scores) if scores else None

    def kappa(self) -> float | None:
        """Agreement beyond chance with quadratic weights (Cohen 1968), for labels that are an ordered scale."""
        n, last = len(self.pairs), len(self.labels) - 1
        if not n or not last:
            return None
        place = {label: number for number, label in enumerate(self.labels)}
        truths = Counter(place[truth] for truth, _ in self.pairs)
        answers = Counter(place[answer] for _, answer in self.pairs)
        seen = sum((place[truth] - place[answer]) ** 2 for truth, answer in self.pairs)
        chance = sum((i - j) ** 2 * truths[i] * answers[j] for i in truths for j in answers) / n
        return 1 - seen / chance if chance else 1.0

    def share_taken_for(self, truths: Iterable[str], answers: Iterable[str]) -> float | None:
        """Of the examples whose true label is one of `truths`, the share answered with one of `answers`."""
        wanted, taken = set(truths), set(answers)
        concerned = [answer for truth, answer in self.pairs if truth in wanted]
        return _share(sum(answer in taken for answer in concerned), len(concerned))

    def _counts(self) -> Counter[tuple[str, str]]:
        return Counter(self.pairs)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A labelled stretch of a text, in characters."""

    label: str
    start: int
    end: int

    def trimmed(self, text: str) -> Span:
        start, end = self.start, self.end
        while end > start and text[end - 1] in EDGE:
            end -= 1
        while start < end and text[start] in EDGE:
            start += 1
        return Span(self.label, start, end)

    def touches(self, other: Span) -> bool:
        return self.label == other.label and self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class SpanCount:
    """How many spans of one label were found: `exact` to the character, or with an `overlap` of at least one."""

    exact: int = 0
    overlap: int = 0
    answered: int = 0
    support: int = 0

    def __add__(self, other: SpanCount) -> SpanCount:
        return SpanCount(
            self.exact + other.exact,
            self.overlap + other.overlap,
            self.answered + other.answered,
            self.support + other.support,
        )

    @property
    def exact_rates(self) -> Rates:
        return Rates.of(self.exact, self.answered, self.support)

    @property
    def overlap_rates(self) -> Rates:
        return Rates.of(self.overlap, self.answered, self.support)


def count_spans(truth: Sequence[Span], answer: Sequence[Span]) -> SpanCount:
    """Compare the spans of one label in one text; an answer counts for one true span at most."""
    true, answered = sorted(set(truth)), sorted(set(answer))
    return SpanCount(len(set(true) & set(answered)), _overlaps(true, answered), len(answered), len(true))


def _overlaps(truth: Sequence[Span], answered: Sequence[Span]) -> int:
    free = list(answered)
    found = 0
    for span in truth:
        match = next((other for other in free if span.touches(other)), None)
        if match is not None:
            free.remove(match)
            found += 1
    return found


def word_recall(truth: str, answer: str) -> float | None:
    """The share of the true text's words that the answer has, as often as they are there."""
    expected, given = Counter(truth.split()), Counter(answer.split())
    return _share((expected & given).total(), expected.total())


def word_excess(truth: str, answer: str) -> float | None:
    """Words of the answer that the true text doesn't have, as a share of the true text's; a text that was read twice
    comes to 1."""
    expected, given = Counter(truth.split()), Counter(answer.split())
    return _share((given - expected).total(), expected.total())


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of the values that there are."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
