"""A gradual replay of dead letters as it is kept: its steps, how far they came, and how it ended. Nothing here asks
Redis.

A tenth of a group is replayed only when the first one has ended, and all of it when that tenth has. So a fault that
isn't cured costs one task, or a tenth, and not all of them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from tasks.clock import rfc3339

LETTERS_AT_MOST = 10_000
"""Of one gradual replay: the newest that fit."""
KEPT_S = 7 * 86_400
"""How long a replay is kept after its last step, and how long it may stand still."""
RUNNING, DONE, STOPPED = "running", "done", "stopped"
CAME_BACK = "fault_came_back"
NOTHING_SUCCEEDED = "nothing_succeeded"
TOOK_TOO_LONG = "step_took_too_long"
CANCELLED = "cancelled"
LOST = "task_lost"
"""Why a replay stopped; the last one where its own task was cancelled or has failed."""
OUTCOMES = ("succeeded", "came_back", "failed_otherwise", "cancelled", "forgotten")


def targets(total: int) -> list[int]:
    """How many are replayed when each step is over: one, a tenth (rounded up), all."""
    return sorted({1, -(-total // 10), total}) if total else []


@dataclass(frozen=True, slots=True)
class Step:
    """One step: how many it leads up to, and what became of those that it replayed. Times are in ms."""

    upto: int
    replayed: int
    outcomes: Mapping[str, int]
    began_ms: int | None
    ended_ms: int | None

    @property
    def under_way(self) -> int:
        return self.replayed - sum(self.outcomes.values())

    @property
    def achieved_nothing(self) -> bool:
        """Whether tasks failed, if of something else, and none succeeded."""
        return self.outcomes["failed_otherwise"] > 0 and self.outcomes["succeeded"] == 0

    def as_json(self) -> dict[str, Any]:
        return {
            "upto": self.upto,
            "replayed": self.replayed,
            **self.outcomes,
            "under_way": self.under_way,
            "began_at": rfc3339(self.began_ms),
            "ended_at": rfc3339(self.ended_ms),
        }


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay as it stands; `number` is that of its step, from 1. `fingerprints` are those of the group."""

    replay_id: str
    state: str
    reason: str | None
    request: str
    by: str
    filter: Mapping[str, Any]
    fingerprints: frozenset[str]
    total: int
    is_all: bool
    replayed: int
    passed_over: int
    number: int
    steps: tuple[Step, ...]
    began_ms: int
    ended_ms: int | None

    @property
    def step(self) -> Step:
        return self.steps[self.number - 1]

    @property
    def is_running(self) -> bool:
        return self.state == RUNNING

    @classmethod
    def parse(cls, replay_id: str, fields: Mapping[bytes, bytes]) -> Replay:
        told = {name.decode(): value.decode() for name, value in fields.items()}
        upto = [int(target) for target in told["targets"].split(",") if target]
        return cls(
            replay_id=replay_id,
            state=told["state"],
            reason=told.get("reason") or None,
            request=told["request"],
            by=told["by"],
            filter=from_json(told["filter"]),
            fingerprints=frozenset(told["fingerprints"].split(",")),
            total=int(told["total"]),
            is_all=told["is_all"] == "1",
            replayed=_count(told, "replayed"),
            passed_over=_count(told, "passed_over"),
            number=int(told["step"]),
            steps=tuple(_step(told, number, target) for number, target in enumerate(upto, 1)),
            began_ms=int(told["began"]),
            ended_ms=_time(told, "ended"),
        )

    def as_json(self) -> dict[str, Any]:
        """As the API shows it: ids of nobody, and nothing that a client sent."""
        return {
            "replay_id": self.replay_id,
            "state": self.state,
            "reason": self.reason,
            "filter": dict(self.filter),
            "total": self.total,
            "is_all": self.is_all,
            "replayed": self.replayed,
            "passed_over": self.passed_over,
            "steps": [step.as_json() for step in self.steps],
            "by": self.by,
            "began_at": rfc3339(self.began_ms),
            "ended_at": rfc3339(self.ended_ms),
            "links": {"self": f"/api/dead-letters/replays/{self.replay_id}"},
        }


def _step(told: Mapping[str, str], number: int, upto: int) -> Step:
    return Step(
        upto=upto,
        replayed=_count(told, f"replayed:{number}"),
        outcomes={outcome: _count(told, f"{outcome}:{number}") for outcome in OUTCOMES},
        began_ms=_time(told, f"began:{number}"),
        ended_ms=_time(told, f"ended:{number}"),
    )


def _count(told: Mapping[str, str], name: str) -> int:
    return int(told.get(name, 0))


def _time(told: Mapping[str, str], name: str) -> int | None:
    return int(told[name]) if name in told else None
