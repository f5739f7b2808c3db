"""The rules of alerts: read from a TOML file, or the defaults below, and checked as a whole before they are used.

A rule says what is measured (`kind`), from where on that is bad (`threshold`), how long it must have been so before
somebody is woken (`for_s`), and how long it must be over before they are told so (`clear_for_s`). What measures is
`tasks.alert_measures`; what becomes of it is `tasks.alerts`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tasks.errors import FieldError, InvalidInput, SettingsError
from tasks.lifecycle import Priority
from tasks.settings import PREFIX, Settings

Kind = Literal[
    "dead_letters_growing",
    "failure_rate",
    "oldest_waiting",
    "no_worker",
    "no_scheduler",
    "memory",
    "backup_failed",
    "breaker_open",
    "schedule_missed",
]
Severity = Literal["info", "warning", "critical"]
UNITS: dict[Kind, str] = {
    "dead_letters_growing": "tasks",
    "failure_rate": "%",
    "oldest_waiting": "s",
    "no_worker": "workers",
    "no_scheduler": "schedulers",
    "memory": "%",
    "backup_failed": "backups",
    "breaker_open": "breakers",
    "schedule_missed": "s",
}
KINDS: tuple[Kind, ...] = get_args(Kind)
TOO_FEW: frozenset[Kind] = frozenset({"no_worker", "no_scheduler"})
"""These are bad below their threshold, every other kind from it on."""
MOST_RULES = 100
MOST_BYTES = 256 << 10


class Rule(BaseModel):
    """One rule. Durations are in seconds. `TOO_FEW` are bad below their threshold, every other kind from it on.

    `clear` is the value that must be left again before an alert counts as over (the threshold by default), so that
    one which swings around its threshold is told once. `window_s` is what `dead_letters_growing` and `failure_rate`
    count over; `at_least` is how many ends a rate needs to mean something; `priority` is the lane of
    `oldest_waiting`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    kind: Kind
    severity: Severity = "warning"
    threshold: float = Field(ge=0, le=1e12)
    clear: float | None = Field(default=None, ge=0, le=1e12)
    window_s: int = Field(default=900, ge=60, le=3_600)
    for_s: int = Field(default=0, ge=0, le=86_400)
    clear_for_s: int = Field(default=120, ge=0, le=86_400)
    at_least: int = Field(default=20, ge=1)
    priority: Literal["critical", "high", "normal", "low"] | None = None
    description: str = Field(default="", max_length=500)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.kind == "oldest_waiting") != (self.priority is not None):
            raise ValueError(
                f"priority: is one of {', '.join(reversed(Priority))} for oldest_waiting, and for it alone"
            )
        if self.clear is not None and self.clears_on_the_wrong_side:
            raise ValueError("clear: lies on the bad side of the threshold")
        return self

    @property
    def clears_on_the_wrong_side(self) -> bool:
        assert self.clear is not None
        return self.clear < self.threshold if self.kind in TOO_FEW else self.clear > self.threshold

    def is_bad(self, value: float) -> bool:
        return value < self.threshold if self.kind in TOO_FEW else value >= self.threshold

    def is_over(self, value: float) -> bool:
        """Whether a value is good again, beyond the hysteresis."""
        limit = self.threshold if self.clear is None else self.clear
        return value >= limit if self.kind in TOO_FEW else value < limit


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules, and how often they are evaluated, in seconds."""

    rules: tuple[Rule, ...]
    every_s: int = 60


DEFAULTS = """
every_s = 60

[[rule]]
name = "no-worker"
kind = "no_worker"
severity = "critical"
threshold = 1
for_s = 60
clear_for_s = 60
description = "No worker takes tasks: nothing is done until one is started."

[[rule]]
name = "no-scheduler"
kind = "no_scheduler"
severity = "critical"
threshold = 1
for_s = 60
clear_for_s = 0
description = "No scheduler lives: no report, backup or upkeep comes until one is started."

[[rule]]
name = "dead-letters"
kind = "dead_letters_growing"
severity = "warning"
threshold = 10
window_s = 900
clear_for_s = 300
description = "Tasks of a queue fail for good. See the dead letters; replay them when the cause is gone."

[[rule]]
name = "failure-rate"
kind = "failure_rate"
severity = "critical"
threshold = 20
clear = 10
window_s = 900
for_s = 120
clear_for_s = 300
description = "Too many of the tasks of one type that end fail."

[[rule]]
name = "waiting-critical"
kind = "oldest_waiting"
priority = "critical"
severity = "critical"
threshold = 30
for_s = 60
description = "A critical task has waited for longer than half a minute."

[[rule]]
name = "waiting-high"
kind = "oldest_waiting"
priority = "high"
severity = "critical"
threshold = 120
for_s = 60
description = "A task of high priority has waited for longer than two minutes."

[[rule]]
name = "waiting-normal"
kind = "oldest_waiting"
priority = "normal"
severity = "warning"
threshold = 900
for_s = 120
description = "A task of normal priority has waited for longer than a quarter of an hour."

[[rule]]
name = "waiting-low"
kind = "oldest_waiting"
priority = "low"
severity = "info"
threshold = 7200
for_s = 300
description = "A task of low priority has waited for longer than two hours."

[[rule]]
name = "memory"
kind = "memory"
severity = "critical"
threshold = 80
clear = 75
for_s = 120
clear_for_s = 300
description = "Redis comes near its bound; beyond it new tasks are refused."

[[rule]]
name = "backup-failed"
kind = "backup_failed"
severity = "critical"
threshold = 1
clear_for_s = 0
description = "The last backup failed. See the task backup.run, or run `despacho backup`."

[[rule]]
name = "breaker-open"
kind = "breaker_open"
severity = "warning"
threshold = 1
for_s = 60
description = "A provider or a receiver fails, and is left alone but for probes."

[[rule]]
name = "schedule-missed"
kind = "schedule_missed"
severity = "warning"
threshold = 300
description = "A schedule's time passed and its task wasn't queued. Does a scheduler run?"
"""


def load_rules(settings: Settings) -> Rules:
    """The rules of the file that is set, or the defaults. Raises `SettingsError`, which names the file, the rule and
    the field."""
    if settings.alerts_file is None:
        return parse_rules(DEFAULTS)
    try:
        return read_rules(settings.alerts_file)
    except InvalidInput as wrong:
        first = wrong.errors[0]
        told = f"{first.field}: {first.message}"
        raise SettingsError(f"{PREFIX}ALERTS_FILE: {told}. `despacho alerts check FILE` tells all faults.") from None


def read_rules(path: Path) -> Rules:
    """The rules of a file. Raises `InvalidInput` with all that is wrong."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise InvalidInput.of(str(path), f"is larger than {MOST_BYTES >> 10} KiB")
        return parse_rules(raw.decode())
    except OSError as error:
        raise InvalidInput.of(str(path), error.strerror or "can't be read") from None
    except UnicodeDecodeError:
        raise InvalidInput.of(str(path), "is not UTF-8") from None


def parse_rules(text: str) -> Rules:
    """The rules that a text in TOML says. Raises `InvalidInput` with all that is wrong, by rule and field."""
    try:
        told = tomllib.loads(text)
    # A text that nests without end is refused by the depth of the interpreter's stack.
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput.of("file", f"is not TOML: {error}") from None
    errors = [FieldError(name, "is unknown; there are: every_s, rule") for name in told.keys() - {"every_s", "rule"}]
    every_s, given = told.get("every_s", 60), told.get("rule", [])
    if not isinstance(every_s, int) or isinstance(every_s, bool) or not 1 <= every_s <= 3_600:
        errors.append(FieldError("every_s", "must be a whole number of seconds from 1 to 3600"))
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_RULES:
        raise InvalidInput([*errors, FieldError("rule", f"must be 1 to {MOST_RULES} tables [[rule]]")])
    rules = [rule for number, each in enumerate(given) if (rule := _rule(number, each, errors)) is not None]
    names = [rule.name for rule in rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    errors += [FieldError(f"rule {name!r}.name", "is given twice") for name in twice]
    if errors:
        raise InvalidInput(errors)
    return Rules(tuple(rules), every_s)


def _rule(number: int, given: Any, errors: list[FieldError]) -> Rule | None:
    name = given.get("name") if isinstance(given, dict) else None
    which = f"rule {name!r}" if isinstance(name, str) else f"rule number {number + 1}"
    try:
        return Rule.model_validate(given)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            message = fault["msg"].removeprefix("Value error, ")
            field, _, rest = message.partition(": ")
            path = ".".join(map(str, fault["loc"])) or field
            errors.append(FieldError(f"{which}.{path}", message if fault["loc"] else rest))
        return None
