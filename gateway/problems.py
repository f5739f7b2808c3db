"""Errors as problem details (RFC 9457); which kinds there are is said in `problem_kinds.py`.

A response tells what is wrong and what to do; never a stack trace, a key, a host or a path of the server. A fault
of ours is logged with the id of the request and shown as a 500 without details.
"""

from __future__ import annotations

import http
import logging
from typing import Any

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.problem_kinds import INTERNAL, OF_ERRORS, OF_STATUS, UNAVAILABLE, Kind
from tasks.errors import MOST_LISTED, DespachoError, FieldError, InvalidInput

log = logging.getLogger(__name__)
RETRY_AFTER_S = 2


def problem(
    kind: Kind, detail: str, errors: list[FieldError] | None = None, headers: dict[str, str] | None = None
) -> Response:
    body: dict[str, Any] = {"type": kind.uri, "title": kind.title, "status": kind.status, "detail": detail}
    if errors:
        body["errors"] = [{"field": error.field, "message": error.message} for error in errors]
    return _response(body, headers)


def _response(body: dict[str, Any], headers: dict[str, str] | None) -> Response:
    return JSONResponse(body, body["status"], headers, media_type="application/problem+json")


async def on_despacho_error(request: Request, error: Exception) -> Response:
    kind = next((OF_ERRORS[base] for base in type(error).__mro__ if base in OF_ERRORS), None)
    if kind is None:
        return await on_fault(request, error)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if kind.status in (429, 503) else None
    errors = error.errors if isinstance(error, InvalidInput) else None
    return problem(kind, _detail(error, kind), errors, headers)


def _detail(error: Exception, kind: Kind) -> str:
    if kind is UNAVAILABLE:
        return "Nothing was changed that was not confirmed. Send the request again in a moment."
    return str(error)


async def on_http_exception(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    kind = OF_STATUS.get(error.status_code)
    if kind is not None:
        return problem(kind, error.detail, headers=headers)
    # The type of those that say no more than their status (RFC 9457, section 4.2.1).
    title = http.HTTPStatus(error.status_code).phrase
    return _response(
        {"type": "about:blank", "title": title, "status": error.status_code, "detail": error.detail}, headers
    )


async def on_fault(request: Request, error: Exception) -> Response:
    request_id = request.scope.get("request_id", "")
    log.error("request %s failed: %s", request_id, type(error).__name__, exc_info=error)
    return problem(INTERNAL, f"The fault was logged with the request id {request_id}.")


def invalid(error: ValidationError, prefix: str = "") -> InvalidInput:
    """A body that doesn't fit its model: each fault with the path of its field."""
    if error.error_count() > MOST_LISTED:
        return InvalidInput.too_much(prefix or "body", error.error_count())
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
