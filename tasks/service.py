"""`TaskService`: what a Python caller needs to queue tasks and follow them. The gateway uses it too.

It is the asynchronous face of the ledger: the same scripts, one round trip each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks import scripts
from tasks.catalog import CATALOG, Catalog
from tasks.connection import AsyncRedis, connect_async
from tasks.errors import InvalidInput, NotFound
from tasks.keys import Keys
from tasks.ledger import (
    Idempotency,
    Submitted,
    parse_move,
    parse_submitted,
    redis_faults,
    submit_arguments,
)
from tasks.lifecycle import Move, Priority, allowed_from
from tasks.reader import Reader
from tasks.record import Task
from tasks.settings import Settings
from tasks.submission import DEFAULT_TENANT, NewTask, Order, check

CANCELLED_AT_ONCE = 200


class TaskService:
    """Queues, reads, cancels and retries tasks of one tenant after the other.

    Every method raises `Unavailable` when Redis is away, and may then be called again.
    """

    def __init__(self, client: AsyncRedis, settings: Settings, catalog: Catalog = CATALOG) -> None:
        self.client = client
        self.settings = settings
        self.catalog = catalog
        self.reader = Reader(client, settings, catalog)
        self._namespace = Keys(settings.namespace).namespace
        self._retention_ms = settings.retention_s * 1_000
        self._scripts = {
            name: client.register_script(scripts.source(name)) for name in ("submit", "cancel", "requeue")
        }

    @classmethod
    def connect(cls, settings: Settings | None = None) -> TaskService:
        """A service over the Redis of the settings; by default those of the environment."""
        settings = settings or Settings.load()
        return cls(connect_async(settings), settings)

    async def close(self) -> None:
        await self.client.aclose()

    async def _call(self, name: str, *arguments: Any) -> Any:
        with redis_faults():
            return await self._scripts[name](keys=[self._namespace], args=arguments)

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
        submitted = await self.submit([check(order, self.catalog)])
        return submitted.task_ids[0]

    async def submit(self, tasks: Sequence[NewTask], idempotency: Idempotency = Idempotency()) -> Submitted:
        """Queue checked tasks, all or none."""
        if not tasks:
            raise InvalidInput.of("tasks", "must hold at least one task")
        arguments = submit_arguments(tasks, self.settings.max_waiting, idempotency, self.catalog)
        return parse_submitted(await self._call("submit", *arguments))

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
                arguments = [child, tenant, allowed, self._retention_ms]
                await self._scripts["cancel"](keys=[self._namespace], args=arguments, client=pipe)
            with redis_faults():
                await pipe.execute()

    async def retry_task(self, task_id: str, *, tenant: str = DEFAULT_TENANT) -> str:
        """Run a failed or cancelled task again, with fresh attempts. Raises `NotFound`, `IllegalMove`."""
        answer = await self._call("requeue", task_id, tenant, allowed_from(Move.REQUEUE))
        return parse_move(Move.REQUEUE, answer)

    async def stats(self, *, tenant: str | None = DEFAULT_TENANT) -> dict[str, Any]:
        """The last hour's figures of one tenant; of all of them with `None`."""
        tenants = [tenant] if tenant is not None else await self.reader.tenants()
        return await self.reader.stats(tenants)
