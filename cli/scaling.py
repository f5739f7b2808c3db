"""How many worker processes there should be: the rule by itself, without a clock, a process or a server.

Out at once, as long as somebody waits too long; in slowly, when nobody has waited for a good while and what runs fits
into one process fewer. One process at a time either way. What is told here comes from `cli.crew`, which also does
what is decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

CRASH_SHADOW_S = 60.0
"""So long after a worker died of itself no other is added: what kills one would kill the next."""

CALM_SHARE = 0.5
"""Quiet is an age below this share of the one that scales out: between the two nothing changes."""


class Step(Enum):
    """What is to be done now."""

    OUT = "one process more"
    IN = "one process fewer"
    STAY = "nothing"


@dataclass(frozen=True, slots=True)
class Bounds:
    """`least` and `most` processes of so many `threads` each; the age that scales out, the quiet that scales in."""

    least: int
    most: int
    threads: int
    out_after_s: float
    in_after_s: float


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen at the moment `at`. `age_s` is how long the oldest task has waited that a worker could take, 0
    where there is none, `None` where nobody knows. `running` tasks run. Workers are `taking` tasks, `starting` (also
    those that died and are started again) or `draining`; the last one died of itself at `died_at`."""

    at: float
    age_s: float | None
    running: int
    taking: int
    starting: int
    draining: int
    died_at: float | None = None
    has_memory: bool = True

    @property
    def staying(self) -> int:
        return self.taking + self.starting

    @property
    def living(self) -> int:
        return self.staying + self.draining


@dataclass(frozen=True, slots=True)
class Mood:
    """What has to be remembered from one decision to the next: since when it has been quiet, if it is."""

    quiet_since: float | None = None


def decide(mood: Mood, sight: Sight, bounds: Bounds) -> tuple[Mood, Step]:
    """The step that this moment asks for, and what is to be remembered of it."""
    if _grows(sight, bounds):
        return Mood(), Step.OUT
    if not _is_quiet(sight, bounds):
        return Mood(), Step.STAY
    since = sight.at if mood.quiet_since is None else mood.quiet_since
    if sight.at - since < bounds.in_after_s:
        return Mood(since), Step.STAY
    # The next one has to wait for a quiet of its own.
    return Mood(sight.at), Step.IN


def _grows(sight: Sight, bounds: Bounds) -> bool:
    if sight.living >= bounds.most:
        return False
    if sight.staying < bounds.least:
        return True
    waits_too_long = sight.age_s is not None and sight.age_s >= bounds.out_after_s
    return waits_too_long and sight.has_memory and not sight.starting and not _died_lately(sight)


def _died_lately(sight: Sight) -> bool:
    return sight.died_at is not None and sight.at - sight.died_at < CRASH_SHADOW_S


def _is_quiet(sight: Sight, bounds: Bounds) -> bool:
    if sight.age_s is None or sight.starting or sight.draining or sight.taking <= bounds.least:
        return False
    fits_into_fewer = sight.running <= bounds.threads * (sight.taking - 1)
    return fits_into_fewer and sight.age_s < bounds.out_after_s * CALM_SHARE
