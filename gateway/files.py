"""Files as responses. They lie sealed, so they are opened a piece at a time while they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from starlette import responses
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse


def opened_file(
    request: Request, pieces: Iterable[bytes], size: int, media_type: str, headers: Mapping[str, str]
) -> Response:
    """A file of `size` bytes, or the one range of it that is asked for. Several ranges, and one that can't be read,
    are ignored, as RFC 9110 (section 14.2) allows; one that the file doesn't have is a 416."""
    asked = request.headers.get("range") if "if-range" not in request.headers else None
    ranges = _Ranges.of(asked, size) if asked is not None else []
    told = {**headers, "Accept-Ranges": "bytes", "Content-Length": str(size)}
    if len(ranges) != 1:
        return StreamingResponse(pieces, 200, told, media_type)
    start, end = ranges[0]
    told |= {"Content-Range": f"bytes {start}-{end - 1}/{size}", "Content-Length": str(end - start)}
    return StreamingResponse(_part(pieces, start, end), 206, told, media_type)


def _part(pieces: Iterable[bytes], start: int, end: int) -> Iterator[bytes]:
    """The bytes from `start` up to and without `end`."""
    place = 0
    for piece in pieces:
        part = piece[max(0, start - place) : max(0, end - place)]
        if part:
            yield part
        place += len(piece)
        if place >= end:
            return


class _Ranges(responses.FileResponse):
    """Starlette's reader of ranges."""

    @classmethod
    def of(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        try:
            return cls._parse_range_header(http_range, file_size)
        except responses.MalformedRangeHeader:
            return []
        except responses.RangeNotSatisfiable as refusal:
            extent = {"Content-Range": f"bytes */{refusal.max_size}"}
            raise HTTPException(416, f"The file has {refusal.max_size} bytes.", extent) from None
