"""What an evaluation comes to, whatever was evaluated: figures, tables, a matrix, the worst cases and all answers.

It holds what is shown and knows neither engines nor terminals nor HTML.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from actors.evaluation.measures import Confusion

Told = Callable[[int, int], None]
"""Called with the number of examples done and the number of all."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the head line. `text` is how it is written."""

    name: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Which label was taken for which."""

    title: str
    confusion: Confusion


@dataclass(frozen=True, slots=True)
class Miss:
    """One example that went wrong. `sureness` is how sure the engine was of it, from 0 to 1."""

    example: str
    what: str
    expected: str
    answered: str
    sureness: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The whole of it. `answers` has a JSON object for each example, in the order of the file; `misses` has the worst
    first."""

    task: str
    engine: str
    examples: int
    seconds_each: float
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...] = ()
    matrices: tuple[Matrix, ...] = ()
    misses: tuple[Miss, ...] = ()
    answers: tuple[dict[str, Any], ...] = field(default=(), repr=False)


LONGEST_TEXT = 160


def beginning(text: str) -> str:
    """The first words of an example, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"


def share(value: float | None) -> str:
    """A share of one, as it is written: three digits, or a dash where there was nothing to count."""
    return "–" if value is None else f"{value:.3f}"
