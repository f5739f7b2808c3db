"""The documentation page: the OpenAPI document as people read it. It is made of the document alone, so it can't tell
anything else, and of files of the service, so it works without a network.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup, escape

SHARED = frozenset({"rate-limited", "bad-request", "headers-too-large", "internal", "request-timeout"})
"""Problems that are said once for all operations."""
EVERYWHERE = frozenset({"X-Request-ID", "RateLimit", "RateLimit-Policy"})
_CODE = re.compile(r"`([^`]+)`")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter, a header or a field of a schema."""

    name: str
    type: Markup
    required: bool
    description: Markup
    where: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """A text to be looked at or copied."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    status: str
    description: Markup
    media: Sequence[tuple[str, Markup]]
    headers: Sequence[str]
    example: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem that an operation may answer."""

    status: str
    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation."""

    anchor: str
    method: str
    path: str
    summary: str
    description: Markup
    deprecated: bool
    scope: str
    takes_ticket: bool
    parameters: Sequence[Row]
    body: Markup
    calls: Sequence[Sample]
    replies: Sequence[Reply]
    troubles: Sequence[Trouble]


@dataclass(frozen=True, slots=True)
class Group:
    anchor: str
    name: str
    description: str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema: its fields, or what it is one of."""

    name: str
    description: Markup
    rows: Sequence[Row]
    type: Markup


def render(document: Mapping[str, Any]) -> str:
    """The page."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("gateway", "console_files"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    reader = _Reader(document)
    return templates.get_template("docs.html").render(
        version=document["info"]["version"],
        about=prose(document["info"]["description"]),
        groups=reader.groups(),
        shared=reader.shared(),
        shapes=reader.shapes(),
    )


class _Reader:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def groups(self) -> list[Group]:
        entries: dict[str, list[Entry]] = {tag["name"]: [] for tag in self._document["tags"]}
        for path, methods in self._document["paths"].items():
            for method, operation in methods.items():
                entries[operation["tags"][0]].append(self._entry(method.upper(), path, operation))
        return [
            Group(_anchor(tag["name"]), tag["name"], tag["description"], entries[tag["name"]])
            for tag in self._document["tags"]
        ]

    def shared(self) -> list[Trouble]:
        """The problems that any operation may answer."""
        found = {trouble.name: trouble for operation in self._operations() for trouble in self._troubles(operation)}
        return sorted((found[name] for name in SHARED & found.keys()), key=lambda trouble: trouble.status)

    def shapes(self) -> list[Shape]:
        schemas = self._document["components"]["schemas"]
        return [_shape(name, schema) for name, schema in schemas.items() if not name.endswith("Problem")]

    def _operations(self) -> Iterator[Mapping[str, Any]]:
        for methods in self._document["paths"].values():
            yield from methods.values()

    def _entry(self, method: str, path: str, operation: Mapping[str, Any]) -> Entry:
        bodies: dict[str, Any] = operation.get("requestBody", {}).get("content", {})
        schemes = {name: scopes for way in operation["security"] for name, scopes in way.items()}
        return Entry(
            anchor=operation["operationId"],
            method=method,
            path=path,
            summary=operation["summary"],
            description=prose(operation.get("description", "")),
            deprecated=operation.get("deprecated", False),
            scope=", ".join(schemes["token"]) or "any" if schemes else "",
            takes_ticket="ticket" in schemes,
            parameters=[_parameter(parameter) for parameter in operation.get("parameters", [])],
            body=_body(bodies),
            calls=_calls(method, path, operation),
            replies=[_reply(status, told) for status, told in operation["responses"].items() if "$ref" not in told],
            troubles=[trouble for trouble in self._troubles(operation) if trouble.name not in SHARED],
        )

    def _troubles(self, operation: Mapping[str, Any]) -> list[Trouble]:
        found: list[Trouble] = []
        for status, response in operation["responses"].items():
            content = self._resolved(response).get("content", {})
            examples = content.get("application/problem+json", {}).get("examples", {})
            found += [Trouble(status, name, example["summary"]) for name, example in examples.items()]
        return found

    def _resolved(self, response: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in response:
            return response
        name = response["$ref"].rpartition("/")[2]
        told: Mapping[str, Any] = self._document["components"]["responses"][name]
        return told


def _reply(status: str, response: Mapping[str, Any]) -> Reply:
    content = response.get("content", {})
    examples = [told["example"] for told in content.values() if "example" in told]
    return Reply(
        status=status,
        description=_inline(response["description"]),
        media=[(name, type_of(told["schema"])) for name, told in content.items()],
        headers=[name for name in response["headers"] if name not in EVERYWHERE],
        example=_pretty(examples[0]) if examples else "",
    )


def _body(content: Mapping[str, Any]) -> Markup:
    told = (Markup("{} · <code>{}</code>").format(type_of(of["schema"]), name) for name, of in content.items())
    return Markup(", ").join(told)


def _parameter(parameter: Mapping[str, Any]) -> Row:
    return Row(
        name=parameter["name"],
        type=type_of(parameter["schema"]),
        required=parameter["required"],
        description=_inline(parameter["description"]),
        where=parameter["in"],
    )


def _shape(name: str, schema: Schema) -> Shape:
    required = schema.get("required", [])
    rows = [
        Row(field, type_of(told), field in required, _inline(told.get("description", "")))
        for field, told in schema.get("properties", {}).items()
    ]
    return Shape(name, prose(schema.get("description", "")), rows, Markup() if rows else type_of(schema))


# ----------------------------------------------------------------------------------------------------- calls


def _calls(method: str, path: str, operation: Mapping[str, Any]) -> list[Sample]:
    """How the operation is called with curl: once per example of its body."""
    start = _curl(method, path, operation)
    if "requestBody" not in operation:
        return [Sample("", start)]
    ((media_type, content),) = operation["requestBody"]["content"].items()
    return [
        Sample(example["summary"], f"{start} \\\n  {_data(media_type, example['value'])}")
        for example in content["examples"].values()
    ]


def _curl(method: str, path: str, operation: Mapping[str, Any]) -> str:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
    options = "-N " if {"text/event-stream", "application/x-ndjson"} & _media_types(operation) else ""
    verb = "" if method == "GET" or (method == "POST" and "requestBody" in operation) else f"-X {method} "
    call = f'curl {options}{verb}"$URL{path}"'
    return f'{call} \\\n  -H "Authorization: Bearer $KEY"' if operation["security"] else call


def _media_types(operation: Mapping[str, Any]) -> set[str]:
    return set(operation["responses"].get("200", {}).get("content", {}))


def _data(media_type: str, value: Any) -> str:
    if media_type == "multipart/form-data":
        return " ".join(f"-F {name}={'@' if name == 'file' else ''}{text}" for name, text in value.items())
    return f"-d {shlex.quote(_pretty(value))}"


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


# ------------------------------------------------------------------------------------------------------ types


def type_of(schema: Schema) -> Markup:
    """A schema in a few words, in which models lead to their tables."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return Markup(" | ").join(type_of(part) for part in schema[word])
    if "const" in schema:
        return Markup("<code>{}</code>").format(json.dumps(schema["const"]))
    if "enum" in schema:
        return Markup(" | ").join(Markup("<code>{}</code>").format(value) for value in schema["enum"])
    return _simple(schema)


def _simple(schema: Schema) -> Markup:
    kind = schema.get("type", "any")
    if kind == "array":
        items = schema.get("items")
        return Markup("list of {}").format(type_of(items)) if isinstance(items, dict) else Markup("list")
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return Markup("object of {}").format(type_of(schema["additionalProperties"]))
    return escape(", ".join((schema.get("format", kind), *_bounds(schema))))


def _bounds(schema: Schema) -> Iterator[str]:
    if "minimum" in schema and "maximum" in schema:
        yield f"{schema['minimum']:,} to {schema['maximum']:,}"
    elif schema.get("minimum"):
        yield f"from {schema['minimum']:,}"
    if "maxLength" in schema:
        yield f"up to {schema['maxLength']:,} characters"


def _anchor(name: str) -> str:
    return re.sub(r"\W+", "-", name.lower())


# ------------------------------------------------------------------------------------------------------ prose


def prose(text: str) -> Markup:
    """Paragraphs, lists, `code` and **bold**: all of Markdown that our descriptions use."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    return Markup("\n").join(_items(block) if block.startswith("- ") else _paragraph(block) for block in blocks)


def _paragraph(text: str) -> Markup:
    return Markup("<p>{}</p>").format(_inline(text))


def _items(block: str) -> Markup:
    items = re.split(r"^- ", block, flags=re.MULTILINE)[1:]
    return Markup("<ul>{}</ul>").format(Markup().join(Markup("<li>{}</li>").format(_inline(item)) for item in items))


def _inline(text: str) -> Markup:
    safe = str(escape(" ".join(text.split())))
    return Markup(_BOLD.sub(r"<strong>\1</strong>", _CODE.sub(r"<code>\1</code>", safe)))  # noqa: S704
