"""Reads the bank of narratives that the weights are made from: plain text under `bank/`, one narrative a line.

A file opens with `# notes` and settings. With `area: X` every line starts with a level (L, M, H or C, and
`+area` for a secondary area); with `urgency: X` it starts with `area` or `area+secondary`. `urgency: none` is for
sentences in the style of a bar exam, which have no client and so no urgency. `date:` sets the day on which the
texts are said. `== name` opens a situation: the lines below it tell one fact in several ways, and stay together
when the bank is split; below `== ?` each line stands for itself. Turns are parted by ` | `; a turn that starts
with `A:` is the agent's.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from tasks.payloads import Area, Turn, Urgency

FOLDER = Path(__file__).with_name("bank")
LEVELS: dict[str, Urgency] = {"L": "low", "M": "medium", "H": "high", "C": "critical"}
AREA_NAMED: dict[str, Area] = {area: area for area in get_args(Area)}
URGENCY_NAMED: dict[str, Urgency] = {level: level for level in get_args(Urgency)}
NO_NARRATIVES = ("lexicon.txt", "rules.txt")
DEFAULT_DATE = "2025-03-10"


@dataclass(frozen=True, slots=True)
class Narrative:
    """One labelled conversation. `situation` names the fact that it tells; `urgency` is None for exam style."""

    turns: tuple[Turn, ...]
    area: Area
    secondary: Area | None
    urgency: Urgency | None
    reference_date: dt.date
    situation: str


def narratives(folder: Path = FOLDER) -> tuple[Narrative, ...]:
    """All narratives of the bank, in the order of the file names. Raises `ValueError` with file and line."""
    return tuple(itertools.chain.from_iterable(_read(path) for path in _files(folder)))


def fingerprint(folder: Path = FOLDER) -> str:
    """SHA-256 over all files of the bank, lexicon and rules among them, as hex."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.txt")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*.txt") if p.name not in NO_NARRATIVES)


def _read(path: Path) -> Iterator[Narrative]:
    settings = {"date": DEFAULT_DATE}
    situation = "?"
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        key, _, value = line.partition(": ")
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("== "):
            situation = line[3:].strip()
        elif key in ("area", "urgency", "date"):
            settings[key] = value.strip()
        else:
            yield _narrative(line, settings, f"{path.stem}/{situation if situation != '?' else number}", path, number)


def _narrative(line: str, settings: dict[str, str], situation: str, path: Path, number: int) -> Narrative:
    label, _, text = line.partition(" ")
    try:
        area, secondary, urgency = _labels(label, settings)
        return Narrative(_turns(text), area, secondary, urgency, dt.date.fromisoformat(settings["date"]), situation)
    except (KeyError, ValueError) as wrong:
        raise ValueError(f"{path.name}:{number}: {wrong!r} in {line[:60]!r}") from wrong


def _labels(label: str, settings: dict[str, str]) -> tuple[Area, Area | None, Urgency | None]:
    main, _, secondary = label.partition("+")
    other = AREA_NAMED[secondary] if secondary else None
    if "area" in settings:
        return AREA_NAMED[settings["area"]], other, LEVELS[main]
    level = None if settings["urgency"] == "none" else URGENCY_NAMED[settings["urgency"]]
    return AREA_NAMED[main], other, level


def _turns(text: str) -> tuple[Turn, ...]:
    parts = [part.strip() for part in text.split(" | ")]
    return tuple(
        Turn(role="assistant", content=part[2:].strip()) if part.startswith("A:") else Turn(role="user", content=part)
        for part in parts
    )
