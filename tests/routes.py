"""Every route that the gateway has, read from its own table, so that a new one can't be forgotten.

`pytest tests/integration/test_access.py --write-access` writes the table of docs/access.md anew; without it, the test
holds the table against what a real gateway answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from starlette.applications import Starlette
from starlette.routing import Mount, Route

ACCESS = Path(__file__).parents[1] / "docs" / "access.md"
BEGIN, END = "<!-- routes: begin -->\n", "<!-- routes: end -->"
SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """A method on a path, whose parameters stand in braces."""

    path: str
    method: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(name for _, name, _, _ in Formatter().parse(self.path) if name)

    @property
    def is_safe(self) -> bool:
        return self.method in SAFE

    def to(self, ids: Mapping[str, str]) -> str:
        """The path with these ids; a parameter without one is a `KeyError`, and whoever made it must name one."""
        return self.path.format(**ids)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def ways(app: Starlette) -> list[Way]:
    """All of them; of a mounted application its first page."""
    return sorted(set(_ways(app)))


def _ways(app: Starlette) -> Iterator[Way]:
    for route in app.routes:
        if isinstance(route, Mount):
            yield Way(f"{route.path}/", "GET")
            continue
        assert isinstance(route, Route), f"{route} is of a kind that this walk doesn't know"
        for method in (route.methods or set()) - {"HEAD"}:
            yield Way(route.path, method)


def told_in(document: str) -> str:
    """The table that the document holds."""
    return document.partition(BEGIN)[2].partition(END)[0]


def with_table(document: str, table: str) -> str:
    head, _, rest = document.partition(BEGIN)
    return head + BEGIN + table + END + rest.partition(END)[2]
