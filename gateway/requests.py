"""What clients may send, as models: the only way a body is read. Unknown fields are refused."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import AsyncGenerator, Collection
from typing import Annotated, Any, Literal, Self, TypeVar, cast
from urllib.parse import unquote

from jiter import from_json
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from gateway.problems import invalid
from gateway.services import services
from tasks.api_keys import Identity
from tasks.callbacks import LONGEST_URL
from tasks.clock import now_ms, to_ms
from tasks.errors import InvalidInput
from tasks.ledger import Idempotency
from tasks.lifecycle import Move, State
from tasks.payloads import WHOLE, CaseId, Conversation, Moment, ReportEnd
from tasks.reader import TaskFilter
from tasks.record import Task
from tasks.submission import MAX_DELAY_S, Order

M = TypeVar("M", bound=BaseModel)
CASE_ID: TypeAdapter[str] = TypeAdapter(CaseId)
MOMENT: TypeAdapter[dt.datetime] = TypeAdapter(Moment)
DAY_S = 86_400
StatusName = Literal["scheduled", "queued", "running", "retrying", "succeeded", "failed", "cancelled"]
BULK_AT_MOST = 1_000
LONGEST_WAIT_S = 60


class Body(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, strict=True, hide_input_in_errors=True
    )


class RetryConfig(Body):
    max_retries: Annotated[int, Strict(False), Field(ge=0, le=100), WHOLE] | None = None
    min_backoff_s: float | None = Field(default=None, ge=0, le=DAY_S)
    max_backoff_s: float | None = Field(default=None, ge=0, le=7 * DAY_S)


class TaskRequest(Body):
    """A task to be queued. Only `task_name` is required."""

    task_name: str = Field(max_length=200)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    priority: Literal["low", "normal", "high", "critical"] = "normal"
    queue: str | None = Field(default=None, max_length=100)
    countdown: float | None = Field(default=None, ge=0, le=MAX_DELAY_S, description="Seconds from now.")
    eta: Moment | None = None
    retry_config: RetryConfig = RetryConfig()
    timeout_s: float | None = Field(default=None, gt=0, le=DAY_S)
    metadata: dict[str, Any] = {}
    callback_url: str | None = Field(
        default=None, max_length=LONGEST_URL, description="Where a webhook tells the end; https on port 443."
    )

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if self.countdown and self.eta is not None:
            raise ValueError("countdown and eta exclude each other")
        if self.eta is not None and to_ms(self.eta) - now_ms() > MAX_DELAY_S * 1_000:
            raise ValueError("eta must be at most 30 days ahead")
        return self

    def order(self, tenant: str) -> Order:
        return Order(
            task_name=self.task_name,
            args=self.args,
            kwargs=self.kwargs,
            priority=self.priority,
            queue=self.queue,
            countdown_s=self.countdown,
            eta_ms=None if self.eta is None else to_ms(self.eta),
            retry_config=self.retry_config.model_dump(),
            timeout_s=self.timeout_s,
            metadata=self.metadata,
            tenant=tenant,
            callback_url=self.callback_url,
        )


class BulkRequest(Body):
    tasks: Annotated[list[TaskRequest], Field(min_length=1, max_length=BULK_AT_MOST)]


class ReplayRequest(Body):
    """Which dead letters run again: those that fit all that is named here, and something has to be."""

    queue: str | None = Field(default=None, max_length=100)
    task_name: str | None = Field(default=None, max_length=200)
    error_type: str | None = Field(default=None, max_length=200)
    fingerprint: str | None = Field(default=None, max_length=64)
    created_after: Moment | None = None
    created_before: Moment | None = None
    gradual: bool = Field(default=False, description="One, then a tenth, then all, until the same fault comes back.")

    @property
    def filter(self) -> dict[str, Any]:
        """What is named, without the rest."""
        return self.model_dump(exclude={"gradual"}, exclude_none=True)

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.filter:
            raise ValueError("name a queue, task_name, error_type, fingerprint, created_after or created_before")
        return self


class TasksRequest(Body):
    """Which tasks of the tenant are meant: those that fit all that is named here, and something has to be."""

    status: Annotated[list[StatusName], Field(min_length=1, max_length=7)] | None = None
    task_name: str | None = Field(default=None, max_length=200)
    queue: str | None = Field(default=None, max_length=100)
    priority: Literal["low", "normal", "high", "critical"] | None = None
    case_id: str | None = Field(default=None, max_length=128)
    parent_id: str | None = Field(default=None, max_length=64)
    created_after: Moment | None = None
    created_before: Moment | None = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if all(value is None for value in self.model_dump().values()):
            raise ValueError("name at least one of status, task_name, queue, priority, case_id, parent_id or a time")
        return self

    def filter(self, tenant: str) -> TaskFilter:
        return TaskFilter(
            tenant=tenant,
            statuses=tuple(State(name) for name in self.status or ()),
            task_name=self.task_name,
            queue=self.queue,
            priority=self.priority,
            case_id=self.case_id,
            parent_id=self.parent_id,
            created_after_ms=None if self.created_after is None else to_ms(self.created_after),
            created_before_ms=None if self.created_before is None else to_ms(self.created_before),
        )


class CaseRequest(Body):
    conversation_history: Conversation = ()
    metadata: dict[str, Any] = {}


class HoldRequest(Body):
    """Why a case is to be kept, such as the number of the proceedings that need it."""

    reason: str = Field(min_length=1, max_length=1_000)


STREAM_PATH = re.compile(r"^/api/(events|tasks/[^/?#]+/events|(api/)?v2/triage/stream/[^/?#]+)$")


class TicketRequest(Body):
    path: Annotated[
        str, Field(max_length=500, json_schema_extra={"pattern": STREAM_PATH.pattern}), AfterValidator(unquote)
    ]

    @field_validator("path")
    @classmethod
    def _is_a_stream(cls, path: str) -> str:
        if not STREAM_PATH.fullmatch(path):
            raise ValueError("must be the path of a stream, without a query, such as /api/tasks/{task_id}/events")
        return path


class LoginRequest(Body):
    api_key: str = Field(max_length=200)


class WebhooksRequest(Body):
    """Where a tenant's webhooks go by default; `null`: nowhere."""

    default_url: str | None = Field(max_length=LONGEST_URL)


class ReportRequest(Body):
    kind: Literal["daily", "weekly"] = "daily"
    until: ReportEnd | None = None


async def read_body(request: Request) -> bytes:
    """The whole body, as long as it is not too large: a 413 comes before more of it is read."""
    if not hasattr(request.state, "body"):
        chunks = bounded(request, services(request).settings.max_json_bytes)
        request.state.body = b"".join([chunk async for chunk in chunks])
    return cast(bytes, request.state.body)


async def bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """The chunks of a body. Raises a 413 at the first byte too many, or at once where the length says it."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > most:
        raise _too_large(most)
    size, is_more = 0, True
    while is_more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk, is_more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        if chunk:
            yield chunk


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"The body may have at most {most} bytes.", {"Connection": "close"})


async def read(request: Request, model: type[M]) -> M:
    """The body as `model`. Raises `InvalidInput`, which names each wrong field."""
    body = await read_body(request)
    check_json(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None


def check_json(body: bytes) -> None:
    """Refuse what readers of JSON understand in different ways: a key that is given twice, NaN, half a surrogate, a
    nesting without end (I-JSON, RFC 7493). The model's own reader would let the first two pass."""
    try:
        from_json(body, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="none")
    except ValueError as fault:
        twice = _GIVEN_TWICE.match(str(fault))
        if twice is None:
            raise InvalidInput.of("body", f"is no JSON that can be read: {fault}") from None
        raise InvalidInput.of(twice[1][:100], f"is given twice in one object (at {twice[2]})") from None


_GIVEN_TWICE = re.compile(r'Detected duplicate key "(.*)" at (line \d+ column \d+)$', re.DOTALL)


async def idempotency(request: Request, tenant: str) -> Idempotency:
    """The Idempotency-Key of a submit, bound to its tenant and body."""
    key = _idempotency_key(request)
    if key is None:
        return Idempotency()
    body = await read_body(request)
    route = "bulk" if request.url.path.endswith("/bulk") else "queue"
    return _bound(request, tenant, route, key, body)


async def idempotency_of_replay(request: Request, tenant: str) -> Idempotency:
    """The Idempotency-Key of a replay of many, bound to the tenant of who asks and the body."""
    key = _idempotency_key(request)
    return Idempotency() if key is None else _bound(request, tenant, "replay", key, await read_body(request))


def idempotency_of_move(request: Request, tenant: str, move: Move) -> Idempotency:
    """The Idempotency-Key of a request that moves one task, bound to its tenant and task."""
    key = _idempotency_key(request)
    return (
        Idempotency() if key is None else _bound(request, tenant, move, key, request.path_params["task_id"].encode())
    )


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and (not 1 <= len(key) <= 255 or not (key.isascii() and key.isprintable())):
        raise InvalidInput.of("Idempotency-Key", "must be 1 to 255 printable ASCII characters")
    return key


def _bound(request: Request, tenant: str, route: str, key: str, wish: bytes) -> Idempotency:
    # Keyed, because a plain digest of what a client told can be guessed at.
    digest = services(request).tasks.ring.vault.digest
    return Idempotency(digest("idempotency", tenant, f"{route}\n{key}".encode()), digest("body", tenant, wish))


def preferred_wait_s(request: Request) -> int | None:
    """`N` of `Prefer: wait=N` (RFC 7240), at most 60; the first one counts."""
    given = request.headers.getlist("prefer")
    for preference in ",".join(given).split(",") if given else ():
        name, _, value = preference.partition(";")[0].partition("=")
        number = value.strip().strip('"')
        if name.strip().lower() == "wait" and _is_number(number):
            return min(int(number), LONGEST_WAIT_S)
    return None


def _is_number(text: str) -> bool:
    """Whether this is a short whole number in plain digits."""
    return text.isascii() and text.isdigit() and len(text) <= 6


def query_number(request: Request, name: str, default: int, most: int, *, least: int = 1) -> int:
    """A whole number from `least` to `most` in the query. Raises `InvalidInput`."""
    raw = request.query_params.get(name)
    if raw is None:
        return default
    if not _is_number(raw) or not least <= int(raw) <= most:
        raise InvalidInput.of(name, f"must be a whole number from {least} to {most}")
    return int(raw)


def query_flag(request: Request, name: str, *, default: bool) -> bool:
    """`true` or `false` in the query. Raises `InvalidInput`."""
    raw = request.query_params.get(name)
    if raw is None:
        return default
    if raw not in ("true", "false"):
        raise InvalidInput.of(name, "must be true or false")
    return raw == "true"


def known_query(request: Request, known: Collection[str]) -> None:
    """A typing error in the query never passes silently. Raises `InvalidInput`."""
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        raise InvalidInput.of(unknown[0], f"is no parameter here; there are: {', '.join(sorted(known))}")


def query_time_ms(request: Request, name: str) -> int | None:
    """An RFC 3339 time in the query, in ms. Raises `InvalidInput`."""
    raw = request.query_params.get(name)
    if raw is None:
        return None
    try:
        return to_ms(MOMENT.validate_python(raw))
    except ValidationError:
        raise InvalidInput.of(name, "must be a time such as 2026-11-23T12:00:00Z") from None


async def task_of(request: Request, identity: Identity) -> Task:
    """The task that the path names. Raises `NotFound`, also where it is another tenant's."""
    task_id = str(request.path_params["task_id"])
    return await services(request).tasks.get_task_status(task_id, tenant=identity.tenant)


def case_id_of(request: Request) -> str:
    """The case id in the path. Raises `InvalidInput` for one that no case can have."""
    case_id = str(request.path_params["case_id"])
    try:
        return CASE_ID.validate_python(case_id)
    except ValidationError as error:
        raise invalid(error, "case_id") from None


def is_for_everyone(request: Request, identity: Identity) -> bool:
    """Whether `?scope=all` asks for every tenant's. Raises `InvalidInput`, or a 403 without the scope ops:read."""
    scope = request.query_params.get("scope")
    if scope not in (None, "all"):
        raise InvalidInput.of("scope", "must be all, or be left out")
    if scope == "all" and not identity.may("ops:read"):
        raise HTTPException(403, "The token lacks the scope ops:read.")
    return scope == "all"
