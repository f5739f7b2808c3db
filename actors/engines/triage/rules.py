"""The urgency rules that words alone can fire, as a reader of `bank/rules.txt`.

A rule may only raise what the classifier says. So each is written for facts that hold now, and the readings that
void it (negated, hypothetical, past, resolved) lie beside it in the same file; `urgency.py` applies both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.payloads import Urgency

PATH = Path(__file__).with_name("bank") / "rules.txt"
MACROS = ("KIN", "ME", "NOW")
READINGS = (
    "NEGATED",
    "HYPOTHETICAL",
    "PAST",
    "SINCE",
    "ONGOING",
    "RESOLVED",
    "RELEASED",
    "EVENT",
    "BILL",
    "OPENS",
    "NOT_CUSTODY",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern over a folded sentence. With `now` it holds only beside words for the present hours."""

    name: str
    level: Urgency
    pattern: re.Pattern[str]
    now: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """One entry of the file: its name, its flags, and its pattern with the macros still in it."""

    name: str
    flags: tuple[str, ...]
    source: str


def pieces(path: Path = PATH) -> Iterator[Piece]:
    """The entries of a rules file. An indented line belongs to the entry above it."""
    opened, source = "", ""
    for line in [*path.read_text(encoding="utf-8").splitlines(), "END"]:
        if line.startswith("  "):
            source += line[2:]
        elif line.strip() and not line.startswith("#"):
            if opened:
                name, *flags = opened.split()
                yield Piece(name, tuple(flags), source)
            opened, source = line, ""


def _expand(source: str, macros: Mapping[str, str]) -> str:
    for name, pattern in macros.items():
        source = source.replace(f"{{{name}}}", pattern)
    return source


def _rule(piece: Piece, macros: Mapping[str, str]) -> Rule:
    level: Urgency = "critical" if piece.name.startswith("C") else "high"
    return Rule(piece.name, level, re.compile(_expand(piece.source, macros)), "now" in piece.flags)


_PIECES = tuple(pieces())
_MACROS = {piece.name: piece.source for piece in _PIECES if piece.name in MACROS}
_READINGS = {p.name: re.compile(_expand(p.source, _MACROS)) for p in _PIECES if p.name in READINGS}

PATTERNS = tuple(_rule(p, _MACROS) for p in _PIECES if p.name not in (*MACROS, *READINGS))
"""Every rule, in the order of the file."""
NOW = re.compile(_MACROS["NOW"])
"""Words for the present hours."""
NEGATED = _READINGS["NEGATED"]
"""What stands right before a match and denies it."""
HYPOTHETICAL, PAST, RESOLVED = _READINGS["HYPOTHETICAL"], _READINGS["PAST"], _READINGS["RESOLVED"]
"""Readings that void every rule of their sentence."""
SINCE, ONGOING = _READINGS["SINCE"], _READINGS["ONGOING"]
"""'Há dois meses': it dates a single deed ('me bateu'), but only lengthens a state that goes on ('está preso')."""
RELEASED = _READINGS["RELEASED"]
"""Said anywhere in a case, it ends a custody told of before."""
EVENT = _READINGS["EVENT"]
"""Nouns and verbs of what falls on a day: with a day within two it is C1, within fifteen it is A1."""
BILL = _READINGS["BILL"]
"""What falls due without being a term of law: within a week it is A5, never C1."""
OPENS = _READINGS["OPENS"]
"""Before a day: it is when a term begins, not when it ends."""
NOT_CUSTODY = _READINGS["NOT_CUSTODY"]
"""Who asks for the family's benefit or mourns a prisoner has no one to set free; abroad other law holds."""
