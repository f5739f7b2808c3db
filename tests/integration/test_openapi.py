"""The OpenAPI document: it describes the routes that there are, with examples that hold, and says who may do what."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from string import Formatter
from typing import Any

import httpx
import jsonschema_rs
import pytest
from starlette.routing import Mount, Route

from gateway.app import create_app
from gateway.console import PAGES
from gateway.openapi.document import OPERATIONS
from gateway.openapi.parts import Operation
from gateway.problem_kinds import KINDS
from tasks.api_keys import SCOPES, ApiKeys
from tasks.catalog import CATALOG
from tasks.settings import Settings
from tests.described import check, document, faults, resolved
from tests.integration.conftest import Client, Gateway

FOR_PEOPLE = {*PAGES, "/login", "/docs", "/favicon.ico", "/ops/dramatiq/"}
"""Pages and what belongs to them."""
IDS = {
    "task_id": "no-such-task",
    "case_id": "no-such-case",
    "document_id": "no-such-document",
    "queue": "no-such-queue",
    "report_id": "no-such-report",
    "replay_id": "no-such-replay",
    "name": "no-such-kind",
}
WITH_SCOPE = [operation for operation in OPERATIONS if operation.scope]


def test_every_route_is_described_and_nothing_else(settings: Settings) -> None:
    app = create_app(settings)
    routes = [route for route in app.routes if isinstance(route, Route)]
    there_are = {(method, r.path) for r in routes for method in (r.methods or set()) - {"HEAD"}}

    described = {(operation.method, operation.path) for operation in OPERATIONS}

    assert {way for way in there_are if way[1] not in FOR_PEOPLE} == described
    assert {route.path for route in app.routes if isinstance(route, Mount)} <= {"/assets", "/ops/dramatiq"}


def test_the_document_is_served_to_everybody_and_kept_by_caches(gateway: Gateway) -> None:
    first = httpx.get(f"{gateway.url}/openapi.json")

    assert first.status_code == 200
    assert first.headers["content-type"] == "application/json"
    assert first.headers["cache-control"] == "public, no-cache"
    assert first.json() == document()
    again = httpx.get(f"{gateway.url}/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for answer in (first, again):
        check(answer)


def test_every_schema_is_one() -> None:
    assert document()["openapi"] == "3.1.1"
    for name, schema in document()["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}), (
            name
        )


def test_every_reference_leads_somewhere_and_every_component_is_referred_to() -> None:
    told = json.dumps(document())
    references = set(re.findall(r'"(?:\$ref|[\w.]+)": "(#/components/[^"]+)"', told))

    for reference in references:
        assert resolved({"$ref": reference}) is not None
    components = {
        f"#/components/{kind}/{name}"
        for kind, parts in document()["components"].items()
        for name in parts
        if kind != "securitySchemes"
    }
    unused = {name for name in components - references if not name.endswith("Problem")}
    assert unused == set()


def operations() -> Iterator[dict[str, Any]]:
    for methods in document()["paths"].values():
        yield from methods.values()


def test_operations_have_names_of_their_own_and_links_lead_to_them() -> None:
    names = [operation["operationId"] for operation in operations()]
    assert len(names) == len(set(names))
    parameters = {told["operationId"]: {p["name"] for p in told.get("parameters", [])} for told in operations()}
    for operation in operations():
        for response in operation["responses"].values():
            for link in resolved(response).get("links", {}).values():
                assert set(link["parameters"]) <= parameters[link["operationId"]]


def test_every_parameter_in_a_path_is_described() -> None:
    for path, methods in document()["paths"].items():
        wanted = {name for _, name, _, _ in Formatter().parse(path) if name}
        for operation in methods.values():
            given = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert given == wanted, path


def media(part: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """The schema and each example of a body or a response."""
    for content in part.get("content", {}).values():
        for example in content.get("examples", {}).values():
            yield content["schema"], example["value"]
        if "example" in content:
            yield content["schema"], content["example"]


def test_every_example_is_what_its_schema_says() -> None:
    seen = 0
    for operation in operations():
        parts = [operation.get("requestBody", {}), *map(resolved, operation["responses"].values())]
        for schema, example in itertools.chain.from_iterable(map(media, parts)):
            assert faults(schema, example) == [], operation["operationId"]
            seen += 1
        for parameter in operation.get("parameters", []):
            if "example" in parameter:
                assert faults(parameter["schema"], parameter["example"]) == [], parameter["name"]
    assert seen > 100


def test_every_json_body_and_answer_has_an_example() -> None:
    for operation in operations():
        if operation["operationId"] == "getOpenApi":
            continue
        for part in (operation.get("requestBody", {}), *operation["responses"].values()):
            for media_type, content in resolved(part).get("content", {}).items():
                has_one = content.get("examples") or "example" in content
                assert has_one or "json" not in media_type or "206" in operation["responses"]


def test_every_kind_of_problem_but_those_of_odd_methods_is_told() -> None:
    told = json.dumps(document()["components"]["responses"])
    for kind in KINDS.values():
        assert (f'"{kind.name}"' in told) == (kind.name != "method-not-allowed"), kind.name


def test_every_public_task_type_has_its_request() -> None:
    mapping = document()["components"]["schemas"]["TaskRequest"]["discriminator"]["mapping"]
    assert set(mapping) == {spec.name for spec in CATALOG.specs.values() if not spec.internal}


# ---------------------------------------------------------------------------------------------- by experiment


@pytest.mark.parametrize(
    "example",
    document()["paths"]["/api/tasks/queue"]["post"]["requestBody"]["content"]["application/json"][
        "examples"
    ].values(),
    ids=lambda example: example["summary"],
)
def test_the_examples_of_tasks_are_taken(api: Client, example: dict[str, Any]) -> None:
    uploaded = api.post("/api/documents", data={"case_id": "case-17"}, files={"file": ("a.txt", b"PROCURA")}).json()
    body = json.dumps(example["value"]).replace("019ab2f4-51aa-7d02-9c1b-7f6e5d4c3b2a", uploaded["document_id"])
    api.put("/api/cases/case-18", json={"conversation_history": [{"role": "client", "content": "Bom dia."}]})

    answer = api.post("/api/tasks/queue?validate_only=true", content=body)

    assert answer.status_code == 200, answer.text


def ask(gateway: Gateway, operation: Operation, token: str | None) -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    path = operation.path.format(**IDS)
    with httpx.Client(base_url=gateway.url, headers=headers, timeout=20) as client:
        request = client.build_request(operation.method, path, content=b"" if operation.body else None)
        answer = client.send(request, stream=True)
        try:
            check(answer)
            return answer
        finally:
            answer.close()


@pytest.mark.parametrize("operation", WITH_SCOPE, ids=lambda operation: operation.operation_id)
def test_the_scope_that_is_told_is_the_one_that_is_needed(
    gateway: Gateway, keys: ApiKeys, operation: Operation
) -> None:
    lacking = tuple(scope for scope in SCOPES if scope != operation.scopes[-1])
    _, without_it = keys.create("lacks", "acme", lacking)
    _, with_it = keys.create("has", "acme", operation.scopes)

    assert ask(gateway, operation, None).status_code == 401
    assert ask(gateway, operation, without_it).status_code == 403
    assert ask(gateway, operation, with_it).status_code not in (401, 403)


@pytest.mark.parametrize(
    "operation", [o for o in OPERATIONS if o.scope is None], ids=lambda operation: operation.operation_id
)
def test_what_takes_no_token_takes_none(gateway: Gateway, operation: Operation) -> None:
    answer = ask(gateway, operation, None)

    assert answer.status_code != 401
    assert answer.status_code != 403 or operation.tag == "Sessions"


@pytest.mark.parametrize("operation", [o for o in WITH_SCOPE if o.takes_ticket], ids=lambda o: o.operation_id)
def test_streams_take_tickets(gateway: Gateway, api: Client, operation: Operation) -> None:
    path = operation.path.format(case_id="case-1", task_id=api.submit(countdown=3_600))
    ticket = api.post("/api/stream-tickets", json={"path": path}).json()["ticket"]

    with httpx.stream("GET", f"{gateway.url}{path}?ticket={ticket}", timeout=20) as answer:
        assert answer.status_code == 200
        check(answer)
