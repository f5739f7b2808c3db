"""The route over which a tenant sees and sets where its webhooks go. Secrets are made on the command line only."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.auth import needs
from gateway.json import Json
from gateway.methods import resource
from gateway.requests import WebhooksRequest, read
from gateway.services import services
from tasks.api_keys import Identity


@needs("tasks:read")
async def get(request: Request, identity: Identity) -> Response:
    return await _shown(request, identity)


@needs("ops:write")
async def put(request: Request, identity: Identity) -> Response:
    wanted = await read(request, WebhooksRequest)
    await services(request).tasks.webhooks.set_default(identity.tenant, wanted.default_url)
    return await _shown(request, identity)


async def _shown(request: Request, identity: Identity) -> Response:
    return Json((await services(request).tasks.webhooks.read(identity.tenant)).as_json())


ROUTES = [resource("/api/webhooks", GET=get, PUT=put)]
