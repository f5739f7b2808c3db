"""Spans by OpenTelemetry: the only module that imports it, and only `tracing.switch_on` imports this one.

An exception is told by its type alone; whatever else the SDK would record of it could quote a client. Spans are sent
by a thread of the process that they are of: to be switched on where nothing forks any more.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from threading import Thread
from types import TracebackType

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tasks.tracing import Kind, Shield, Value

LAST_SPANS_S = 0.5
"""What sending the last spans may hold up the end of a process, whatever becomes of the collector."""

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_W3C = TraceContextTextMapPropagator()


class _Span:
    """A span that is the present one while it is entered."""

    def __init__(self, tracer: OpenTelemetry, begin: dict[str, object], parent: Context | None) -> None:
        self._tracer = tracer
        self._begin = begin
        self._parent = parent

    def __enter__(self) -> _Span:
        self._token = None
        try:
            with self._tracer.shield():
                self._span = self._tracer.source.start_span(context=self._parent, **self._begin)  # type: ignore[arg-type]
                self._token = attach(trace.set_span_in_context(self._span))
        except BaseException as error:
            # An interrupt that was held back; nobody else would end the span.
            self._finish(error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self._finish(error)

    def _finish(self, error: BaseException | None) -> None:
        if self._token is None:
            return
        with self._tracer.shield():
            if error is not None:
                self.fail(type(error).__name__)
            detach(self._token)
            self._span.end()
            self._token = None

    def name(self, name: str) -> None:
        with self._tracer.shield():
            self._span.update_name(name)

    def set(self, **attributes: Value) -> None:
        with self._tracer.shield():
            self._span.set_attributes(_dotted(attributes))

    def fail(self, reason: str) -> None:
        with self._tracer.shield():
            self._span.set_attribute("error.type", reason)
            self._span.set_status(Status(StatusCode.ERROR, reason))


class OpenTelemetry:
    """Makes spans and hands them to a processor."""

    def __init__(self, role: str, processor: SpanProcessor, shield: Shield) -> None:
        self.shield = shield
        self._provider = TracerProvider(resource=_resource(role), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self.source = self._provider.get_tracer("despacho")

    def span(
        self, name: str, kind: Kind, parent: Mapping[str, str] | None, links: bool, attributes: Mapping[str, Value]
    ) -> _Span:
        present = trace.get_current_span().get_span_context()
        begin: dict[str, object] = {
            "name": name,
            "kind": _KINDS[kind],
            "attributes": _dotted(attributes),
            "links": [Link(present)] if links and present.is_valid else [],
            "record_exception": False,
            "set_status_on_exception": False,
        }
        return _Span(self, begin, None if parent is None else _W3C.extract(parent, Context()))

    def carrier(self) -> Mapping[str, str]:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier

    def ids(self) -> dict[str, str]:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}

    def close(self) -> None:
        # The SDK's own limits are longer than a process has that is told to stop.
        last = Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(LAST_SPANS_S)


def sending(role: str, shield: Shield) -> OpenTelemetry:
    """Spans that are sent by OTLP over HTTP, to where the variables of OpenTelemetry say."""
    return OpenTelemetry(role, BatchSpanProcessor(OTLPSpanExporter()), shield)


def _resource(role: str) -> Resource:
    """`OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over ours."""
    ours = Resource(
        {"service.name": f"despacho-{role}", "service.instance.id": f"{os.uname().nodename}-{os.getpid()}"}
    )
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    theirs = Resource.create()
    return ours.merge(theirs) if named else theirs.merge(ours)


def _dotted(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {name.replace("__", "."): value for name, value in attributes.items()}
