"""Gradual replays of dead letters: the side of the worker, which takes the steps, and that of the gateway, where they
are begun, looked at and stopped.

What a replay has done is kept with each of its acts, in one step with it. So it may be killed at any moment and goes
on where it was, and its task holds no thread while it waits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import UUID

import redis

from tasks import scripts
from tasks.audit import By
from tasks.catalog import REPLAY_TASK
from tasks.clock import now_ms
from tasks.dead_facts import Fact
from tasks.errors import DespachoError, IdempotencyMismatch, NotFound, ReplayEnded, ReplayRefused
from tasks.fingerprints import fingerprint_of
from tasks.ids import new_id
from tasks.keys import Keys
from tasks.ledger import Idempotency, Ledger
from tasks.lifecycle import State
from tasks.record import Task, compact_json
from tasks.redis_faults import redis_faults
from tasks.replay_states import (
    CAME_BACK,
    CANCELLED,
    DONE,
    KEPT_S,
    LOST,
    NOTHING_SUCCEEDED,
    RUNNING,
    STOPPED,
    TOOK_TOO_LONG,
    Replay,
    targets,
)
from tasks.service import TaskService
from tasks.settings import Settings
from tasks.submission import SYSTEM_TENANT, Order

REPLAYED_AT_ONCE = 50
"""Nobody else is served while a script runs: this one takes a few ms."""
LOOKED_AT_ONCE = 200
BEGUN_WITHIN_S = 120
"""A replay whose task wasn't queued by then never was."""
SOONEST_S, LATEST_S = 0.5, 10.0
"""Between two looks at tasks that run: a quarter of the time that the step has taken, within these."""
ACTION = "dead_letter.replay_gradually"


class ReplayBook:
    """For the task that takes the steps. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._client: redis.Redis = ledger.client
        self._keys = Keys(settings.namespace)
        self._step_ms = settings.replay_step_s * 1_000

    def read(self, replay_id: str) -> Replay | None:
        with redis_faults():
            fields = cast(dict[bytes, bytes], self._client.hgetall(self._keys.of("replay", id=replay_id)))
        return Replay.parse(replay_id, fields) if fields else None

    def go_on(self, replay_id: str) -> float | None:
        """Do what can be done now; how many seconds later there may be more, or `None` at the end."""
        while (found := self.read(replay_id)) is not None and found.is_running:
            wait_s = self._act(found)
            if wait_s is not None:
                return wait_s
        return None

    def _act(self, found: Replay) -> float | None:
        """One act of a replay; how long it has to wait after it, or `None` where it needn't."""
        if self._has_come_back(found, LOOKED_AT_ONCE) or self._is_replaying(found) or self._has_come_back(found):
            return None
        now = self.read(found.replay_id)
        if now is None or not now.is_running or now.number != found.number:
            return None
        if now.step.under_way > 0:
            return self._wait_s(now)
        self._move_on(now)
        return None

    def _move_on(self, found: Replay) -> None:
        if found.step.achieved_nothing:
            self._end(found, STOPPED, NOTHING_SUCCEEDED)
        elif self._is_left(found) and found.number < len(found.steps):
            self._end(found, RUNNING)
        else:
            self._end(found, DONE)

    def _is_replaying(self, found: Replay) -> bool:
        arguments = (found.replay_id, found.number, REPLAYED_AT_ONCE, KEPT_S)
        return int(self._call("replay_some", *arguments)) > 0

    def _is_left(self, found: Replay) -> bool:
        with redis_faults():
            return bool(self._client.exists(self._keys.of("replay_waiting", id=found.replay_id)))

    def _wait_s(self, found: Replay) -> float | None:
        took_ms = now_ms() - (found.step.began_ms or 0)
        if took_ms >= self._step_ms:
            self._end(found, STOPPED, self._why_so_long(found))
            return None
        return min(max(took_ms / 4_000, SOONEST_S), LATEST_S)

    def _why_so_long(self, found: Replay) -> str:
        """What is tried again for hours may have failed of the fault already."""
        going = self._ledger.tasks(self._going(found, LOOKED_AT_ONCE))
        is_back = any(task.error and fingerprint_of(task) in found.fingerprints for task in going)
        return CAME_BACK if is_back else TOOK_TOO_LONG

    # -------------------------------------------------------------------------------------- what became of them

    def _has_come_back(self, found: Replay, most: int | None = None) -> bool:
        """Count those that have ended, of the oldest so many; true where a fault of the group came back with them,
        which stops the replay."""
        going = self._going(found, most)
        ended: dict[str, str] = {}
        for start in range(0, len(going), LOOKED_AT_ONCE):
            ended |= self._outcomes(going[start : start + LOOKED_AT_ONCE], found.fingerprints)
        if not ended:
            return False
        told = [part for pair in ended.items() for part in pair]
        self._call("settle_replay", found.replay_id, found.number, *told)
        if "came_back" not in ended.values():
            return False
        self._end(found, STOPPED, CAME_BACK)
        return True

    def _going(self, found: Replay, most: int | None) -> list[str]:
        with redis_faults():
            name = self._keys.of("replay_going", id=found.replay_id)
            members = cast(list[bytes], self._client.zrange(name, 0, -1 if most is None else most - 1))
        return [member.decode() for member in members]

    def _outcomes(self, task_ids: Sequence[str], fingerprints: frozenset[str]) -> dict[str, str]:
        statuses = self._statuses(task_ids)
        outcomes = {task_id: _OUTCOMES[status] for task_id, status in statuses.items() if status in _OUTCOMES}
        failed = [task_id for task_id, status in statuses.items() if status == State.FAILED]
        for task in self._ledger.tasks(failed) if failed else ():
            if task.status is State.FAILED:
                outcomes[task.task_id] = _failure(task, fingerprints)
        return outcomes

    def _statuses(self, task_ids: Sequence[str]) -> dict[str, str]:
        pipe = self._client.pipeline(transaction=False)
        for task_id in task_ids:
            pipe.hget(self._keys.of("task", id=task_id), "status")
        with redis_faults():
            found = pipe.execute()
        return {task_id: (raw or b"").decode() for task_id, raw in zip(task_ids, found, strict=True)}

    def _end(self, found: Replay, state: str, reason: str = "") -> None:
        """Move on from the step in which it was seen, unless somebody else has."""
        self._call("end_replay", found.replay_id, found.number, state, reason, "", "", KEPT_S)

    def _call(self, name: str, *arguments: Any) -> Any:
        with redis_faults():
            return scripts.call_once(self._client, name, self._keys.namespace, arguments)


_OUTCOMES = {"": "forgotten", State.SUCCEEDED.value: "succeeded", State.CANCELLED.value: "cancelled"}


def _failure(task: Task, fingerprints: frozenset[str]) -> str:
    return "came_back" if fingerprint_of(task) in fingerprints else "failed_otherwise"


# ------------------------------------------------------------------------------------------------- the gateway


@dataclass(frozen=True, slots=True)
class Wish:
    """A gradual replay as it is asked for: the filter as it was sent, who asks, and of which tenant they are."""

    filter: Mapping[str, Any]
    by: By
    tenant: str
    idempotency: Idempotency

    @property
    def replay_id(self) -> str:
        """The same for the same Idempotency-Key."""
        if not self.idempotency.digest:
            return new_id()
        digest = hashlib.sha256(f"replay/{self.tenant}/{self.idempotency.digest}".encode()).digest()
        return str(UUID(bytes=digest[:16], version=4))

    @property
    def group(self) -> str:
        return hashlib.sha256(compact_json(sorted(self.filter.items())).encode()).hexdigest()[:32]


class ReplayDesk:
    """For the gateway. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, tasks: TaskService, settings: Settings) -> None:
        self._tasks = tasks
        self._client = tasks.client
        self._keys = Keys(settings.namespace)

    async def begun_before(self, wish: Wish) -> Replay | None:
        """What the same request has begun already; `None` where its key is new. Raises `IdempotencyMismatch`."""
        if not wish.idempotency.digest:
            return None
        found = await self._read(wish.replay_id)
        if found is not None and found.request != wish.idempotency.fingerprint:
            raise IdempotencyMismatch
        return found

    async def begin(self, wish: Wish, letters: Sequence[Fact], *, is_all: bool) -> Replay:
        """Begin to replay these dead letters, in their order. Where there are none it is done at once.

        Raises `ReplayRefused` where the same group is being replayed, or too many are; `IdempotencyMismatch`;
        `QueueFull`."""
        replay_id = wish.replay_id
        fields = _fields(wish, letters, is_all=is_all)
        entries = [f"{letter.task_id} {letter.version}" for letter in letters]
        head = (replay_id, wish.group, wish.idempotency.fingerprint, BEGUN_WITHIN_S, wish.tenant)
        line = wish.by.line(ACTION)
        self._check(await self._call("begin_replay", *head, line, len(fields) // 2, *fields, *entries))
        if letters:
            await self._queue(replay_id, wish)
        await self._keep(replay_id)
        return await self.get(replay_id)

    def _check(self, answer: Sequence[bytes]) -> None:
        verdict, *rest = (part.decode() for part in answer)
        if verdict == "mismatch":
            raise IdempotencyMismatch
        if verdict == "taken":
            raise ReplayRefused(f"the same group is being replayed already, by the replay {rest[0]}")
        if verdict == "full":
            raise ReplayRefused("as many gradual replays run as may; wait for one of them, or stop it")

    async def _queue(self, replay_id: str, wish: Wish) -> None:
        order = Order(
            REPLAY_TASK, kwargs={"replay_id": replay_id}, task_id=replay_id, tenant=SYSTEM_TENANT, internal=True
        )
        try:
            await self._tasks.submit(await self._tasks.prepare([order]), by=wish.by)
        except DespachoError:
            # The group is free again; where Redis is away that comes by itself, two minutes later.
            await self._call("end_replay", replay_id, "", STOPPED, LOST, "", "", BEGUN_WITHIN_S)
            raise

    async def _keep(self, replay_id: str) -> None:
        with redis_faults():
            pipe = self._client.pipeline(transaction=False)
            for name in ("replay", "replay_waiting"):
                pipe.expire(self._keys.of(name, id=replay_id), KEPT_S)
            await pipe.execute()

    async def get(self, replay_id: str) -> Replay:
        """One as it stands. Raises `NotFound`."""
        found = await self._read(replay_id)
        if found is None:
            raise NotFound("there is no such replay, or no longer")
        return found

    async def all(self) -> list[Replay]:
        """The newest hundred, newest first."""
        with redis_faults():
            ids = await self._client.zrange(self._keys.of("replays"), 0, -1, desc=True)
        found = [await self._read(raw.decode()) for raw in ids]
        return [replay for replay in found if replay is not None]

    async def stop(self, replay_id: str, by: By, *, tenant: str) -> Replay:
        """Replay no more of it; what was replayed goes on. Raises `NotFound`, and `ReplayEnded`."""
        line = by.line(ACTION)
        verdict, *rest = await self._call("end_replay", replay_id, "", STOPPED, CANCELLED, tenant, line, KEPT_S)
        if verdict == b"gone":
            raise NotFound("there is no such replay, or no longer")
        if verdict == b"over":
            raise ReplayEnded(rest[0].decode())
        return await self.get(replay_id)

    async def _read(self, replay_id: str) -> Replay | None:
        pipe = self._client.pipeline(transaction=False)
        pipe.hgetall(self._keys.of("replay", id=replay_id))
        pipe.hget(self._keys.of("task", id=replay_id), "status")
        with redis_faults():
            fields, status = await pipe.execute()
        if not fields:
            return None
        found = Replay.parse(replay_id, fields)
        return replace(found, state=STOPPED, reason=LOST) if _is_lost(found, status) else found

    async def _call(self, name: str, *arguments: Any) -> Any:
        return await self._tasks.call(name, *arguments)


def _is_lost(found: Replay, status: bytes | None) -> bool:
    """Whether nobody sees to it any more: its task has ended without it, or is gone."""
    if not found.is_running:
        return False
    if status is None:
        return now_ms() - found.began_ms > BEGUN_WITHIN_S * 1_000
    return State(status.decode()).final


def _fields(wish: Wish, letters: Sequence[Fact], *, is_all: bool) -> list[str | int]:
    """What is kept of a replay from its beginning: names and values by turns."""
    fields: dict[str, str | int] = {
        "state": RUNNING if letters else DONE,
        "step": 1,
        "targets": ",".join(map(str, targets(len(letters)))),
        "total": len(letters),
        "is_all": int(is_all),
        "filter": compact_json(dict(wish.filter)),
        "fingerprints": ",".join(sorted({letter.fingerprint for letter in letters})),
        "by": wish.by.actor,
        "tenant": wish.tenant,
        "line": wish.by.line("dead_letter.replay"),
        "ends": wish.by.line(ACTION),
    }
    if not letters:
        fields["ended"] = now_ms()
    return [part for pair in fields.items() for part in pair]
