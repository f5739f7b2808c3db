"""Reads server-sent events out of bytes, however they are cut (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

import codecs
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One event as it was sent. `id` is that of the latest one that had one."""

    id: str
    name: str
    data: str


class Parser:
    """Feed it with bytes as they come; an event is told when the empty line behind it has come."""

    def __init__(self, last_id: str = "") -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._began = False
        self._after_cr = False
        self._id = last_id
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Message]:
        text = self._decoder.decode(chunk)
        if text and not self._began:
            self._began = True
            text = text.removeprefix("\ufeff")
        return [message for line in self._lines(text) if (message := self._take(line)) is not None]

    def _lines(self, text: str) -> list[str]:
        """The lines that are whole now: they end with CR, LF, or both, which may come apart."""
        if self._after_cr and text:
            text = text.removeprefix("\n")
            self._after_cr = False
        if text.endswith("\r"):
            self._after_cr = True
        *lines, self._rest = (self._rest + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return lines

    def _take(self, line: str) -> Message | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> Message | None:
        data, name = self._data, self._name
        self._data, self._name = [], ""
        return Message(self._id, name or "message", "\n".join(data)) if data else None
