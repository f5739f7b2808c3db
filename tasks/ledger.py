"""The only writer of tasks, for the synchronous world of workers: one method per script, of the same name.

Each method says in words what its script does; what the script takes and returns is written on top of the script.
Reading is `reader.py`'s, for the asynchronous world of the gateway.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import redis

from tasks import scripts
from tasks.audit import subjects
from tasks.audit_chain import extend
from tasks.case_keys import CaseKeys, Keyring, key_ttl_s
from tasks.catalog import CATALOG, Catalog
from tasks.clock import now_ms
from tasks.errors import (
    IdempotencyMismatch,
    IllegalMove,
    InvalidInput,
    NotABatch,
    NotFound,
    OnHold,
    QueueFull,
    QuotaExceeded,
    RecordChanged,
    Unavailable,
)
from tasks.keys import Keys
from tasks.lifecycle import Move, allowed_from
from tasks.limits import encode_limits, limits_of
from tasks.noted import NOTHING, Noted
from tasks.record import RECORD_FIELDS, RunOptions, Task, compact_json, parse_task
from tasks.redis_faults import redis_faults
from tasks.sealed_tasks import SealedTasks, TaskSeal, open_payload, opened, sealed_values
from tasks.sealing import SealBroken, is_sealed, key_id_of
from tasks.settings import Settings
from tasks.statistics import HASHES_A_FOLD, totals_told
from tasks.submission import NewTask

log = logging.getLogger(__name__)
ANY_TENANT = "*"
IDEMPOTENCY_TTL_MS = 24 * 3_600_000
SENT_AT_MOST = 10
"""How often a call is made again because a case got another key meanwhile: mostly once, where it was not known."""
KEYS_CHANGE = "the keys of the cases change all the time"
PROMOTE_AT_ONCE = 200
EXPIRE_AT_ONCE = 200
_UNREADABLE = {
    "type": "UnreadableRecord",
    "message": "The record's payload or options can't be read.",
    "attempt": 1,
    "retryable": False,
}


@dataclass(frozen=True, slots=True)
class Submitted:
    """The ids, in the order in which the tasks were given; `replayed` where an Idempotency-Key was known."""

    task_ids: tuple[str, ...]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """How a request that moves one task was answered: `cancelled`, `cancelling` or `queued`; `replayed` where it was
    answered so before."""

    verdict: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A digest of tenant, route and key, and the fingerprint of the request that came with it."""

    digest: str = ""
    fingerprint: str = ""

    def arguments(self) -> list[str | int]:
        return [self.digest, self.fingerprint, IDEMPOTENCY_TTL_MS]


FOR_EVER_S = 10 * 365 * 86_400.0
UNCONDITIONAL = ""
"""What a caller has seen that makes no condition; else versions of the record joined by commas, or `*`."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A worker's hold on one run of one task: the fence that every write of the run has to pass."""

    task_id: str
    run: int
    worker: str
    lane: str

    def arguments(self) -> list[str | int]:
        return [self.task_id, self.run, self.worker, self.lane]


@dataclass(frozen=True, slots=True)
class Started:
    """A run that has begun: what the worker needs for it."""

    hold: Hold
    task_name: str
    payload: dict[str, Any]
    options: RunOptions
    tenant: str
    case_id: str | None
    parent_id: str | None
    retries: int
    seal: TaskSeal
    parts: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Appetite:
    """What a worker with free threads would take: up to `most` tasks, the most urgent first; equals in the order of
    `queues`."""

    worker: str
    queues: Sequence[str]
    most: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Whether the end of a run was written (false: it was superseded), whether more was looked for in the same step,
    and the runs that so begin on its worker."""

    written: bool
    looked: bool = False
    started: tuple[Started, ...] = ()

    def __bool__(self) -> bool:
        return self.written


@dataclass(frozen=True, slots=True)
class Chores:
    """What the chores came to: the ms until the next delayed task is due, the ms until a worker that stays silent
    would be taken for dead, and the dead workers with the number of tasks that each held."""

    following_ms: int | None
    until_death_ms: int | None
    dead: dict[str, int]


class Submission:
    """One call of `submit`, which may have to be made again: until its texts lie under the keys that are kept."""

    def __init__(
        self,
        tasks: Sequence[NewTask],
        ring: Keyring,
        settings: Settings,
        catalog: Catalog,
        idempotency: Idempotency = Idempotency(),
        quota: int | None = None,
        audit_line: str = "",
    ) -> None:
        """Without a quota the tenant's is not asked; without an audit line nothing is noted.

        Raises `InvalidInput` for no task, and for a queue that nobody declared."""
        if not tasks:
            raise InvalidInput.of("tasks", "must hold at least one task")
        for task in tasks:
            catalog.check_queue(task.queue)
        self._tasks = tasks
        self._ring = ring
        self._settings = settings
        self._idempotency = idempotency
        self._ids = tuple(task.task_id for task in tasks)
        self._quota = "" if quota is None else quota
        self._audit = (audit_line, subjects(self._ids) if audit_line else "")
        self._sealed = SealedTasks(ring)

    def arguments(self) -> list[str | int | bytes]:
        """In the order in which `submit.lua` reads them. Raises `CaseRekeyed`."""
        self._sealed = SealedTasks(self._ring)
        bodies = [part for task in self._tasks for part in self._sealed.arguments(task)]
        keys = self._sealed.key_arguments()
        head = (self._settings.max_waiting, *self._idempotency.arguments(), self._quota, *self._audit)
        return [*head, key_ttl_s(self._settings), len(keys) // 4, *keys, *bodies]

    def read(self, answer: list[bytes]) -> Submitted | None:
        """What came of it; `None` where it has to be sent again, under the keys that were told."""
        if answer[0] == b"rekey":
            self._learn(answer[1:])
            return None
        submitted = parse_submitted(answer)
        if submitted.replayed and submitted.task_ids == self._ids:
            # A call that was made again, because its answer was lost, finds what it has queued itself.
            submitted = replace(submitted, replayed=False)
        self._sealed.are_kept(submitted.replayed)
        return submitted

    def _learn(self, told: Sequence[bytes]) -> None:
        whose = [(tenant.decode(), case.decode()) for tenant, case in zip(told[::3], told[1::3], strict=True)]
        self._ring.learn_all(whose, [wrapped or None for wrapped in told[2::3]])


def parse_submitted(answer: list[bytes]) -> Submitted:
    """Reads the answer of `submit`; its refusals become errors."""
    verdict, *ids = (part.decode() for part in answer)
    if verdict == "mismatch":
        raise IdempotencyMismatch
    if verdict == "full":
        raise QueueFull(f"too many tasks are waiting in {ids[0]}")
    if verdict == "quota":
        raise QuotaExceeded(f"{ids[0]} tasks may wait at a time; queue more when some are done")
    if verdict == "orphan":
        raise IllegalMove("take children", "not running")
    return Submitted(tuple(ids), replayed=verdict == "replayed")


def parse_move(move: Move, answer: list[bytes]) -> Moved:
    """Reads the answer of `cancel` or `requeue`; its refusals become errors."""
    verdict, *rest = (part.decode() for part in answer)
    if verdict == "gone":
        raise NotFound("there is no such task")
    if verdict == "refused":
        raise IllegalMove(move.value, rest[0])
    if verdict == "changed":
        raise RecordChanged
    if verdict == "mismatch":
        raise IdempotencyMismatch
    return Moved(rest[0], replayed=True) if verdict == "replayed" else Moved(verdict)


def parse_steering(wish: str, answer: list[bytes]) -> str:
    """Reads the answer of `pause_batch` or `resume_batch`; its refusals become errors."""
    verdict, *rest = (part.decode() for part in answer)
    if verdict == "gone":
        raise NotFound("there is no such task")
    if verdict == "other":
        raise NotABatch(wish, rest[0])
    if verdict == "refused":
        raise IllegalMove(wish, rest[0])
    if verdict == "changed":
        raise RecordChanged
    return verdict


def _or_none(ms: int) -> int | None:
    return None if ms < 0 else ms


class Ledger:
    """All moves of tasks. Every method raises `Unavailable` when Redis is away; all may be called again then."""

    def __init__(
        self,
        client: redis.Redis,
        settings: Settings,
        catalog: Catalog = CATALOG,
        shield: scripts.Shield = nullcontext,
    ) -> None:
        self.client = client
        self._caller = scripts.Caller(client, shield)
        self.keys = Keys(settings.namespace)
        self.catalog = catalog
        self._settings = settings
        self.ring = Keyring(settings)
        self.case_keys = CaseKeys(client, settings, self.ring)
        self._retention_ms = settings.retention_s * 1_000
        self._limits = encode_limits(limits_of(settings, catalog), settings.ageing_s)
        # Longer than a beat takes to come again, and short enough that nobody is overdue when it ends.
        self._lease_ms = max(1, int(settings.heartbeat_timeout_s * 500))

    def _call(self, name: str, *arguments: Any, repeats: bool = True) -> Any:
        with redis_faults():
            return self._caller(name, self.keys.namespace, arguments, repeats=repeats)

    # ------------------------------------------------------------------------------------------ submit

    def submit(self, tasks: Sequence[NewTask], idempotency: Idempotency = Idempotency()) -> Submitted:
        """Queue 1 to 1,000 tasks, all or none; a task that is known already stays as it is. It is for the service's
        own: children and what is scheduled, which no quota stops and no audit notes. Raises `CaseRekeyed` where a
        task brings the text of a case that was erased meanwhile."""
        submission = Submission(tasks, self.ring, self._settings, self.catalog, idempotency)
        for _ in range(SENT_AT_MOST):
            submitted = submission.read(self._call("submit", *submission.arguments()))
            if submitted is not None:
                return submitted
        raise Unavailable(KEYS_CHANGE)

    def advance_schedule(self, name: str, *seen: str | int) -> bool:
        """Say that a schedule's slots up to one have been seen to; false where another scheduler said so first."""
        return bool(self._call("advance_schedule", name, *seen))

    # ------------------------------------------------------------------------------------------- a run

    def fetch(self, appetite: Appetite) -> list[Started]:
        """Take tasks and begin their runs. Not to be called again before `reclaim` has seen to what was lost, where
        the answer doesn't come."""
        rows = self._call("fetch", *self._wish(appetite), repeats=False)
        return list(self._readable(appetite.worker, rows))

    def _wish(self, appetite: Appetite | None) -> list[str | int]:
        if appetite is None or appetite.most <= 0:
            return []
        allowed = allowed_from(Move.START)
        return [appetite.worker, allowed, self._retention_ms, appetite.most, self._limits, *appetite.queues]

    def _readable(self, worker: str, rows: Iterable[list[Any]]) -> Iterator[Started]:
        """A record that was garbled is a dead letter; those that were fetched with it must not be stranded."""
        for row in rows:
            try:
                yield self._started(worker, row)
            except ValueError:
                hold = Hold(row[0].decode(errors="replace"), row[3], worker, row[2].decode(errors="replace"))
                # Without the traceback, which may quote a client.
                log.error("the record of task %s can't be read", hold.task_id)
                self.fail(hold, _UNREADABLE | {"at": now_ms()})

    def _started(self, worker: str, row: list[Any]) -> Started:
        task_id, name, lane, run, payload, options, tenant, case, parent, retries, wrapped = row
        seal = self._seal_of(tenant.decode(), case.decode(), task_id.decode(), payload, wrapped)
        body, parts = open_payload(payload, seal)
        return Started(
            hold=Hold(task_id.decode(), run, worker, lane.decode()),
            task_name=name.decode(),
            payload=body,
            parts=parts,
            seal=seal,
            options=RunOptions.decode(options),
            tenant=tenant.decode(),
            case_id=case.decode() or None,
            parent_id=parent.decode() or None,
            retries=retries,
        )

    def _seal_of(self, tenant: str, case_id: str, task_id: str, payload: bytes, wrapped: bytes) -> TaskSeal:
        """What the run opens its payload with and seals its result with: the key that came with it. Raises
        `SealBroken` where it is gone. What an older release queued in clear has none."""
        vault = self.ring.vault
        if wrapped:
            key = vault.unwrap(wrapped, tenant, case_id).data
        elif not is_sealed(payload):
            key = vault.task_key(tenant, task_id)
        elif case_id and not vault.is_master(key_id_of(payload)):
            raise SealBroken("the key of the case is gone")
        else:
            key = vault.task_key(tenant, task_id, key_id_of(payload))
        return TaskSeal(key, tenant, case_id, task_id)

    def progress(self, hold: Hold, percent: float, message: str) -> str:
        """Tell how far the run has come; the answer is `go_on`, `cancel` or `lost`."""
        arguments = (hold.task_id, hold.run, hold.worker, f"{percent:g}", message, allowed_from(Move.PROGRESS))
        return str(self._call("progress", *arguments).decode())

    def keep_lines(self, hold: Hold, number: int, stands_for: int, lines: bytes) -> None:
        """Keep lines that the run has logged; see tasks/lines.py."""
        held = (hold.task_id, hold.run, hold.worker, allowed_from(Move.PROGRESS))
        self._call("keep_lines", *held, number, stands_for, lines)

    def ask_breaker(self, name: str, token: str, lease_ms: int) -> tuple[str, int]:
        """What the breaker of a dependency says, and for how many ms; see tasks/breakers.py."""
        state, *wait = self._call("ask_breaker", name, token, lease_ms)
        return state.decode(), int(wait[0]) if wait else 0

    def breaker_failed(self, name: str, token: str, *bounds: int | str) -> int:
        """Tell that a call failed; see tasks/breakers.py."""
        return int(self._call("breaker_failed", name, token, *bounds, repeats=False))

    def breaker_succeeded(self, name: str, token: str) -> bool:
        """Tell that a call succeeded; true where that closed an open breaker."""
        return bool(self._call("breaker_succeeded", name, token))

    def count_tokens(self, task_id: str, prompt: int, completion: int) -> None:
        """Add to the sums of tokens that this type of task, its queue and its tenant have cost."""
        self._call("count_tokens", task_id, prompt, completion, repeats=False)

    def count_cached(self, task_id: str, known: int, made: int) -> None:
        """Add to the counts of what this type of task, its queue and its tenant found in a cache, and didn't."""
        self._call("count_cached", task_id, known, made, repeats=False)

    def succeed(
        self, hold: Hold, result: str | bytes, place: str = "", then: Appetite | None = None, noted: Noted = NOTHING
    ) -> Ended:
        """End the run well. `result` is sealed JSON; a large one lies at `place` in the blob store instead."""
        kept = (allowed_from(Move.SUCCEED), self._retention_ms, result, place, noted.tally, noted.slow_flag)
        return self._end("succeed", hold, *kept, then=then)

    def retry(
        self,
        hold: Hold,
        delay_ms: int,
        error: dict[str, Any] | None,
        *,
        counted: bool = True,
        then: Appetite | None = None,
        result: str | bytes = "",
        place: str = "",
        waits_for: str = "",
    ) -> Ended:
        """End the run and have it repeated after `delay_ms`; `counted` ones use up an attempt. What it achieved so
        far is kept like a result, for the next run to build on; it is nobody else's. `waits_for` names what holds it
        up, such as `breaker llm`."""
        problem = compact_json(error) if error else ""
        allowed, flag = allowed_from(Move.RETRY), "1" if counted else ""
        kept = (delay_ms, problem, self._retention_ms, flag, result, place, waits_for)
        return self._end("retry", hold, allowed, *kept, then=then)

    def fail(
        self,
        hold: Hold,
        error: dict[str, Any],
        then: Appetite | None = None,
        *,
        result: str | bytes = "",
        place: str = "",
        noted: Noted = NOTHING,
    ) -> Ended:
        """End the task for good: a dead letter. What it achieved nevertheless is kept as where one succeeded."""
        kept = (compact_json(error), self._retention_ms, result, place, noted.slow_flag)
        return self._end("fail", hold, allowed_from(Move.FAIL), *kept, then=then)

    def cancelled(self, hold: Hold, then: Appetite | None = None) -> Ended:
        """End a run that was interrupted on request."""
        return self._end("cancelled", hold, allowed_from(Move.CANCEL), self._retention_ms, then=then)

    def await_children(
        self, hold: Hold, on_error: str = "", max_parallel: int | None = None, then: Appetite | None = None
    ) -> Ended:
        """End a parent's run, not the parent: its held children begin, and it goes on when the last one has ended.
        With `abort`, children that have not begun when one fails are cancelled. `max_parallel` of them run at a time;
        left out, three quarters of the threads that there are."""
        allowed, most = allowed_from(Move.PROGRESS), max_parallel or ""
        return self._end("await_children", hold, allowed, on_error, most, then=then)

    def hand_back(self, hold: Hold) -> Ended:
        """Put a run that this worker will not end back at the head of its lane."""
        return self._end("hand_back", hold, allowed_from(Move.RECOVER), self._retention_ms, then=None)

    def _end(self, name: str, hold: Hold, *arguments: Any, then: Appetite | None) -> Ended:
        wish = self._wish(then)
        verdict, *rows = self._call(name, *hold.arguments(), *arguments, *wish, repeats=not wish)
        return Ended(verdict == b"done", bool(wish), tuple(self._readable(hold.worker, rows)))

    # ---------------------------------------------------------------------------------------- on request

    def cancel(self, task_id: str, tenant: str = ANY_TENANT) -> str:
        """`cancelled`, or `cancelling` where a worker must hear of it first. Raises `NotFound`, `IllegalMove`."""
        allowed = allowed_from(Move.CANCEL)
        wish = (task_id, tenant, allowed, self._retention_ms, UNCONDITIONAL, *Idempotency().arguments(), "")
        return parse_move(Move.CANCEL, self._call("cancel", *wish)).verdict

    def requeue(self, task_id: str, tenant: str = ANY_TENANT, *, held: bool = False) -> str:
        """Run a failed or cancelled task again, with fresh attempts. A child that is `held` waits until its parent
        draws it; one that isn't runs whatever became of its parent. Raises `NotFound`, `IllegalMove`."""
        wish = (task_id, tenant, allowed_from(Move.REQUEUE), UNCONDITIONAL, *Idempotency().arguments(), "")
        return parse_move(Move.REQUEUE, self._call("requeue", *wish, "1" if held else "")).verdict

    def discard(self, task_id: str, tenant: str = ANY_TENANT) -> None:
        """Let a failed task expire now: the chores forget it, files first. Raises `NotFound`; `IllegalMove` for what
        hasn't failed; `OnHold` where a hold keeps its case."""
        answer = self._call("discard", task_id, tenant, UNCONDITIONAL, "")
        if answer[0] == b"held":
            raise OnHold("the case of the task is on hold; the task was not discarded")
        parse_move(Move.REQUEUE, answer)

    # ------------------------------------------------------------------------------------------ upkeep

    def beat(self, worker: str, description: dict[str, Any] | None) -> bool:
        """Tell that this worker lives, now and then also what it is; true where the chores are its to do."""
        description_ttl_ms = max(1, int(self._settings.heartbeat_timeout_s * 3_000))
        told = compact_json(description) if description is not None else ""
        return bool(self._call("beat", worker, told, description_ttl_ms, self._lease_ms))

    def do_chores(self, worker: str = "", *, raise_aged: bool = False, spares_silent: bool = False) -> Chores:
        """Queue what has become due, take back what dead workers held, unless the silent are to be spared, and, where
        asked, move up what has waited too long; where a worker is named, only while it holds the lease on the chores.
        """
        settings, lanes = self._settings, self.catalog.lanes
        timeout_s = FOR_EVER_S if spares_silent else settings.heartbeat_timeout_s
        following_ms, until_death_ms, *report = self._call(
            "do_chores",
            worker,
            allowed_from(Move.DUE),
            PROMOTE_AT_ONCE,
            int(timeout_s * 1_000),
            settings.max_crashes,
            self._retention_ms,
            int(settings.ageing_s * 1_000) if raise_aged else "",
            self._limits,
            len(lanes),
            *lanes,
            *self.catalog.queues,
        )
        dead = zip((worker.decode() for worker in report[::2]), report[1::2], strict=True)
        return Chores(_or_none(following_ms), _or_none(until_death_ms), dict(dead))

    def extend_audit(self) -> bool:
        """Chain some of what was noted for the audit trails; true where there may be more."""
        with redis_faults():
            return extend(self.client, self._caller, self._settings)

    def held_by(self, worker: str) -> set[Hold]:
        """What the server thinks that this worker holds."""
        answer = self._call("held_by", worker, *self.catalog.lanes)
        triples = zip(answer[::3], answer[1::3], answer[2::3], strict=True)
        return {Hold(task_id.decode(), run, worker, lane.decode()) for lane, task_id, run in triples}

    def reclaim(self, worker: str, lost: Iterable[Hold]) -> int:
        """Put back runs that the server thinks this worker holds and the worker doesn't know of."""
        parts = ((hold.lane, hold.task_id, hold.run) for hold in lost)
        return int(self._call("reclaim", worker, self._retention_ms, *itertools.chain.from_iterable(parts)))

    # ------------------------------------------------------------------------------------------ vectors

    def keep_vector(self, tenant: str, case_id: str, version: str, model: str, vector: bytes) -> bool:
        """Keep a case's vector with the case; false where it holds another conversation by now, or is gone."""
        arguments = (tenant, case_id, version, model, vector, self._settings.case_retention_s)
        return bool(self._call("keep_vector", *arguments) == b"kept")

    def share_vectors(
        self, tenant: str, case_id: str, wrapped: bytes, most: int, ttl_s: int, parts: Sequence[str | bytes]
    ) -> int:
        """Keep sealed vectors of texts, at most so many of a tenant: `parts` are digest and vector by turns. Returns
        how many were kept."""
        return int(self._call("share_vectors", tenant, case_id, wrapped, most, ttl_s, *parts))

    # ------------------------------------------------------------------------------------------ erasure

    def note_about(self, task_id: str, tenant: str, case_id: str, document_id: str) -> bool:
        """Have a task that reads a document of a case which isn't its own erased with that case; false where the
        document is gone, or its case is being erased."""
        ttl_s = key_ttl_s(self._settings)
        return bool(self._call("note_about", task_id, tenant, case_id, document_id, ttl_s))

    # ------------------------------------------------------------------------------------------ reading

    def tasks(self, task_ids: Sequence[str]) -> list[Task]:
        """The records of these ids, in their order; those that are gone are left out."""
        pipe = self.client.pipeline(transaction=False)
        for task_id in task_ids:
            pipe.hmget(self.keys.of("task", id=task_id), list(RECORD_FIELDS))
        with redis_faults():
            rows = pipe.execute()
        found = (parse_task(task_id, row) for task_id, row in zip(task_ids, rows, strict=True))
        tasks = [task for task in found if task is not None]
        self.case_keys.ask(self.ring.unknown(sealed_values(tasks)))
        return [opened(task, self.ring) for task in tasks]

    def is_known(self, task_id: str) -> bool:
        """Whether there is such a task."""
        with redis_faults():
            return bool(self.client.exists(self.keys.of("task", id=task_id)))

    def is_cancel_requested(self, hold: Hold) -> bool:
        """Whether the end of this run is wished for; asked where the wish may not have been heard."""
        with redis_faults():
            wish = self.client.hget(self.keys.of("task", id=hold.task_id), "cancel")
        return wish == b"1"

    def retire(self, worker: str) -> None:
        """Give back whatever this worker still holds and strike it off the list."""
        self._call("retire", worker, self._retention_ms, *self.catalog.lanes)

    def fold_totals(self) -> None:
        """Put the counters of minutes that are over into the totals, before they expire."""
        while totals_told(self._call("total", HASHES_A_FOLD)) is None:
            pass

    def expired(self) -> dict[str, str]:
        """Some ended tasks whose time is over, and their tenants: delete their files, then `expire` them."""
        report = [part.decode() for part in self._call("expired", EXPIRE_AT_ONCE, self._retention_ms)]
        return dict(zip(report[::2], report[1::2], strict=True))

    def expire(self, task_ids: Iterable[str]) -> int:
        """Forget these ended tasks, with everything that points to them."""
        return int(self._call("expire", *task_ids))

    def look_for_astray(self, way: str, *arguments: str | int) -> tuple[str, list[bytes]]:
        """One bounded step of the sweep: where to go on (empty at the end), and four parts of each find."""
        following, *finds = self._call("sweep", way, *arguments)
        return following.decode(), finds

    def look_again(self, finds: Sequence[bytes], *, mend: bool) -> list[int]:
        """Which of these (four parts each) are as they were found; with `mend` they are put right. Counts from 1."""
        return list(self._call("sweep", "again", "1" if mend else "", self._retention_ms, *finds))
