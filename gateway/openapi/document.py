"""Makes the document: OpenAPI 3.1.1, whose schemas are JSON Schema 2020-12, out of the declarations, the models that
read bodies, the payloads of the catalog and the kinds of problems."""

from __future__ import annotations

import copy
import types
import typing
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from gateway.openapi import of_cases, of_dead_letters, of_service, of_streams, of_tasks
from gateway.openapi.parts import Body, Operation, Parameter, Schema
from gateway.problem_kinds import KINDS, Kind
from gateway.requests import BulkRequest, TaskRequest
from tasks.catalog import CATALOG, Catalog, TaskSpec

OPERATIONS: tuple[Operation, ...] = (
    *of_tasks.OPERATIONS,
    *of_streams.OPERATIONS,
    *of_cases.OPERATIONS,
    *of_dead_letters.OPERATIONS,
    *of_service.OPERATIONS,
)
TAGS = {
    of_tasks.TAG: "Queue work and follow it to its end.",
    of_streams.TAG: "Server-sent events, resumable without gap or duplicate.",
    of_cases.TAG: "What a client told, and the files that belong to it.",
    of_dead_letters.TAG: "What failed for good: look into it, replay it, or give it up.",
    of_service.TAG: "Queues, workers, schedules, reports, webhooks and health.",
    of_service.SESSIONS: "Cookies for the service's own pages.",
    of_service.ABOUT: "What describes the API itself.",
}
ABOUT = """Queue a task, and watch it or wait for it. JSON in UTF-8, `snake_case`; times are RFC 3339 in UTC;
durations carry their unit in the name.

- **Tokens.** `Authorization: Bearer <token>`. Each operation names the scopes that its token needs. What belongs to
  another tenant is a `404`, as if it did not exist. What clients told, and what was made of it, is shown to tokens
  with `tasks:payload` alone: to others a record's and an event's `result` is `null`.
- **Errors** are problem details (RFC 9457, `application/problem+json`). Decide by their `type`; it leads to a page
  that says what to do. Invalid input has `errors` with the field and what would be right; unknown fields are refused.
- **Limits.** `RateLimit` and `RateLimit-Policy` say how many requests are left in this minute.
- **Retries.** A `429` and a `503` say in `Retry-After` when to come back. With an `Idempotency-Key` a
  submit can be repeated safely.
- **Request ids.** Every response carries `X-Request-ID`: the caller's own, if it sent a sane one.
- **Traces.** A `traceparent` (W3C Trace Context) is taken up where the service is traced, over all runs of the task.
- **New fields** may be added to any answer; take what you know."""
RATE = ("RateLimit", "RateLimit-Policy")
_REF = "#/components/schemas/{model}"
_HEADERS: dict[str, Schema] = {
    "Location": {"description": "Where the new resource is read.", "schema": {"type": "string"}},
    "ETag": {"description": "Names this version of the resource.", "schema": {"type": "string"}},
    "Retry-After": {
        "description": "After how many seconds it is worth a look again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Idempotent-Replayed": {
        "description": "`true` where this is the first answer to the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Preference-Applied": {"description": "How long the answer was to wait.", "schema": {"type": "string"}},
    "RateLimit": {"description": "How much is left in this minute.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "How much there is in a minute.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
    "Content-Disposition": {"description": "The file's name.", "schema": {"type": "string"}},
    "Set-Cookie": {"description": "The session.", "schema": {"type": "string"}},
    "X-Request-ID": {"description": "Names the request, for whoever runs the service.", "schema": {"type": "string"}},
}
_SECURITY: dict[str, Schema] = {
    "token": {"type": "http", "scheme": "bearer", "description": "An API key (`dsp_...`) or a JWT."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "despacho_session",
        "description": "What a login of a browser sets.",
    },
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "A stream's ticket, for `EventSource`.",
    },
}


def build(version: str, operations: Sequence[Operation] = OPERATIONS, catalog: Catalog = CATALOG) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.1",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {"title": "Despacho", "version": version, "description": ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": dict(paths),
        "components": {
            "schemas": _schemas(operations, catalog),
            "responses": _responses(operations),
            "headers": _HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


# ------------------------------------------------------------------------------------------------ operations


def _operation(operation: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.operation_id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "deprecated": operation.deprecated,
        "security": _security(operation),
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "requestBody": None if operation.body is None else _body(operation.body),
        "responses": _answers(operation) | _problem_refs(operation.kinds),
    }
    needed = ("security", "responses")
    return {name: value for name, value in told.items() if value or name in needed}


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.scope is None:
        return []
    schemes = ["token", "session", *(["ticket"] if operation.takes_ticket else [])]
    return [{scheme: list(operation.scopes)} for scheme in schemes]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.description,
        "required": parameter.where == "path",
        "schema": parameter.schema,
    }
    return told if parameter.example is None else {**told, "example": parameter.example}


def _body(body: Body) -> dict[str, Any]:
    examples = {f"{number}": {"summary": e.summary, "value": e.value} for number, e in enumerate(body.examples, 1)}
    return {"required": True, "content": {body.media_type: {"schema": _schema(body.content), "examples": examples}}}


def _answers(operation: Operation) -> dict[str, Any]:
    """By status; two of the same status are one response in two media types."""
    told: dict[str, Any] = {}
    of_all = RATE if operation.scope is not None else ()
    for answer in operation.answers:
        response = told.setdefault(str(answer.status), {"description": answer.description})
        if answer.content is not None:
            media: dict[str, Any] = {"schema": _schema(answer.content)}
            if answer.example is not None:
                media["example"] = answer.example
            response.setdefault("content", {})[answer.media_type] = media
        names = dict.fromkeys((*response.get("headers", ()), *answer.headers, "X-Request-ID", *of_all))
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        if answer.links:
            response["links"] = {
                name: {"operationId": link.operation_id, "parameters": dict(link.parameters)}
                for name, link in answer.links.items()
            }
    return told


def _schema(content: Any) -> Schema:
    """The schema of what a declaration names: a model, a union of models, the name of a schema, or a schema that has
    models in it."""
    if isinstance(content, type) and issubclass(content, BaseModel):
        return {"$ref": _REF.format(model=content.__name__)}
    if isinstance(content, types.UnionType):
        return {"anyOf": [_schema(part) for part in typing.get_args(content)]}
    if isinstance(content, str):
        return {"$ref": _REF.format(model=content)}
    if set(content) == {"anyOf"}:
        return {"anyOf": [_schema(part) for part in content["anyOf"]]}
    assert isinstance(content, dict)
    return content


# ------------------------------------------------------------------------------------------------- problems


def _by_status(kinds: Iterable[Kind]) -> dict[int, tuple[Kind, ...]]:
    found: dict[int, tuple[Kind, ...]] = {}
    for kind in kinds:
        found[kind.status] = (*found.get(kind.status, ()), kind)
    return found


def _problem_refs(kinds: Sequence[Kind]) -> dict[str, Any]:
    return {
        str(status): {"$ref": f"#/components/responses/{_response_name(of_status)}"}
        for status, of_status in _by_status(kinds).items()
    }


def _response_name(kinds: Sequence[Kind]) -> str:
    return "Or".join(_camel(kind.name) for kind in kinds)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def _responses(operations: Sequence[Operation]) -> dict[str, Any]:
    together = (kinds for operation in operations for kinds in _by_status(operation.kinds).values())
    return {_response_name(kinds): _problem_response(kinds) for kinds in dict.fromkeys(together)}


def _problem_response(kinds: Sequence[Kind]) -> dict[str, Any]:
    schemas = [{"$ref": _REF.format(model=f"{_camel(kind.name)}Problem")} for kind in kinds]
    headers = ["X-Request-ID"]
    if kinds[0].status == 401:
        headers.append("WWW-Authenticate")
    if kinds[0].status in (429, 503):
        headers.append("Retry-After")
    if kinds[0].status in (401, 403, 404, 409, 410, 412, 422, 429):
        headers += RATE
    return {
        "description": " Or: ".join(f"{kind.title}. {kind.meaning}" for kind in kinds),
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {
            "application/problem+json": {
                "schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas},
                "examples": {kind.name: {"summary": kind.title, "value": _problem_example(kind)} for kind in kinds},
            }
        },
    }


def _problem_example(kind: Kind) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status,
        "detail": "What is so in this case.",
    }
    if kind.name == "invalid-input":
        wrong = {"field": "priority", "message": "Input should be 'low', 'normal', 'high' or 'critical'"}
        example |= {"detail": f"{wrong['field']}: {wrong['message']}", "errors": [wrong]}
    return example


def _problem_schema(kind: Kind) -> Schema:
    properties: dict[str, Any] = {
        "type": {"const": kind.uri},
        "title": {"const": kind.title},
        "status": {"const": kind.status},
        "detail": {"type": "string"},
    }
    if kind.name == "invalid-input":
        properties["errors"] = {"type": "array", "minItems": 1, "items": {"$ref": _REF.format(model="FieldProblem")}}
    return {
        "type": "object",
        "description": f"{kind.meaning} {kind.remedy}",
        "required": list(properties)[:4],
        "properties": properties,
    }


_FIELD_PROBLEM: Schema = {
    "type": "object",
    "description": "One thing that is wrong: the path of the field, and what would be right.",
    "required": ["field", "message"],
    "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
}


# -------------------------------------------------------------------------------------------------- schemas


class _Untitled(GenerateJsonSchema):
    """Without titles: they say no more than the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def model_schema(self, schema: Any) -> dict[str, Any]:
        told = super().model_schema(schema)
        told.pop("title", None)
        if "description" in told:
            told["description"] = " ".join(told["description"].split())
        return told


def _schemas(operations: Sequence[Operation], catalog: Catalog) -> dict[str, Schema]:
    specs = [spec for spec in catalog.specs.values() if not spec.internal]
    of_models = _of_models(_models(operations, specs))
    tasks = {_task_name(spec): _task_schema(spec, of_models, catalog) for spec in specs}
    arguments = {_arguments_name(spec): _arguments_schema(spec, of_models) for spec in specs}
    of_models["TaskRequest"] = {
        "description": "A task to be queued. Only `task_name`, and the arguments that its type wants, are required.",
        "oneOf": [{"$ref": _REF.format(model=name)} for name in tasks],
        "discriminator": {
            "propertyName": "task_name",
            "mapping": {spec.name: _REF.format(model=_task_name(spec)) for spec in specs},
        },
    }
    problems = {f"{_camel(kind.name)}Problem": _problem_schema(kind) for kind in KINDS.values()}
    every = {**of_models, **tasks, **arguments, **problems, "FieldProblem": _FIELD_PROBLEM}
    # The payloads themselves are told as arguments.
    payloads = {spec.payload.__name__ for spec in specs}
    return {name: every[name] for name in sorted(every.keys() - payloads)}


def _models(operations: Sequence[Operation], specs: Sequence[TaskSpec]) -> dict[type[BaseModel], JsonSchemaMode]:
    found: dict[type[BaseModel], JsonSchemaMode] = {TaskRequest: "validation", BulkRequest: "validation"}
    for operation in operations:
        for content in [answer.content for answer in operation.answers]:
            found |= dict.fromkeys(_models_in(content), "serialization")
        if operation.body is not None:
            found |= dict.fromkeys(_models_in(operation.body.content), "validation")
    return found | dict.fromkeys((spec.payload for spec in specs), "validation")


def _models_in(content: Any) -> list[type[BaseModel]]:
    if isinstance(content, type) and issubclass(content, BaseModel):
        return [content]
    if isinstance(content, types.UnionType):
        return list(typing.get_args(content))
    if isinstance(content, dict) and set(content) == {"anyOf"}:
        return [model for part in content["anyOf"] for model in _models_in(part)]
    return []


def _of_models(models: Mapping[type[BaseModel], JsonSchemaMode]) -> dict[str, Schema]:
    _, told = models_json_schema(list(models.items()), ref_template=_REF, schema_generator=_Untitled)
    return dict(told["$defs"])


def _task_name(spec: TaskSpec) -> str:
    return f"{spec.kind.capitalize()}Task"


def _arguments_name(spec: TaskSpec) -> str:
    return f"{spec.kind.capitalize()}Arguments"


def _arguments_schema(spec: TaskSpec, of_models: Mapping[str, Schema]) -> Schema:
    """The payload as `kwargs`: what is given by position is not given here, so nothing is required."""
    schema = dict(of_models[spec.payload.__name__])
    schema.pop("required", None)
    return schema


def _task_schema(spec: TaskSpec, of_models: Mapping[str, Schema], catalog: Catalog) -> Schema:
    """The request for one type of task: the same for all, with its arguments and their order."""
    schema = copy.deepcopy(of_models["TaskRequest"])
    payload = of_models[spec.payload.__name__]
    names = list(payload["properties"])
    schema["description"] = spec.description
    schema["properties"] |= {
        "task_name": {"const": spec.name},
        "args": {
            "type": "array",
            "description": f"The arguments by position: {', '.join(names)}.",
            "prefixItems": [payload["properties"][name] for name in names],
            "items": False,
            "maxItems": len(names),
            "default": [],
        },
        "kwargs": {"$ref": _REF.format(model=_arguments_name(spec)), "description": "The arguments by name."},
        "queue": {
            "anyOf": [{"type": "string", "enum": list(catalog.queues)}, {"type": "null"}],
            "default": None,
            "description": f"Left out, it is `{spec.queue}`.",
        },
    }
    required = payload.get("required", [])
    return schema | ({"allOf": [_given(name, place) for place, name in enumerate(required)]} if required else {})


def _given(name: str, place: int) -> Schema:
    """That an argument is given: by its place, or by its name."""
    return {
        "anyOf": [
            {"required": ["args"], "properties": {"args": {"minItems": place + 1}}},
            {"required": ["kwargs"], "properties": {"kwargs": {"required": [name]}}},
        ]
    }
