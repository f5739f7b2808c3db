"""The pages: a login that takes an API key, and the console over the same API that everybody uses.

The console is one document whose scripts draw each page, and all of its addresses answer with it: a reload, or a link
that was passed on, leads where it should.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gateway.auth import admit

PAGES = ("/", "/tasks", "/tasks/{task_id}", "/batches", "/dead-letters", "/schedules", "/reports", "/submit")
FOLDER = Path(__file__).parent / "console_files"
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


async def console(request: Request) -> Response:
    if await admit(request) is None:
        return RedirectResponse(_login_for(request), 303)
    return FileResponse(FOLDER / "console.html", headers=PAGE_HEADERS)


def _login_for(request: Request) -> str:
    """The login that leads back to this page."""
    query = request.url.query
    path = request.url.path + (f"?{query}" if query else "")
    return "/login" if path == "/" else f"/login?{urlencode({'next': path})}"


async def login(request: Request) -> Response:  # noqa: ARG001
    return FileResponse(FOLDER / "login.html", headers=PAGE_HEADERS)


async def favicon(request: Request) -> Response:  # noqa: ARG001
    """What browsers ask for on pages that name no icon: the dashboard's, the reports', and bare JSON."""
    return FileResponse(FOLDER / "assets" / "icon.svg", headers={"Cache-Control": "max-age=86400"})


class _Assets(StaticFiles):
    """Asked for anew each time (an unchanged one is a 304), so no page runs with scripts of an older release."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


ROUTES = [
    *(Route(path, console, methods=["GET"]) for path in PAGES),
    Route("/login", login, methods=["GET"]),
    Route("/favicon.ico", favicon, methods=["GET"]),
    Mount("/assets", _Assets(directory=FOLDER / "assets")),
]
