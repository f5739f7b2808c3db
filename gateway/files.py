"""Files as responses: Starlette's, whose refusals are problem details like all others."""

from __future__ import annotations

from starlette import responses
from starlette.exceptions import HTTPException


class File(responses.FileResponse):
    """A range that can't be read is ignored, as RFC 9110 (section 14.2) wants it; one that the file doesn't have is
    a 416."""

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        try:
            return super()._parse_range_header(http_range, file_size)
        except responses.MalformedRangeHeader:
            return []
        except responses.RangeNotSatisfiable as refusal:
            extent = {"Content-Range": f"bytes */{refusal.max_size}"}
            raise HTTPException(416, f"The file has {refusal.max_size} bytes.", extent) from None
