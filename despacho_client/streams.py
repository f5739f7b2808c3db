"""Streams that are taken up again where they were cut: what to ask for, and what the bytes that come mean. Nothing
here sends or receives."""

from __future__ import annotations

import json
from typing import Any, Protocol, TypeVar, cast

from despacho_client.sse import Message, Parser
from despacho_client.values import BatchLine, Event

T = TypeVar("T")


class Resumable(Protocol[T]):
    """A stream at `path`. `is_over` once there will be nothing more to take."""

    path: str
    is_over: bool

    def begin(self) -> tuple[dict[str, str], dict[str, str]]:
        """The query and the headers that ask for the rest; what was half received is forgotten."""
        ...

    def take(self, chunk: bytes) -> list[T]:
        """What is whole now."""
        ...

    def end(self) -> None:
        """The response came to its proper end."""
        ...


class Events:
    """Events, up to `event: end`; a response that ends without it, or with an empty 204, says whether to go on."""

    def __init__(self, path: str, last_id: str) -> None:
        self.path = path
        self.is_over = False
        self._last_id = last_id
        self._parser = Parser(last_id)

    def begin(self) -> tuple[dict[str, str], dict[str, str]]:
        self._parser = Parser(self._last_id)
        return {}, {"Last-Event-ID": self._last_id} if self._last_id else {}

    def take(self, chunk: bytes) -> list[Event]:
        found = []
        for message in self._parser.feed(chunk):
            self.is_over = self.is_over or message.name == "end"
            if not self.is_over:
                self._last_id = message.id
                found.append(_event(message))
        return found

    def end(self) -> None:
        """A stream that is open for ever ends when its gateway stops: another one goes on."""


class Lines:
    """The lines of a batch's results."""

    def __init__(self, path: str, after: int) -> None:
        self.path = path
        self.is_over = False
        self._after = after
        self._rest = b""

    def begin(self) -> tuple[dict[str, str], dict[str, str]]:
        self._rest = b""
        return {"after": str(self._after)}, {}

    def take(self, chunk: bytes) -> list[BatchLine]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        found = [cast(BatchLine, json.loads(line)) for line in lines if line]
        if found:
            self._after = found[-1]["n"]
        return found

    def end(self) -> None:
        self.is_over = True


def _event(message: Message) -> Event:
    told: Any = json.loads(message.data)
    return Event(message.id, message.name, told if isinstance(told, dict) else {})
