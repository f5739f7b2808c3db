"""What the OpenAPI document says, as checks: whether an answer is one that it describes, to the letter.

The document lets answers have fields that it doesn't name, so that later versions can add some; here they may not, so
that none is forgotten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx
import jsonschema_rs

from gateway.docs import encoded

JSON, PROBLEM = "application/json", "application/problem+json"


@cache
def document() -> dict[str, Any]:
    """The document, as it is served."""
    told: dict[str, Any] = json.loads(encoded()[0])
    return told


def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a `$ref` leads to, if it is one."""
    if "$ref" not in part:
        return part
    found: Any = document()
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return resolved(found)


@cache
def _closed_components() -> Any:
    return _closed(document()["components"])


def _closed(part: Any) -> Any:
    if isinstance(part, list):
        return [_closed(item) for item in part]
    if not isinstance(part, dict):
        return part
    told = {name: _closed(value) for name, value in part.items()}
    if part.get("type") == "object" and "properties" in part:
        told.setdefault("additionalProperties", False)
    return told


@cache
def _validator(schema: str) -> Any:
    return jsonschema_rs.Draft202012Validator(
        {"components": _closed_components(), **_closed(json.loads(schema))}, validate_formats=True
    )


def faults(schema: Mapping[str, Any], value: Any) -> list[str]:
    """Why a value is not of a schema of the document."""
    found = _validator(json.dumps(schema)).iter_errors(value)
    return [f"{'/'.join(map(str, fault.instance_path))}: {fault.message[:500]}" for fault in found]


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    """The paths with the fewest parameters first: `/api/tasks/stats` is no task."""
    told = sorted(document()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), path) for path in told]


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """The operation that handles a request; `None` where the document has none."""
    method = "get" if method == "HEAD" else method.lower()
    for pattern, template in _paths():
        found = document()["paths"][template].get(method)
        if found is not None and pattern.fullmatch(path):
            return dict(found)
    return None


def check(answer: httpx.Response) -> None:
    """Fail where an answer is not one that the document describes. Streams are looked at by who reads them."""
    operation = operation_of(answer.request.method, answer.request.url.path)
    if operation is None:
        return
    where = f"{operation['operationId']} {answer.status_code}"
    if answer.status_code in (400, 405, 408, 413, 431):
        # Of the connection, or of what the route is not meant for.
        return
    assert str(answer.status_code) in operation["responses"], f"{where} is not in the document"
    response = resolved(operation["responses"][str(answer.status_code)])
    missing = [name for name in answer.headers if _is_told(name) and name not in _lower(response.get("headers", {}))]
    assert not missing, f"{where}: headers {missing} are not in the document"
    _check_content(where, response, answer)


def _is_told(header: str) -> bool:
    return header in ("location", "etag", "retry-after", "idempotent-replayed", "preference-applied", "x-request-id")


def _lower(names: Mapping[str, Any]) -> set[str]:
    return {name.lower() for name in names}


def _check_content(where: str, response: Mapping[str, Any], answer: httpx.Response) -> None:
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    if "content" not in response:
        assert not media_type, f"{where} has content, which the document doesn't tell"
        return
    assert media_type in response["content"] or media_type.startswith("multipart/"), f"{where}: {media_type}"
    if answer.request.method != "HEAD" and media_type in (JSON, PROBLEM) and answer.status_code != 206:
        answer.read()
        found = faults(response["content"][media_type]["schema"], answer.json())
        assert not found, f"{where}: {found[:5]}"


def check_item(operation_id: str, value: Any) -> None:
    """Fail where this is not one event, or one line, of a stream as the document describes it."""
    operation = next(
        told for path in document()["paths"].values() for told in path.values() if told["operationId"] == operation_id
    )
    (media,) = (content for content in operation["responses"]["200"]["content"].values())
    found = faults(media["schema"], value)
    assert not found, f"{operation_id}: {found[:5]}"
