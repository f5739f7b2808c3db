"""What the client raises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx


class DespachoClientError(Exception):
    """Base of what is raised here."""


class Unreachable(DespachoClientError):
    """The service could not be reached, or the connection was cut each time, for as long as was tried."""


class StillRunning(DespachoClientError):
    """The task had not ended when the time to wait was over; it goes on."""

    def __init__(self, task_id: str, timeout_s: float) -> None:
        super().__init__(f"task {task_id} has not ended within {timeout_s:g} s")
        self.task_id = task_id


@dataclass(frozen=True, slots=True)
class FieldError:
    """The path of a field that is wrong, such as `tasks[17].priority`, and what would be right."""

    field: str
    message: str


class Problem(DespachoClientError):
    """A refusal (RFC 9457). Decide by `type`, such as `/problems/not-found`: it never changes, and it leads to a page
    that explains it. `request_id` names the request for whoever runs the service."""

    def __init__(
        self, status: int, type: str, title: str, detail: str, errors: tuple[FieldError, ...], request_id: str
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.errors = errors
        self.request_id = request_id

    @classmethod
    def of(cls, response: httpx.Response) -> Problem:
        """The problem that a response, whose body was read, tells; a proxy's may tell none."""
        told = _json(response)
        listed = told.get("errors")
        errors = listed if isinstance(listed, list) else []
        return cls(
            response.status_code,
            str(told.get("type", "about:blank")),
            str(told.get("title", response.reason_phrase)),
            str(told.get("detail", "")),
            tuple(FieldError(str(e.get("field")), str(e.get("message"))) for e in errors if isinstance(e, dict)),
            response.headers.get("x-request-id", ""),
        )


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        told = response.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
