"""Reads labelled examples: one JSON object a line, of one of four kinds. Fields that nobody asked for are ignored.

| task | an example has |
|---|---|
| triage | `area`; `user_message` and `conversation_history`, or `text`; `urgency`, `reference_date`, `tags` |
| documents | `text` and `doc_type`; `entities` |
| entities | `text` and `entities` (`label`, `start`, `end`; `valid`) |
| extraction | `file`, beside the examples, and its `text`; `doc_type` |
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.errors import FieldError, InvalidInput
from tasks.payloads import Area, DocumentType, EntityType, Turn, Urgency

Kind = Literal["triage", "documents", "entities", "extraction"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Example(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str


class TriageExample(Example):
    """A conversation with its area, and its urgency where it has one. `accept` are areas that are right as well."""

    conversation_history: tuple[Turn, ...] = ()
    user_message: str | None = None
    text: str | None = None
    reference_date: dt.date | None = None
    area: Area
    secondary_area: Area | None = None
    accept: tuple[Area, ...] = ()
    urgency: Urgency | None = None
    tags: tuple[str, ...] = ()

    @property
    def conversation(self) -> tuple[Turn, ...]:
        said = self.text if self.user_message is None else self.user_message
        return self.conversation_history if said is None else (*self.conversation_history, _client(said))


class GoldEntity(BaseModel):
    """A labelled stretch; other labels than ours are read and left out. `valid` is a check digit's verdict."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    label: EntityType | str
    start: int = Field(ge=0)
    end: int
    valid: bool | None = None


class EntitiesExample(Example):
    text: str
    entities: tuple[GoldEntity, ...]


class DocumentsExample(Example):
    text: str
    doc_type: DocumentType
    entities: tuple[GoldEntity, ...] = ()


class ExtractionExample(Example):
    file: Path
    text: str
    doc_type: DocumentType | None = None


X = TypeVar("X", bound=Example)
MOST_ERRORS = 5


def kind_of(path: Path) -> Kind:
    """What the examples are for, by the fields of the first. Raises `InvalidInput` where that says nothing."""
    first = next((row for _, row in _rows(path)), {})
    if "area" in first:
        return "triage"
    if "file" in first:
        return "extraction"
    if "doc_type" in first:
        return "documents"
    if "entities" in first:
        return "entities"
    raise InvalidInput.of(str(path.name), f"can't be told apart; say what it is for with --task {'|'.join(KINDS)}")


def examples(path: Path, model: type[X]) -> tuple[X, ...]:
    """All examples of a file. Raises `InvalidInput`, naming lines and fields, also for an id that comes twice."""
    found: list[X] = []
    errors: list[FieldError] = []
    for number, row in _rows(path):
        try:
            found.append(model.model_validate({"id": f"line {number}", **row}))
        except ValidationError as error:
            errors += _told(number, error)
    if errors:
        raise InvalidInput(errors[:MOST_ERRORS])
    _check(found, path)
    return tuple(found)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8") as lines:
            yield from ((number, _object(line, number)) for number, line in enumerate(lines, 1) if line.strip())
    except OSError as error:
        raise InvalidInput.of(path.name, f"can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput.of(path.name, "is not UTF-8 text with a JSON object on each line") from None


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise InvalidInput.of(f"line {number}", "is not a JSON object")
    return row


def _told(number: int, error: ValidationError) -> list[FieldError]:
    return [
        FieldError(f"line {number}: {'.'.join(map(str, fault['loc']))}", fault["msg"])
        for fault in error.errors(include_url=False, include_input=False)
    ]


def _check(found: list[X], path: Path) -> None:
    if not found:
        raise InvalidInput.of(path.name, "has no example")
    seen: set[str] = set()
    for example in found:
        if example.id in seen:
            raise InvalidInput.of("id", f"{example.id!r} comes twice in {path.name}")
        seen.add(example.id)


def _client(said: str) -> Turn:
    return Turn(role="user", content=said)
