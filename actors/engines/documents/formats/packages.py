"""ZIP packages (DOCX, ODT, XLSX): opened with bounds on what they unpack to, their XML read as a stream.

A package of a few kilobytes may claim gigabytes, and a parser that builds a tree would die of deep nesting; here a
member is read as far as its bound and an XML file passes through expat event by event.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from typing import Protocol
from xml.parsers import expat

from actors.engines.documents.errors import UnreadableError
from actors.engines.documents.limits import Limits

_MOST_MEMBERS = 10_000
_RATIO_COUNTS_FROM = 20 * 1024 * 1024
_CHUNK = 1 << 18
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError)


class XmlReader(Protocol):
    """Hears the events of one XML file; names come with their namespace's prefix cut off."""

    def start(self, name: str, attributes: dict[str, str], /) -> None:
        """An element opens."""

    def end(self, name: str, /) -> None:
        """An element closes."""

    def text(self, characters: str, /) -> None:
        """Characters between two tags; a run of them may come in pieces."""


def open_package(data: bytes, limits: Limits) -> zipfile.ZipFile:
    """Raises `UnreadableError`: `damaged`, `encrypted`, or `too_large` for a bomb."""
    try:
        package = zipfile.ZipFile(io.BytesIO(data))
    except _BROKEN:
        raise UnreadableError("damaged", "the package (ZIP) is broken or cut off") from None
    _check(package, len(data), limits)
    return package


def _check(package: zipfile.ZipFile, packed: int, limits: Limits) -> None:
    members = package.infolist()
    unpacked = sum(member.file_size for member in members)
    bomb = unpacked > _RATIO_COUNTS_FROM and unpacked > limits.unpacked_ratio * packed
    if bomb or unpacked > limits.unpacked_bytes or len(members) > _MOST_MEMBERS:
        raise UnreadableError("too_large", f"the package unpacks to {unpacked} bytes in {len(members)} files")
    if any(member.flag_bits & 0x1 for member in members):
        raise UnreadableError("encrypted", "the package is protected by a password")


def names(package: zipfile.ZipFile) -> list[str]:
    return package.namelist()


def read_member(package: zipfile.ZipFile, name: str) -> bytes:
    """One whole member. Raises `UnreadableError` `damaged`."""
    try:
        return package.read(name)
    except (*_BROKEN, KeyError, RuntimeError):
        raise UnreadableError("damaged", f"{name} in the package can't be read") from None


def read_xml(package: zipfile.ZipFile, name: str, reader: XmlReader) -> None:
    """Pass one member through `reader`. Raises `UnreadableError` `damaged`; a document type declaration, the way
    to entity bombs, is damage too, as no office format has one."""
    parser = _parser(reader)
    try:
        with package.open(name) as member:
            while chunk := member.read(_CHUNK):
                parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, *_BROKEN, KeyError, RuntimeError):
        raise UnreadableError("damaged", f"{name} in the package is no sound XML") from None


def _parser(reader: XmlReader) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = _without_prefixes(reader.start)
    parser.EndElementHandler = lambda name: reader.end(_local(name))
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    return parser


def _without_prefixes(start: Callable[[str, dict[str, str]], None]) -> Callable[[str, dict[str, str]], None]:
    return lambda name, attributes: start(_local(name), {_local(key): value for key, value in attributes.items()})


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse(*_declaration: object) -> None:
    raise UnreadableError("damaged", "the XML declares a document type of its own")
