"""The pages: a login that takes an API key, and the console over the same API that everybody uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gateway.auth import admit

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
        return RedirectResponse("/login", 303)
    return FileResponse(FOLDER / "console.html", headers=PAGE_HEADERS)


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
    Route("/", console, methods=["GET"]),
    Route("/login", login, methods=["GET"]),
    Route("/favicon.ico", favicon, methods=["GET"]),
    Mount("/assets", _Assets(directory=FOLDER / "assets")),
]
