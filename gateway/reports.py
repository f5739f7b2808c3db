"""The routes of reports: asked for, listed, and read as data, as a table or as a page in two languages."""

from __future__ import annotations

from typing import Any, Literal, cast

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.auth import by, needs
from gateway.json import Json
from gateway.methods import resource
from gateway.requests import ReportRequest, known_query, query_number, read
from gateway.security_headers import policy_of
from gateway.services import services
from gateway.tasks import SOON, links
from gateway.wishes import best, wished
from tasks.api_keys import Identity
from tasks.errors import InvalidInput, NotFound
from tasks.report_table import as_csv
from tasks.submission import Order

FORMS = ("json", "csv", "html")
LANGUAGES = ("pt", "en")
VARY = {"Vary": "Accept, Accept-Language"}
_MEDIA = {"json": ("application/json",), "csv": ("text/csv",), "html": ("text/html", "application/xhtml+xml")}
_TONGUES = {"pt": ("pt-br", "pt", "pt-pt"), "en": ("en", "en-us", "en-gb")}


@needs("ops:read")
async def list_reports(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    found = await services(request).reports.list(query_number(request, "limit", 100, 1_000))
    return Json({"reports": [{**entry, "links": _links(entry["report_id"])} for entry in found]})


def _links(report_id: str) -> dict[str, str]:
    return {form: f"/api/reports/{report_id}.{form}" for form in FORMS}


@needs("ops:write")
async def request_report(request: Request, identity: Identity) -> Response:
    wanted = await read(request, ReportRequest)
    known = services(request)
    order = Order("reports.generate", kwargs=wanted.model_dump(mode="json"), tenant=identity.tenant)
    submitted = await known.tasks.submit(await known.tasks.prepare([order]), by=by(request, identity))
    task_id = submitted.task_ids[0]
    body = {"task_id": task_id, "status": "queued", "links": links(task_id)}
    return Json(body, 202, {"Location": f"/api/tasks/{task_id}", **SOON})


@needs("ops:read")
async def get_report(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    known_query(request, ("format", "lang"))
    report_id, _, suffix = str(request.path_params["report_id"]).partition(".")
    form, lang = _form(request, suffix), _language(request)
    data = await services(request).reports.read(report_id)
    if form == "json":
        return Json(data, headers=VARY)
    name = f"{data['kind']}-{data['until'][:10]}"
    if form == "csv":
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', **VARY}
        return Response(as_csv(data), media_type="text/csv", headers=headers)
    return await _page(report_id, data, lang)


async def _page(report_id: str, data: dict[str, Any], lang: Literal["pt", "en"]) -> Response:
    if "volume" not in data:
        raise NotFound("the report is of an older release: read it as .json")
    # Imported where it is needed: a gateway that shows no report does without.
    from tasks.report_page import page

    other = f"/api/reports/{report_id}.html?lang={'en' if lang == 'pt' else 'pt'}"
    text = await run_in_threadpool(page, data, lang, other_language=other)
    headers = {"Content-Security-Policy": policy_of(["'unsafe-inline'"]), "Content-Language": lang, **VARY}
    return HTMLResponse(text, headers=headers)


def _form(request: Request, suffix: str) -> str:
    """What stands behind the id, or in the query, or is accepted most."""
    if suffix:
        if suffix not in FORMS:
            raise HTTPException(404, "A report has the forms .json, .csv and .html.")
        return suffix
    return _chosen(request, "format", FORMS) or best(wished(request, "accept"), _MEDIA, "json")


def _language(request: Request) -> Literal["pt", "en"]:
    """What stands in the query, or is wished for most, or is set."""
    default = services(request).settings.report_language
    found = _chosen(request, "lang", LANGUAGES) or best(wished(request, "accept-language"), _TONGUES, default)
    return cast(Literal["pt", "en"], found)


def _chosen(request: Request, name: str, known: tuple[str, ...]) -> str | None:
    chosen = request.query_params.get(name)
    if chosen is not None and chosen not in known:
        raise InvalidInput.of(name, f"must be one of {', '.join(known)}")
    return chosen


ROUTES = [
    resource("/api/reports", GET=list_reports, POST=request_report),
    Route("/api/reports/{report_id}", get_report, methods=["GET"]),
]
