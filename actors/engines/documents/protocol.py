"""What the engine and its reading process say to each other: one JSON object a line.

The engine writes an `Order`; back come any number of `Progress` and `Result`, and always one `End`. Each `Result`
replaces the one before: the last holds all, the earlier ones what is left if the process is killed.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from actors.engines.documents.limits import Limits
from tasks.payloads import AnalyzedDocument, DocumentOptions, Frozen


class Order(Frozen):
    """One file to be read."""

    document_id: str
    path: str
    filename: str
    media_type: str
    options: DocumentOptions
    reference_date: dt.date
    limits: Limits


class Progress(Frozen):
    kind: Literal["progress"] = "progress"
    percent: float
    sentence: str


class Result(Frozen):
    """What is known of the file so far."""

    kind: Literal["result"] = "result"
    analysis: AnalyzedDocument
    text: str


class End(Frozen):
    """The process that read is gone. `signal` is what killed it, if anything did."""

    kind: Literal["end"] = "end"
    timed_out: bool = False
    signal: int | None = None
    status: int = 0

    @property
    def in_order(self) -> bool:
        return not self.timed_out and self.signal is None and self.status == 0


Reply = Progress | Result | End

_REPLY: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="kind")])


def encode(message: Order | Reply) -> bytes:
    return message.model_dump_json().encode() + b"\n"


def decode_order(line: bytes) -> Order:
    """Raises `pydantic.ValidationError` for anything but an order."""
    return Order.model_validate_json(line)


def decode_reply(line: bytes) -> Reply:
    """Raises `pydantic.ValidationError` for a torn or foreign line."""
    return _REPLY.validate_json(line)
