"""An evaluation as a page of its own. Nothing is loaded, and the picture of the matrix is a table to who hears it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import jinja2

from actors.evaluation.evaluation import Evaluation, Matrix

SHOWN_MISSES = 200


@dataclass(frozen=True, slots=True)
class Cell:
    """One square of the picture. `share` is the part of its row, from 0 to 1, which is how strong its colour is."""

    truth: str
    answer: str
    count: int
    share: float
    right: bool


def as_page(evaluation: Evaluation, name: str) -> str:
    """HTML; `name` says which examples were used."""
    pictures = [(matrix.title, _used(matrix), _cells(matrix)) for matrix in evaluation.matrices]
    template = _templates().get_template("evaluation.html")
    return str(template.render(evaluation=evaluation, name=name, pictures=pictures, shown=SHOWN_MISSES))


def _used(matrix: Matrix) -> list[str]:
    seen = {label for pair in matrix.confusion.pairs for label in pair}
    return [label for label in matrix.confusion.labels if label in seen]


def _cells(matrix: Matrix) -> list[list[Cell]]:
    labels = _used(matrix)
    return [[_cell(matrix, truth, answer) for answer in labels] for truth in labels]


def _cell(matrix: Matrix, truth: str, answer: str) -> Cell:
    count = matrix.confusion.count(truth, answer)
    support = matrix.confusion.rates(truth).support
    return Cell(truth, answer, count, count / support if support else 0.0, truth == answer)


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(loader=jinja2.PackageLoader("actors", "templates"), autoescape=True)
