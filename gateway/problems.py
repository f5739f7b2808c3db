"""The one table from errors to HTTP, as problem details (RFC 9457).

A response tells what is wrong and what to do; never a stack trace, a key, a host or a path of the server. A fault
of ours is logged with the id of the request and shown as a 500 without details.
"""

from __future__ import annotations

import http
import logging
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tasks.errors import (
    DespachoError,
    FieldError,
    IdempotencyMismatch,
    IllegalMove,
    InvalidInput,
    NotFound,
    NoVector,
    OnHold,
    QueueFull,
    Unavailable,
)

log = logging.getLogger(__name__)
RETRY_AFTER_S = 2


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of problem: its name is the last part of its `type` URI, and stays the same over releases."""

    name: str
    status: int
    title: str


KINDS: dict[type[Exception], Kind] = {
    InvalidInput: Kind("invalid-input", 422, "The request is not valid"),
    NotFound: Kind("not-found", 404, "There is no such thing"),
    NoVector: Kind("no-vector", 409, "The case can't be compared yet"),
    OnHold: Kind("on-hold", 409, "The case is on hold"),
    IllegalMove: Kind("conflict", 409, "The task's state does not allow this"),
    IdempotencyMismatch: Kind("idempotency-mismatch", 422, "The Idempotency-Key was used with another body"),
    QueueFull: Kind("queue-full", 503, "Too many tasks are waiting"),
    Unavailable: Kind("unavailable", 503, "The store can't be reached just now"),
}
HTTP_KINDS = {
    400: Kind("bad-request", 400, "The request can't be read"),
    401: Kind("unauthorized", 401, "A valid token is needed"),
    403: Kind("forbidden", 403, "The token does not allow this"),
    404: Kind("not-found", 404, "There is no such thing"),
    405: Kind("method-not-allowed", 405, "The resource does not take this method"),
    409: Kind("conflict", 409, "The present state does not allow this"),
    410: Kind("gone", 410, "There is no result"),
    413: Kind("too-large", 413, "The body is too large"),
    415: Kind("unsupported-media-type", 415, "The body has the wrong media type"),
    500: Kind("internal", 500, "Something went wrong on our side"),
}


def problem(
    kind: Kind, detail: str, errors: list[FieldError] | None = None, headers: dict[str, str] | None = None
) -> Response:
    body: dict[str, Any] = {
        "type": f"/problems/{kind.name}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
    }
    if errors:
        body["errors"] = [{"field": error.field, "message": error.message} for error in errors]
    return JSONResponse(body, kind.status, headers, media_type="application/problem+json")


async def on_despacho_error(request: Request, error: Exception) -> Response:  # noqa: ARG001
    kind = next(KINDS[base] for base in type(error).__mro__ if base in KINDS)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if kind.status == 503 else None
    errors = error.errors if isinstance(error, InvalidInput) else None
    detail = _detail(error, kind)
    return problem(kind, detail, errors, headers)


def _detail(error: Exception, kind: Kind) -> str:
    if kind.name == "unavailable":
        return "Nothing was changed that was not confirmed. Send the request again in a moment."
    return str(error)


async def on_http_exception(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, HTTPException)
    kind = HTTP_KINDS.get(error.status_code)
    if kind is None:
        kind = Kind("http", error.status_code, http.HTTPStatus(error.status_code).phrase)
    return problem(kind, error.detail, headers=dict(error.headers or {}))


async def on_fault(request: Request, error: Exception) -> Response:
    request_id = request.scope.get("request_id", "")
    log.error("request %s failed: %s", request_id, type(error).__name__, exc_info=error)
    return problem(HTTP_KINDS[500], f"The fault was logged with the request id {request_id}.")


def invalid(error: ValidationError, prefix: str = "") -> InvalidInput:
    """A body that doesn't fit its model: each fault with the path of its field."""
    faults = error.errors(include_url=False, include_input=False)
    return InvalidInput([FieldError(_path(fault["loc"], prefix), fault["msg"]) for fault in faults])


def _path(location: tuple[int | str, ...], prefix: str) -> str:
    path = prefix
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or "body"


HANDLERS: dict[Any, Any] = {
    DespachoError: on_despacho_error,
    HTTPException: on_http_exception,
}
