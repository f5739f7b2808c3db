"""Spans of traces, for whoever has something to tell: nothing at all until a process switches them on.

What is called here on every request and run costs a look at one variable while it is off; OpenTelemetry, an extra, is
loaded by `open_telemetry.py` alone. No span holds anything of a payload, and of an exception only its type.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from importlib.util import find_spec
from typing import Literal, ParamSpec, Protocol, TypeVar

from tasks.errors import SettingsError

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")
Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | float | bool
Shield = Callable[[], AbstractContextManager[None]]
Wish = Literal["auto", "on", "off"]

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
MISSING = (
    "OpenTelemetry is not installed. Install it with `uv sync --extra otel`, build the image with "
    "`--build-arg EXTRAS=otel`, or set DESPACHO_TRACES to off."
)


class Span(Protocol):
    """One step of a trace, while it lasts."""

    def name(self, name: str) -> None: ...

    def set(self, **attributes: Value) -> None:
        """Dots in names are written as two underscores."""

    def fail(self, reason: str) -> None:
        """Mark the span as failed; `reason` is a type, never a text."""


class Tracer(Protocol):
    """What makes spans: `open_telemetry.py` has the only one."""

    def span(
        self, name: str, kind: Kind, parent: Mapping[str, str] | None, links: bool, attributes: Mapping[str, Value]
    ) -> AbstractContextManager[Span]: ...

    def carrier(self) -> Mapping[str, str]: ...

    def ids(self) -> dict[str, str]: ...

    def close(self) -> None: ...


class _NoSpan:
    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def name(self, name: str) -> None: ...

    def set(self, **attributes: Value) -> None: ...

    def fail(self, reason: str) -> None: ...


_NONE = _NoSpan()
_tracer: Tracer | None = None


def is_on() -> bool:
    return _tracer is not None


def is_traced() -> bool:
    """Whether the present work is part of a trace."""
    return _tracer is not None and bool(_tracer.ids())


def span(
    name: str,
    kind: Kind = "internal",
    *,
    parent: Mapping[str, str] | None = None,
    links: bool = False,
    **attributes: Value,
) -> AbstractContextManager[Span]:
    """A span of the present trace, while it is entered. With `parent` (headers of W3C Trace Context) it is that one's
    child, or the first of a new trace where that is empty, and `links` points it to the present span."""
    if _tracer is None:
        return _NONE
    return _tracer.span(name, kind, parent, links, attributes)


def traced(name: str, kind: Kind = "internal") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A function whose calls are spans of the traces that they are part of."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def with_span(*arguments: P.args, **named: P.kwargs) -> R:
            if not is_traced():
                return function(*arguments, **named)
            with span(name, kind):
                return function(*arguments, **named)

        return with_span

    return decorate


def traceparent() -> str:
    """The present span as `traceparent` of W3C Trace Context names it; empty where there is none."""
    return "" if _tracer is None else _tracer.carrier().get("traceparent", "")


def ids() -> dict[str, str]:
    """The ids of the present span, by the names that logs give them; none where there is none."""
    return {} if _tracer is None else _tracer.ids()


def is_wanted(wish: Wish, environment: Mapping[str, str]) -> bool:
    """What a setting and the variables of OpenTelemetry come to: `auto` is on where they name an endpoint."""
    if wish == "off" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return False
    return wish == "on" or any(environment.get(name) for name in ENDPOINTS)


def is_installed() -> bool:
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.exporter") is not None


def check_installed(wish: Wish) -> None:
    """Raises `SettingsError` where traces are to be on for sure and can't be."""
    if wish == "on" and not is_installed():
        raise SettingsError(f"DESPACHO_TRACES is on. {MISSING}")


def switch_on(role: str, wish: Wish, shield: Shield = nullcontext) -> None:
    """Have this process traced where that is wanted; `shield` holds interrupts back while a span is written to.
    Raises `SettingsError`."""
    check_installed(wish)
    if not is_wanted(wish, os.environ):
        return
    if not is_installed():
        log.warning("traces are not sent: %s", MISSING)
        return
    from tasks.open_telemetry import sending

    use(sending(role, shield))
    log.info("traces are sent by OTLP")


def use(tracer: Tracer | None) -> None:
    global _tracer
    _tracer = tracer


def switch_off() -> None:
    """Send what is left, for as long as that may take at the end of a process."""
    tracer = _tracer
    use(None)
    if tracer is not None:
        tracer.close()
