"""An evaluation for a terminal: figures first, then the matrix, the tables and the worst cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from actors.evaluation.evaluation import Evaluation, Matrix, Miss, Table

WORST = 12


def as_text(evaluation: Evaluation) -> str:
    """Plain text, without colours, at most as wide as its matrix."""
    return "\n".join(_lines(evaluation)) + "\n"


def _lines(evaluation: Evaluation) -> Iterator[str]:
    each = f"{1000 * evaluation.seconds_each:.1f} ms each"
    yield f"{evaluation.task}: {evaluation.examples} examples, engine {evaluation.engine}, {each}"
    yield ""
    width = max(len(figure.name) for figure in evaluation.figures)
    for figure in evaluation.figures:
        yield f"  {figure.name:<{width}}  {figure.text}  {figure.note}".rstrip()
    for matrix in evaluation.matrices:
        yield from ("", *_matrix(matrix))
    for table in evaluation.tables:
        yield from ("", *_table(table))
    if evaluation.misses:
        yield from ("", *_worst(evaluation.misses))


def _matrix(matrix: Matrix) -> Iterator[str]:
    labels, rows = matrix.confusion.labels, matrix.confusion.rows()
    used = [i for i, label in enumerate(labels) if any(label in pair for pair in matrix.confusion.pairs)]
    width = max(len(labels[i]) for i in used)
    cell = max(3, max(len(str(rows[i][j])) for i in used for j in used) + 1)
    yield f"{matrix.title} (rows: true, columns: answered, in the same order)"
    for i in used:
        counts = "".join(f"{rows[i][j] or '·':>{cell}}" for j in used)
        yield f"  {labels[i]:<{width}} {counts}"


def _table(table: Table) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(table.headings, *table.rows, strict=True)]
    yield table.title
    for row in (table.headings, *table.rows):
        yield "  " + _columns(row, widths)


def _columns(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    return "  ".join([f"{first[0]:<{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)])


def _worst(misses: Sequence[Miss]) -> Iterator[str]:
    yield f"Worst of {len(misses)} misses (id, what: true for answered)"
    for miss in misses[:WORST]:
        sure = "" if miss.sureness is None else f" ({miss.sureness:.2f} sure)"
        yield f"  {miss.example}, {miss.what}: {miss.expected} for {miss.answered}{sure}"
        yield f"      {miss.text}"
