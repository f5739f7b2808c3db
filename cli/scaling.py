"""How many worker processes there should be: the rule by itself, without a clock, a process or a server.

Out at once, as long as somebody waits too long, and soon where the threads stay busy: a batch leaves a quarter of
them free however many there are, so that its cases make nobody wait. In slowly, when nobody has waited for a good
while and what runs has room in one process fewer. One process at a time either way. What is told here comes from
`cli.crew`, which also does what is decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

CRASH_SHADOW_S = 60.0
"""So long after a worker died of itself no other is added: what kills one would kill the next."""

CALM_SHARE = 0.5
"""Quiet is an age below this share of the one that scales out: between the two nothing changes."""


FULL_SHARE = 0.75
"""Of all threads: more than that a batch never takes."""

ROOM_SHARE = 0.5
"""What runs has to fit into this share of one process fewer; so what brought a process doesn't send it away."""


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
    """What has to be remembered from one decision to the next: since when it has been quiet, and since when the
    threads have been full; `None` where they aren't."""

    quiet_since: float | None = None
    full_since: float | None = None


def decide(mood: Mood, sight: Sight, bounds: Bounds) -> tuple[Mood, Step]:
    """The step that this moment asks for, and what is to be remembered of it."""
    mood = Mood(
        quiet_since=_since(mood.quiet_since, sight, holds=_is_quiet(sight, bounds)),
        full_since=_since(mood.full_since, sight, holds=_is_full(sight, bounds)),
    )
    if _grows(mood, sight, bounds):
        return Mood(), Step.OUT
    if mood.quiet_since is not None and sight.at - mood.quiet_since >= bounds.in_after_s:
        # The next one has to wait for a quiet of its own.
        return Mood(quiet_since=sight.at), Step.IN
    return mood, Step.STAY


def _since(before: float | None, sight: Sight, *, holds: bool) -> float | None:
    if not holds:
        return None
    return sight.at if before is None else before


def _grows(mood: Mood, sight: Sight, bounds: Bounds) -> bool:
    if sight.living >= bounds.most:
        return False
    if sight.staying < bounds.least:
        return True
    waits_too_long = sight.age_s is not None and sight.age_s >= bounds.out_after_s
    full_too_long = mood.full_since is not None and sight.at - mood.full_since >= bounds.out_after_s
    return (waits_too_long or full_too_long) and sight.has_memory and not sight.starting and not _died_lately(sight)


def _died_lately(sight: Sight) -> bool:
    return sight.died_at is not None and sight.at - sight.died_at < CRASH_SHADOW_S


def _is_full(sight: Sight, bounds: Bounds) -> bool:
    return sight.age_s is not None and sight.taking > 0 and sight.running >= _share(FULL_SHARE, sight.taking, bounds)


def _share(share: float, processes: int, bounds: Bounds) -> float:
    return share * bounds.threads * processes


def _is_quiet(sight: Sight, bounds: Bounds) -> bool:
    if sight.age_s is None or sight.starting or sight.draining or sight.taking <= bounds.least:
        return False
    has_room_in_fewer = sight.running <= _share(ROOM_SHARE, sight.taking - 1, bounds)
    return has_room_in_fewer and sight.age_s < bounds.out_after_s * CALM_SHARE
