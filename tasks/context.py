"""What the present piece of work is about: a request, or a run and the request that its task came with.

It is kept in a context variable, so that whoever writes a line or queues a task in it can name it without being told:
a thread that was not given the context says nothing of it. It holds ids, never anything of a payload.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from logging import LogRecord

from tasks import tracing

REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
"""Ids of requests as they are believed and kept: nothing that could begin another field or line."""


@dataclass(slots=True)
class Context:
    """The tenant of a request is known only when its caller is. What isn't known is empty."""

    request_id: str = ""
    tenant: str = ""
    task_id: str = ""
    task_name: str = ""
    run: int = 0
    keeps: Callable[[LogRecord], None] | None = field(default=None, repr=False, compare=False)
    """Who keeps the lines that are logged in it; nobody, outside of an actor."""

    def as_fields(self) -> dict[str, str | int]:
        """What is known, by the names that logs give it."""
        named = ("task_id", "task_name", "run", "tenant", "request_id")
        return {name: value for name in named if (value := getattr(self, name))}


_PRESENT: ContextVar[Context | None] = ContextVar("despacho_context", default=None)


def present() -> Context | None:
    """What the calling code works on; `None` where that is nothing in particular."""
    return _PRESENT.get()


def begin(context: Context) -> None:
    """For a coroutine that ends with its work, such as that of a request."""
    _PRESENT.set(context)


@contextmanager
def about(context: Context) -> Iterator[None]:
    """For a thread that goes on to other work."""
    token = _PRESENT.set(context)
    try:
        yield
    finally:
        _PRESENT.reset(token)


def belongs_to(tenant: str) -> None:
    """The caller of the present request has become known."""
    context = _PRESENT.get()
    if context is not None:
        context.tenant = tenant


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a task comes from, as its record keeps it: the request it came with, and the span it was queued in
    (`traceparent` of W3C Trace Context). A batch's cases have the batch's."""

    request_id: str = ""
    traceparent: str = ""

    @classmethod
    def present(cls) -> Origin:
        """That of a task which is queued now."""
        context, traceparent = _PRESENT.get(), tracing.traceparent()
        request_id = context.request_id if context is not None else ""
        return cls(request_id if REQUEST_ID.fullmatch(request_id) else "", traceparent)

    def encode(self) -> str:
        """Behind other fields that are parted by commas; nothing where it isn't known."""
        return f",{self.request_id},{self.traceparent}" if self.request_id or self.traceparent else ""


NOWHERE = Origin()
"""What nobody's request or run queued, such as a schedule's task."""
