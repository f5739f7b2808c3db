"""Puts the gateway together: routes, handlers and the bridge's life. Nothing happens at import."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gateway import (
    alerts,
    audit,
    cases,
    console,
    dead_letters,
    docs,
    documents,
    events,
    metrics,
    operations,
    payloads,
    problem_pages,
    reports,
    results,
    schedules,
    sessions,
    task_log,
    tasks,
    webhooks,
)
from gateway.access_log import AccessLog
from gateway.metrics import CountedRequests
from gateway.problems import HANDLERS
from gateway.request_id import RequestId
from gateway.services import Services
from gateway.traced import Traced
from tasks import tracing
from tasks.settings import Settings

ALLOWED = (
    *("Authorization", "Content-Type", "Idempotency-Key", "Prefer", "If-Match", "If-None-Match", "Last-Event-ID"),
    *("X-Request-ID", "traceparent", "tracestate"),
)
EXPOSED = (
    *("Location", "ETag", "X-Request-ID", "Retry-After", "RateLimit", "RateLimit-Policy"),
    *("Idempotent-Replayed", "Preference-Applied"),
)


def create_app(settings: Settings) -> Starlette:
    """The gateway as an ASGI application over the Redis of the settings."""
    known = Services.build(settings)
    app = Starlette(
        routes=[
            *task_log.ROUTES,
            *tasks.ROUTES,
            *payloads.ROUTES,
            *results.ROUTES,
            *events.ROUTES,
            *cases.ROUTES,
            *documents.ROUTES,
            *dead_letters.ROUTES,
            *webhooks.ROUTES,
            *operations.ROUTES,
            *reports.ROUTES,
            *schedules.ROUTES,
            *alerts.ROUTES,
            *operations.dashboard_routes(settings),
            *audit.ROUTES,
            *metrics.ROUTES,
            *sessions.ROUTES,
            *problem_pages.ROUTES,
            *docs.ROUTES,
            *console.ROUTES,
        ],
        middleware=[
            *([Middleware(Traced)] if tracing.is_on() else []),
            Middleware(CountedRequests, known.requests),
            *([Middleware(AccessLog)] if settings.access_log else []),
            *_middleware(settings),
        ],
        exception_handlers=HANDLERS,
        lifespan=_life,
    )
    app.state.services = known
    return app


def _middleware(settings: Settings) -> list[Middleware]:
    stack = [Middleware(RequestId, settings)]
    if settings.trusted_proxies:
        stack.append(Middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies)))
    if settings.cors_origins:
        stack.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_credentials=True,
                allow_methods=["GET", "POST", "PUT", "DELETE"],
                allow_headers=ALLOWED,
                expose_headers=EXPOSED,
            )
        )
    return stack


@asynccontextmanager
async def _life(app: Starlette) -> AsyncIterator[None]:
    known: Services = app.state.services
    known.bridge.start()
    known.limits.start()
    yield
    await known.close()
