"""The OpenAPI document as a file, and as a page that needs nothing from elsewhere."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.conditions import has_it_already
from gateway.console import PAGE_HEADERS
from gateway.docs_page import render
from gateway.openapi.document import build

FRESH = {"Cache-Control": "public, no-cache"}
UNKNOWN_VERSION = "0"


async def document(request: Request) -> Response:
    content, tag = encoded()
    headers = {"ETag": tag, **FRESH}
    if has_it_already(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


@cache
def encoded() -> tuple[bytes, str]:
    """The document as JSON, and the entity-tag of it; made when it is first asked for."""
    content = to_json(build(version()))
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


async def page(request: Request) -> Response:  # noqa: ARG001
    return HTMLResponse(rendered(), headers=PAGE_HEADERS)


@cache
def rendered() -> str:
    """The page; made when it is first asked for."""
    return render(build(version()))


def version() -> str:
    try:
        return metadata.version("despacho")
    except metadata.PackageNotFoundError:
        return UNKNOWN_VERSION


ROUTES = [Route("/openapi.json", document, methods=["GET"]), Route("/docs", page, methods=["GET"])]
