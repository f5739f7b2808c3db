"""The route over which a tenant sees and sets where its webhooks go. Secrets are made on the command line only."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.auth import by, needs
from gateway.json import Json
from gateway.methods import resource
from gateway.requests import WebhooksRequest, read
from gateway.services import services
from tasks.api_keys import Identity
from tasks.callbacks import place_of


@needs("tasks:read")
async def get(request: Request, identity: Identity) -> Response:
    return await _shown(request, identity)


@needs("ops:write")
async def put(request: Request, identity: Identity) -> Response:
    url, known = (await read(request, WebhooksRequest)).default_url, services(request)
    await known.tasks.webhooks.set_default(identity.tenant, url)
    outcome, ids = ("unset", []) if url is None else ("set", [place_of(url)])
    await known.audit.note(identity.tenant, by(request, identity), "webhook.default", outcome, ids)
    return await _shown(request, identity)


async def _shown(request: Request, identity: Identity) -> Response:
    return Json((await services(request).tasks.webhooks.read(identity.tenant)).as_json())


ROUTES = [resource("/api/webhooks", GET=get, PUT=put)]
