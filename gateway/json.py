"""JSON as the API writes it."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json
from starlette.responses import Response


class Json(Response):
    """A JSON answer, encoded by pydantic: faster than the standard library and the same for models."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return to_json(content)
