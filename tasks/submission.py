"""A task that is about to be queued: checked against the catalog, and put into the form that `submit` takes.

The same checks serve the gateway, a Python caller, a parent that queues children, a schedule, and a message
that came from Dramatiq's own API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from tasks.catalog import Catalog, TaskSpec
from tasks.context import Origin
from tasks.errors import InvalidInput
from tasks.ids import new_id
from tasks.lifecycle import Priority, State
from tasks.payloads import BatchPayload
from tasks.record import RunOptions

N = TypeVar("N", int, float)
MAX_DELAY_S = 30 * 86_400
MAX_METADATA_BYTES = 16 << 10
DEFAULT_TENANT = "default"
SYSTEM_TENANT = "system"
"""Whose the scheduled tasks are: no client's list or figures show them."""


@dataclass(frozen=True, slots=True)
class NewTask:
    """One task as `submit` takes it, in clear: `sealed_tasks` seals it. `eta_ms` is absolute, `delay_ms` counts from
    the server's now. `parts` are texts of other cases, by their ids: each is sealed with its own case's key.
    `read_under` is the id of the key under which the payload's text was read, where it was: it must not come under
    another."""

    task_id: str
    name: str
    queue: str
    priority: Priority
    tenant: str
    case_id: str
    payload: str
    options: str
    metadata: str = ""
    parent_id: str = ""
    eta_ms: int | None = None
    delay_ms: int | None = None
    held: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)
    read_under: bytes = b""
    callback: str = ""

    def first_status(self, now_ms: int) -> State:
        """The state in which the task begins when it is submitted now."""
        return State.QUEUED if self.due_ms(now_ms) is None else State.SCHEDULED

    def due_ms(self, now_ms: int) -> int | None:
        """When the task is due where it is submitted now; `None` where that is at once."""
        due = now_ms + self.delay_ms if self.delay_ms else self.eta_ms
        return due if due is not None and due > now_ms else None


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller asks for, before it is checked. `None` means: as the task type says."""

    task_name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    priority: str = Priority.NORMAL
    queue: str | None = None
    countdown_s: float | None = None
    eta_ms: int | None = None
    retry_config: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tenant: str = DEFAULT_TENANT
    task_id: str | None = None
    parent_id: str = ""
    held: bool = False
    internal: bool = False
    read_under: bytes = b""
    callback_url: str | None = None


def check(order: Order, catalog: Catalog) -> NewTask:
    """The task that an order asks for. Raises `InvalidInput`, which names the field and the remedy."""
    spec = catalog.get(order.task_name, internal=order.internal)
    payload = spec.validate(order.args, order.kwargs)
    queue = catalog.check_queue(order.queue) if order.queue is not None else spec.queue
    text, parts = _apart(payload)
    return NewTask(
        task_id=order.task_id or new_id(),
        name=spec.name,
        queue=queue,
        priority=check_priority(order.priority),
        tenant=order.tenant,
        case_id=getattr(payload, "case_id", None) or "",
        payload=text,
        parts=parts,
        read_under=order.read_under,
        options=_options(order, spec),
        metadata=check_metadata(order.metadata),
        parent_id=order.parent_id,
        eta_ms=order.eta_ms,
        delay_ms=_delay_ms(order.countdown_s),
        held=order.held,
        callback=order.callback_url or "",
    )


def _apart(payload: BaseModel) -> tuple[str, dict[str, str]]:
    """A payload as JSON, and apart from it what it tells of cases that are not its task's own."""
    parts: dict[str, str] = {}
    if isinstance(payload, BatchPayload):
        parts = payload.texts()
        payload = payload.without_texts()
    return payload.model_dump_json(exclude_unset=True), parts


def check_priority(priority: str) -> Priority:
    try:
        return Priority(priority)
    except ValueError:
        raise InvalidInput.of("priority", f"{priority!r} is not one of {', '.join(reversed(Priority))}") from None


def _delay_ms(countdown_s: float | None) -> int | None:
    if countdown_s is None:
        return None
    if not 0 <= countdown_s <= MAX_DELAY_S:
        raise InvalidInput.of("countdown", f"must be between 0 and {MAX_DELAY_S} seconds (30 days)")
    return round(countdown_s * 1_000)


def _options(order: Order, spec: TaskSpec) -> str:
    chosen = order.retry_config
    return RunOptions(
        max_retries=_chosen(chosen.get("max_retries"), spec.retry.max_retries),
        min_backoff_s=_chosen(chosen.get("min_backoff_s"), spec.retry.min_backoff_s),
        max_backoff_s=_chosen(chosen.get("max_backoff_s"), spec.retry.max_backoff_s),
        timeout_s=_chosen(order.timeout_s, spec.timeout_s),
        origin=Origin.present(),
    ).encode()


def _chosen(wish: N | None, default: N) -> N:
    return default if wish is None else wish


def check_metadata(metadata: Mapping[str, Any]) -> str:
    """Metadata as JSON. Raises `InvalidInput` where it is too large or no JSON."""
    if not metadata:
        return ""
    try:
        text = json.dumps(dict(metadata), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):
        raise InvalidInput.of("metadata", "must be a JSON object, with finite numbers") from None
    if len(text.encode(errors="surrogatepass")) > MAX_METADATA_BYTES:
        raise InvalidInput.of("metadata", f"must be at most {MAX_METADATA_BYTES} bytes of JSON")
    return text
