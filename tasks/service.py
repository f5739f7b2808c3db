"""`TaskService`: what a Python caller needs to queue tasks and follow them. The gateway uses it too.

It is the asynchronous face of the ledger: the same scripts, one round trip each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks import scripts
from tasks.blobs import FolderBlobs
from tasks.case_keys import AsyncCaseKeys, Keyring
from tasks.cases import CaseStore
from tasks.catalog import CATALOG, Catalog
from tasks.connection import AsyncRedis, connect_async, connect_shared
from tasks.erasure import Erasure
from tasks.errors import FieldError, InvalidInput, NotFound, Unavailable
from tasks.keys import Keys
from tasks.ledger import (
    KEYS_CHANGE,
    SENT_AT_MOST,
    Idempotency,
    Submission,
    Submitted,
    parse_move,
)
from tasks.lifecycle import Move, Priority, allowed_from
from tasks.reader import Reader
from tasks.record import Task
from tasks.redis_faults import redis_faults
from tasks.settings import Settings
from tasks.submission import DEFAULT_TENANT, NewTask, Order, check

CANCELLED_AT_ONCE = 50


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
        self._caller = scripts.AsyncCaller(connect_shared(settings))
        self.cases = CaseStore(client, settings, self.case_keys, self._caller)
        self._namespace = Keys(settings.namespace).namespace
        self._retention_ms = settings.retention_s * 1_000

    def erasure(self, blobs: FolderBlobs) -> Erasure:
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
    ) -> str:
        """Queue one task and return its id. `countdown` is in seconds, at most 30 days.

        Raises `InvalidInput`, which names the argument, `QueueFull` and `Unavailable`.
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
        )
        submitted = await self.submit(await self.prepare([order]))
        return submitted.task_ids[0]

    async def prepare(self, orders: Sequence[Order], prefix: str = "") -> list[NewTask]:
        """Check orders against the catalog and against what is stored: a triage needs a conversation, an analysis
        its documents. Raises `InvalidInput` with all that is wrong; `prefix` is put before each field, with the
        order's number in place of `{}`."""
        checked: list[NewTask] = []
        errors: list[FieldError] = []
        for number, order in enumerate(orders):
            try:
                checked.append(await self._check(order))
            except InvalidInput as invalid:
                start = prefix.format(number)
                errors.extend(FieldError(start + fault.field, fault.message) for fault in invalid.errors)
        if errors:
            raise InvalidInput(errors)
        return checked

    async def _check(self, order: Order) -> NewTask:
        task = check(order, self.catalog)
        bound = self.catalog.get(order.task_name).bind(order.args, order.kwargs)
        if task.name == "triage.process_async" or (task.name == "embeddings.generate_async" and task.case_id):
            await self._check_conversation(task, bound)
        for document_id in bound.get("document_ids") or ():
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

    async def submit(self, tasks: Sequence[NewTask], idempotency: Idempotency = Idempotency()) -> Submitted:
        """Queue checked tasks, all or none."""
        submission = Submission(tasks, self.ring, self.settings, self.catalog, idempotency)
        for _ in range(SENT_AT_MOST):
            submitted = submission.read(await self._call("submit", *submission.arguments()))
            if submitted is not None:
                return submitted
        raise Unavailable(KEYS_CHANGE)

    async def get_task_status(self, task_id: str, *, tenant: str = DEFAULT_TENANT) -> Task:
        """The record as it stands now. Raises `NotFound`."""
        task = await self.reader.task(task_id, tenant)
        if task is None:
            raise NotFound("there is no such task")
        return task

    async def cancel_task(self, task_id: str, *, tenant: str = DEFAULT_TENANT) -> str:
        """`cancelled`, or `cancelling` where its worker has to stop first; a batch takes its children with it.

        Raises `NotFound` and, for a task that has ended, `IllegalMove`.
        """
        allowed = allowed_from(Move.CANCEL)
        answer = await self._call("cancel", task_id, tenant, allowed, self._retention_ms)
        verdict = parse_move(Move.CANCEL, answer)
        await self._cancel_children(task_id, tenant)
        return verdict

    async def _cancel_children(self, parent_id: str, tenant: str) -> None:
        children = await self.reader.children(parent_id)
        allowed = allowed_from(Move.CANCEL)
        for start in range(0, len(children), CANCELLED_AT_ONCE):
            pipe = self.client.pipeline(transaction=False)
            for child in children[start : start + CANCELLED_AT_ONCE]:
                pipe.fcall(scripts.function("cancel"), 1, self._namespace, child, tenant, allowed, self._retention_ms)
            with redis_faults():
                await pipe.execute()

    async def retry_task(self, task_id: str, *, tenant: str = DEFAULT_TENANT) -> str:
        """Run a failed or cancelled task again, with fresh attempts. Raises `NotFound`, `IllegalMove`."""
        answer = await self._call("requeue", task_id, tenant, allowed_from(Move.REQUEUE))
        return parse_move(Move.REQUEUE, answer)

    async def pause_queue(self, queue: str, by: str) -> None:
        """Let workers finish what they have begun of a queue and take nothing more. Raises `InvalidInput`."""
        await self._call("pause", self.catalog.check_queue(queue), by)

    async def resume_queue(self, queue: str) -> None:
        """Let a paused queue go on. Raises `InvalidInput`."""
        await self._call("resume", self.catalog.check_queue(queue))

    async def stats(self, *, tenant: str | None = DEFAULT_TENANT) -> dict[str, Any]:
        """The last hour's figures of one tenant; of all of them with `None`."""
        tenants = [tenant] if tenant is not None else await self.reader.tenants()
        return await self.reader.stats(tenants)
