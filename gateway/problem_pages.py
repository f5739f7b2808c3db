"""What the `type` of a problem leads to: a page that explains it, or the same as JSON where that is preferred."""

from __future__ import annotations

import json
from functools import cache
from html import escape
from string import Template
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.console import FOLDER, PAGE_HEADERS
from gateway.json import Json
from gateway.problem_kinds import KINDS, Kind
from gateway.wishes import quality, wished
from tasks.errors import NotFound

VARY = {"Vary": "Accept"}


async def one(request: Request) -> Response:
    kind = KINDS.get(str(request.path_params["name"]))
    if kind is None:
        raise NotFound("there is no such kind of problem; /problems lists them all")
    if _wants_json(request):
        return Json(_as_json(kind), headers=VARY)
    return _page("problem.html", _texts(kind))


async def every(request: Request) -> Response:
    kinds = sorted(KINDS.values(), key=lambda kind: (kind.status, kind.name))
    if _wants_json(request):
        return Json({"problems": [_as_json(kind) for kind in kinds]}, headers=VARY)
    return _page("problems.html", {"rows": "\n".join(_row(kind) for kind in kinds)})


def _as_json(kind: Kind) -> dict[str, Any]:
    return {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status,
        "meaning": kind.meaning,
        "remedy": kind.remedy,
    }


def _texts(kind: Kind) -> dict[str, str]:
    example = {"type": kind.uri, "title": kind.title, "status": kind.status, "detail": "…"}
    texts = {name: str(text) for name, text in _as_json(kind).items()}
    texts["example"] = json.dumps(example, ensure_ascii=False, indent=2)
    return {name: escape(text) for name, text in texts.items()}


def _row(kind: Kind) -> str:
    uri, title = escape(kind.uri), escape(kind.title)
    return f'          <li><span class="status">{kind.status}</span> <a href="{uri}">{title}</a></li>'


def _page(template: str, texts: dict[str, str]) -> Response:
    return HTMLResponse(_template(template).substitute(texts), headers=PAGE_HEADERS | VARY)


@cache
def _template(name: str) -> Template:
    return Template((FOLDER / name).read_text(encoding="utf-8"))


def _wants_json(request: Request) -> bool:
    """Whether JSON is preferred to HTML (RFC 9110, section 12.5.1); who has no preference gets the page."""
    accepted = wished(request, "accept")
    as_json = max(quality(accepted, kind) for kind in ("application/json", "application/problem+json"))
    return as_json > max(quality(accepted, kind) for kind in ("text/html", "application/xhtml+xml"))


ROUTES = [
    Route("/problems", every, methods=["GET"]),
    Route("/problems/{name}", one, methods=["GET"]),
]
