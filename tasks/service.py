"""`TaskService`: what a Python caller needs to queue tasks and follow them. The gateway uses it too.

It is the asynchronous face of the ledger: the same scripts, one round trip each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks import scripts
from tasks.audit import LOCAL, By
from tasks.audit_book import AuditBook
from tasks.blobs import Blobs
from tasks.case_keys import AsyncCaseKeys, Keyring
from tasks.cases import CaseStore
from tasks.catalog import BATCH, CATALOG, Catalog
from tasks.connection import AsyncRedis, connect_async, connect_shared
from tasks.erasure import Erasure
from tasks.errors import MOST_LISTED, FieldError, IdempotencyMismatch, InvalidInput, NotFound, OnHold, Unavailable
from tasks.explanation import Explanation, explain
from tasks.keys import Keys
from tasks.ledger import (
    KEYS_CHANGE,
    SENT_AT_MOST,
    UNCONDITIONAL,
    Idempotency,
    Moved,
    Submission,
    Submitted,
    parse_move,
    parse_steering,
)
from tasks.lifecycle import STEERABLE, Move, Priority, State, allowed_from
from tasks.limits import limits_of
from tasks.reader import Reader
from tasks.record import RECORD_FIELDS, Task, parse_task
from tasks.redis_faults import redis_faults
from tasks.settings import Settings
from tasks.standing import Outlook
from tasks.statistics import HASHES_A_FOLD, Figures, by_task, totals_told
from tasks.submission import DEFAULT_TENANT, NewTask, Order, check
from tasks.webhooks import WebhookDesk

CANCELLED_AT_ONCE = 50
ANY_TENANT = "*"


class TaskService:
    """Queues, reads, cancels and retries tasks of one tenant after the other.

    Every method raises `Unavailable` when Redis is away, and may then be called again.
    """

    def __init__(self, client: AsyncRedis, settings: Settings, catalog: Catalog = CATALOG) -> None:
        self.client = client
        self.settings = settings
        self.catalog = catalog
        self.ring = Keyring(settings)
        self.case_keys = AsyncCaseKeys(client, settings, self.ring)
        self.reader = Reader(client, settings, catalog, self.case_keys)
        self.webhooks = WebhookDesk(client, settings, self.reader.tasks)
        self._caller = scripts.AsyncCaller(connect_shared(settings))
        self.cases = CaseStore(client, settings, self.case_keys, self._caller)
        self.audit = AuditBook(client, self._caller, settings)
        self._keys = Keys(settings.namespace)
        self._namespace = self._keys.namespace
        self._retention_ms = settings.retention_s * 1_000
        self.limits = limits_of(settings, catalog)
        self.outlook = Outlook(self._call, self.reader, self.limits)

    def erasure(self, blobs: Blobs) -> Erasure:
        """What erases and holds cases, with the files of theirs in `blobs`."""
        return Erasure(self.client, self.settings, self._call, self.cases, self.ring, blobs)

    @classmethod
    def connect(cls, settings: Settings | None = None) -> TaskService:
        """A service over the Redis of the settings; by default those of the environment."""
        settings = settings or Settings.load()
        return cls(connect_async(settings), settings)

    async def close(self) -> None:
        await self._caller.close()
        await self.client.aclose()

    async def _call(self, name: str, *arguments: Any) -> Any:
        with redis_faults():
            return await self._caller(name, self._namespace, arguments)

    async def call(self, name: str, *arguments: Any) -> Any:
        """Call a script, for what has a module of its own."""
        return await self._call(name, *arguments)

    async def queue_task(
        self,
        task_name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        priority: Priority = Priority.NORMAL,
        queue: str | None = None,
        countdown: float | None = None,
        retry_config: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        tenant: str = DEFAULT_TENANT,
        callback_url: str | None = None,
    ) -> str:
        """Queue one task and return its id. `countdown` is in seconds, at most 30 days; a webhook tells its end to
        `callback_url`.

        Raises `InvalidInput`, which names the argument, `QuotaExceeded`, `QueueFull` and `Unavailable`.
        """
        order = Order(
            task_name=task_name,
            args=args,
            kwargs=kwargs or {},
            priority=priority,
            queue=queue,
            countdown_s=countdown,
            retry_config=retry_config or {},
            metadata=metadata or {},
            tenant=tenant,
            callback_url=callback_url,
        )
        submitted = await self.submit(await self.prepare([order]))
        return submitted.task_ids[0]

    async def prepare(self, orders: Sequence[Order], prefix: str = "") -> list[NewTask]:
        """Check orders against the catalog and against what is stored: a triage needs a conversation, an analysis
        its documents. Raises `InvalidInput` with all that is wrong; `prefix` is put before each field, with the
        order's number in place of `{}`."""
        checked: list[NewTask] = []
        errors: list[FieldError] = []
        callbacks = {(order.tenant, order.callback_url) for order in orders if order.callback_url is not None}
        refused = await self.webhooks.refused(callbacks)
        for number, order in enumerate(orders):
            faults = refused.get((order.tenant, order.callback_url or ""), [])
            try:
                checked.append(await self._check(order))
            except InvalidInput as invalid:
                faults = invalid.errors + faults
            start = prefix.format(number)
            errors.extend(FieldError(start + fault.field, fault.message) for fault in faults)
        if len(errors) > MOST_LISTED:
            raise InvalidInput.too_much(prefix.partition("[")[0], len(errors))
        if errors:
            raise InvalidInput(errors)
        return checked

    async def _check(self, order: Order) -> NewTask:
        task = check(order, self.catalog)
        bound = self.catalog.get(order.task_name, internal=order.internal).bind(order.args, order.kwargs)
        if task.name == "triage.process_async" or (task.name == "embeddings.generate_async" and task.case_id):
            await self._check_conversation(task, bound)
        for document_id in dict.fromkeys(bound.get("document_ids") or ()):
            await self._check_document(task.tenant, document_id)
        return task

    async def _check_conversation(self, task: NewTask, bound: Mapping[str, Any]) -> None:
        if bound.get("conversation_history") or bound.get("user_message") is not None:
            return
        if bound.get("conversation_history") is not None:
            raise InvalidInput.of("kwargs.conversation_history", "is empty; leave it out to use the case's own")
        if not await self.cases.has_conversation(task.tenant, task.case_id):
            raise InvalidInput.of(
                "kwargs.case_id",
                "the case has no conversation; PUT one to /api/cases/{case_id}, or send conversation_history",
            )

    async def _check_document(self, tenant: str, document_id: str) -> None:
        try:
            await self.cases.document(tenant, document_id)
        except NotFound:
            raise InvalidInput.of("kwargs.document_ids", f"there is no document {document_id}") from None

    async def submit(
        self,
        tasks: Sequence[NewTask],
        idempotency: Idempotency = Idempotency(),
        by: By = LOCAL,
        *,
        has_quota: bool = True,
    ) -> Submitted:
        """Queue checked tasks, all or none, within the quota of their tenant, where they count for it."""
        settings, line = self.settings, by.line("task.submit")
        quota = settings.tenant_quota if has_quota else None
        submission = Submission(tasks, self.ring, settings, self.catalog, idempotency, quota=quota, audit_line=line)
        for _ in range(SENT_AT_MOST):
            submitted = submission.read(await self._call("submit", *submission.arguments()))
            if submitted is not None:
                return submitted
        raise Unavailable(KEYS_CHANGE)

    async def submitted_before(self, tenant: str, idempotency: Idempotency) -> Submitted | None:
        """What the same request has queued already; `None` where this key is new. Raises `IdempotencyMismatch`."""
        with redis_faults():
            known = await self.client.hmget(
                self._keys.of("idempotency", tenant=tenant, digest=idempotency.digest), "fingerprint", "ids"
            )
        if known[0] is None:
            return None
        if known[0].decode() != idempotency.fingerprint:
            raise IdempotencyMismatch
        return Submitted(tuple(known[1].decode().split(",")), replayed=True)

    async def get_task_status(self, task_id: str, *, tenant: str = DEFAULT_TENANT) -> Task:
        """The record as it stands now. Raises `NotFound`."""
        with redis_faults():
            values = await self._caller.ask("HMGET", self._keys.of("task", id=task_id), *RECORD_FIELDS)
        task = parse_task(task_id, values)
        if task is None or task.tenant != tenant:
            raise NotFound("there is no such task")
        (task,) = await self.reader.opened([task])
        return task

    async def explain(self, task: Task) -> Explanation:
        """Why a task isn't running, or what became of it."""
        return await explain(task, self.reader, self.outlook)

    async def cancel_task(
        self,
        task_id: str,
        *,
        tenant: str = DEFAULT_TENANT,
        seen: str = UNCONDITIONAL,
        idempotency: Idempotency = Idempotency(),
        by: By | None = LOCAL,
    ) -> Moved:
        """`cancelled`, or `cancelling` where its worker has to stop first; a batch takes its children with it.

        Raises `NotFound`; `IllegalMove` for a task that has ended; `RecordChanged` for one that is of none of the
        versions in `seen`; `IdempotencyMismatch`.
        """
        allowed = allowed_from(Move.CANCEL)
        condition = (seen, *idempotency.arguments(), by.line("task.cancel") if by else "")
        answer = await self._call("cancel", task_id, tenant, allowed, self._retention_ms, *condition)
        moved = parse_move(Move.CANCEL, answer)
        # The call that was answered first may have come no further; but the batch may run again by now.
        if not moved.replayed or await self._is_to_end(task_id):
            await self._cancel_children(task_id, tenant)
        return moved

    async def _is_to_end(self, task_id: str) -> bool:
        task = await self.reader.task(task_id)
        return task is not None and (task.cancel_requested or task.status is State.CANCELLED)

    async def _cancel_children(self, parent_id: str, tenant: str) -> None:
        children = await self.reader.children(parent_id)
        allowed = allowed_from(Move.CANCEL)
        unconditional = (self._retention_ms, UNCONDITIONAL, *Idempotency().arguments(), "")
        for start in range(0, len(children), CANCELLED_AT_ONCE):
            pipe = self.client.pipeline(transaction=False)
            for child in children[start : start + CANCELLED_AT_ONCE]:
                pipe.fcall(scripts.function("cancel"), 1, self._namespace, child, tenant, allowed, *unconditional)
            with redis_faults():
                await pipe.execute()

    async def retry_task(
        self,
        task_id: str,
        *,
        tenant: str = DEFAULT_TENANT,
        seen: str = UNCONDITIONAL,
        idempotency: Idempotency = Idempotency(),
        by: By = LOCAL,
    ) -> Moved:
        """Run a failed or cancelled task again, with fresh attempts. Raises as `cancel_task` does."""
        condition = (seen, *idempotency.arguments(), by.line("task.retry"))
        answer = await self._call("requeue", task_id, tenant, allowed_from(Move.REQUEUE), *condition)
        return parse_move(Move.REQUEUE, answer)

    async def replay_dead_letter(
        self,
        task_id: str,
        *,
        seen: str = UNCONDITIONAL,
        idempotency: Idempotency = Idempotency(),
        by: By = LOCAL,
    ) -> Moved:
        """Run a failed task of any tenant again. Raises `NotFound`; `IllegalMove` for what hasn't failed;
        `RecordChanged`; `IdempotencyMismatch`."""
        condition = (seen, *idempotency.arguments(), by.line("dead_letter.replay"))
        answer = await self._call("requeue", task_id, ANY_TENANT, State.FAILED, *condition)
        return parse_move(Move.REQUEUE, answer)

    async def give_up(self, task_id: str, *, seen: str = UNCONDITIONAL, by: By = LOCAL) -> str:
        """Let a failed task of any tenant expire now; returns whose it is. Raises as `replay_dead_letter` does, and
        `OnHold` where a hold keeps its case."""
        task = await self.reader.task(task_id)
        if task is None:
            raise NotFound("there is no such task")
        answer = await self._call("discard", task_id, task.tenant, seen, by.line("dead_letter.discard"))
        if answer[0] == b"held":
            raise OnHold("the case of the task is on hold; the task was not discarded")
        parse_move(Move.REQUEUE, answer)
        return task.tenant

    async def forget_ended(self, task_id: str) -> None:
        """Forget a task that has expired and whose files are gone."""
        await self._call("expire", task_id)

    async def pause_queue(self, queue: str, by: By, *, tenant: str = DEFAULT_TENANT) -> None:
        """Let workers finish what they have begun of a queue and take nothing more; `tenant` is whose trail tells it.
        Raises `InvalidInput`."""
        await self._call("pause", self.catalog.check_queue(queue), by.actor, tenant, by.line("queue.pause"))

    async def resume_queue(self, queue: str, by: By, *, tenant: str = DEFAULT_TENANT) -> None:
        """Let a paused queue go on. Raises `InvalidInput`."""
        await self._call("resume", self.catalog.check_queue(queue), tenant, by.line("queue.resume"))

    async def steer_schedule(self, wish: str, name: str, task_id: str, by: By, *, tenant: str) -> None:
        """Pause or resume a schedule, or say that it `ran` by hand; `tenant` is whose trail tells it."""
        action = "run" if wish == "ran" else wish
        await self._call("steer_schedule", wish, name, task_id, by.actor, tenant, by.line(f"schedule.{action}"))

    async def pause_batch(
        self, task_id: str, *, tenant: str = DEFAULT_TENANT, seen: str = UNCONDITIONAL, by: By = LOCAL
    ) -> bool:
        """Let the cases of a batch that run go on and begin no other; false where it was paused already. Raises
        `NotFound`; `NotABatch`; `IllegalMove` for one that has ended; `RecordChanged`."""
        return await self._steer("pause", task_id, tenant, seen, by)

    async def resume_batch(
        self, task_id: str, *, tenant: str = DEFAULT_TENANT, seen: str = UNCONDITIONAL, by: By = LOCAL
    ) -> bool:
        """Let a paused batch go on; false where it was not paused. Raises as `pause_batch` does."""
        return await self._steer("resume", task_id, tenant, seen, by)

    async def _steer(self, wish: str, task_id: str, tenant: str, seen: str, by: By) -> bool:
        asked = (task_id, tenant, STEERABLE, BATCH, seen, by.actor, by.line(f"batch.{wish}"))
        return parse_steering(wish, await self._call(f"{wish}_batch", *asked)) != "unchanged"

    async def stats(self, *, tenant: str | None = DEFAULT_TENANT) -> dict[str, Any]:
        """The last hour's figures of one tenant; of all of them with `None`."""
        tenants = [tenant] if tenant is not None else await self.reader.tenants()
        return await self.reader.stats(tenants)

    async def totals(self) -> dict[tuple[str, str], Figures]:
        """Everything that was ever counted, over all tenants, by queue and task name. No figure ever goes back."""
        while True:
            hashes = totals_told(await self._call("total", HASHES_A_FOLD))
            if hashes is not None:
                return by_task(hashes)
