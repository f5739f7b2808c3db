"""Files as responses, read while they are opened: a sealed one lies nowhere in clear. Of a file whose size is known a
client may ask for a part, as RFC 9110 (section 14) says."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, MalformedRangeHeader, RangeNotSatisfiable, Response, StreamingResponse


def opened_file(request: Request, pieces: Iterator[bytes], size: int, headers: dict[str, str]) -> Response:
    """Bytes as a download, or the one part of them that the Range header asks for. A range that can't be read is
    ignored, and so are several at once; one that the file doesn't have is a 416."""
    start, end = _range(request, size)
    is_part = (start, end) != (0, size)
    told = {**headers, "Accept-Ranges": "bytes", "Content-Length": str(end - start)}
    if is_part:
        told["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    content = _part(pieces, start, end) if is_part else pieces
    return StreamingResponse(content, 206 if is_part else 200, told, "application/octet-stream")


def _range(request: Request, size: int) -> tuple[int, int]:
    """The first byte, and the one after the last."""
    wanted = request.headers.get("range")
    # The file has no entity-tag that a condition could name.
    if wanted is None or "if-range" in request.headers:
        return 0, size
    try:
        ranges = FileResponse._parse_range_header(wanted, size)
    except MalformedRangeHeader:
        return 0, size
    except RangeNotSatisfiable as refusal:
        extent = {"Content-Range": f"bytes */{refusal.max_size}"}
        raise HTTPException(416, f"The file has {refusal.max_size} bytes.", extent) from None
    return ranges[0] if len(ranges) == 1 else (0, size)


def _part(pieces: Iterator[bytes], start: int, end: int) -> Iterator[bytes]:
    at = 0
    for piece in pieces:
        wanted = piece[max(start - at, 0) : end - at]
        if wanted:
            yield wanted
        at += len(piece)
        if at >= end:
            return
