"""The calls of the API as values, and when one is made again: what both clients share. Nothing here sends."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import httpx

from despacho_client.errors import Problem

BATCH = "batch.process_cases"
LONGEST_WAIT_S = 60
"""The longest that the service holds an answer back (`Prefer: wait`)."""
SILENT_AT_MOST_S = 45.0
"""A stream says something every 15 s; one that is silent for longer is dead."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
LONGEST_RETRY_AFTER_S = 120.0
AGAIN = frozenset({429, 503})

File = Path | bytes | BinaryIO


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `repeatable`: made twice, it does the same as made once."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    form: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    waits_s: float = 0.0

    def options(self, timeout_s: float) -> dict[str, Any]:
        """As httpx takes them."""
        given = {name: value for name, value in self.params.items() if value is not None}
        options: dict[str, Any] = {
            "params": given,
            "headers": dict(self.headers),
            "timeout": timeout_s + self.waits_s,
        }
        if self.body is not None:
            options["json"] = self.body
        return options | dict(self.form or {})


class Patience:
    """How long to pause before the next try; `None`: no more. Progress in between is a new start."""

    def __init__(self, tries: int) -> None:
        self._tries = tries
        self._failed = 0

    def progress(self) -> None:
        self._failed = 0

    def pause_s(self, fault: object = None) -> float | None:
        self._failed += 1
        if self._failed > self._tries:
            return None
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (self._failed - 1))
        pause_s = longest * random.uniform(0.5, 1.0)
        return max(pause_s, _retry_after_s(fault)) if isinstance(fault, httpx.Response) else pause_s


def _retry_after_s(response: httpx.Response) -> float:
    """Seconds; a date, which the service never sends, counts for nothing."""
    told = response.headers.get("retry-after", "")
    return min(float(told), LONGEST_RETRY_AFTER_S) if told.isascii() and told.isdigit() else 0.0


def may_be_sent_again(call: Call, fault: httpx.Response | httpx.TransportError) -> bool:
    """What never reached the service may always; the rest where twice is the same as once."""
    if isinstance(fault, httpx.Response):
        return fault.status_code in AGAIN and (call.repeatable or fault.status_code == 429)
    return call.repeatable or isinstance(fault, (httpx.ConnectError, httpx.ConnectTimeout))


def checked(response: httpx.Response) -> httpx.Response:
    """The response, whose body was read. Raises `Problem`."""
    if response.is_error:
        raise Problem.of(response)
    return response


# ---------------------------------------------------------------------------------------------------- tasks


def submit(
    task_name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    wait_s: int,
    idempotency_key: str | None,
    options: Mapping[str, Any],
) -> Call:
    body = {"task_name": task_name, "args": list(args), "kwargs": dict(kwargs or {}), **options}
    headers = _key(idempotency_key)
    if wait_s:
        headers["Prefer"] = f"wait={min(wait_s, LONGEST_WAIT_S)}"
    return Call("POST", "/api/tasks/queue", body=body, headers=headers, waits_s=wait_s)


def bulk(tasks: Sequence[Mapping[str, Any]], idempotency_key: str | None) -> Call:
    body = {"tasks": [dict(task) for task in tasks]}
    return Call("POST", "/api/tasks/bulk", body=body, headers=_key(idempotency_key))


def _key(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": key or uuid.uuid4().hex}


def task(task_id: str) -> Call:
    return Call("GET", _task(task_id))


def result(task_id: str) -> Call:
    return Call("GET", f"{_task(task_id)}/result")


def payload(task_id: str) -> Call:
    return Call("GET", f"{_task(task_id)}/payload")


def explain(task_id: str) -> Call:
    return Call("GET", f"{_task(task_id)}/explain")


def log(task_id: str) -> Call:
    return Call("GET", f"{_task(task_id)}/log")


def cancel(task_id: str) -> Call:
    return Call("DELETE", _task(task_id), headers=_key(None))


def retry(task_id: str) -> Call:
    return Call("POST", f"/api/tasks/retry/{quote(task_id, safe='')}", headers=_key(None))


def cancel_all(filters: Mapping[str, Any]) -> Call:
    return Call("POST", "/api/tasks/cancel", body=dict(filters))


def retry_all(filters: Mapping[str, Any]) -> Call:
    return Call("POST", "/api/tasks/retry", body=dict(filters), repeatable=False)


def pause(batch_id: str) -> Call:
    return Call("POST", f"{_task(batch_id)}/pause")


def resume(batch_id: str) -> Call:
    return Call("POST", f"{_task(batch_id)}/resume")


def schedules() -> Call:
    return Call("GET", "/api/schedules")


def steer_schedule(name: str, wish: str) -> Call:
    return Call("POST", f"/api/schedules/{quote(name, safe='')}/{wish}")


def page(filters: Mapping[str, Any], cursor: str | None) -> Call:
    return Call("GET", "/api/tasks", params={**filters, "cursor": cursor})


def alerts(state: str | None) -> Call:
    return Call("GET", "/api/alerts" + (f"?state={quote(state)}" if state else ""))


def stats(scope: str | None) -> Call:
    return Call("GET", "/api/tasks/stats", params={"scope": scope})


def circuit_breakers() -> Call:
    return Call("GET", "/api/circuit-breakers")


def reports(limit: int) -> Call:
    return Call("GET", "/api/reports", params={"limit": limit})


def report(report_id: str, form: str, lang: str | None) -> Call:
    return Call("GET", f"/api/reports/{quote(report_id, safe='')}.{form}", params={"lang": lang})


def write_report(kind: str, until: str | None) -> Call:
    return Call("POST", "/api/reports", body={"kind": kind, "until": until}, repeatable=False)


def events_of_task(task_id: str) -> str:
    return f"{_task(task_id)}/events"


def events_of_case(case_id: str) -> str:
    return f"/api/v2/triage/stream/{quote(case_id, safe='')}"


def results(batch_id: str) -> str:
    return f"{_task(batch_id)}/results"


def dead_letters(filters: Mapping[str, Any], cursor: str | None) -> Call:
    return Call("GET", "/api/dead-letters", params={**filters, "cursor": cursor})


def dead_letter_groups(filters: Mapping[str, Any]) -> Call:
    return Call("GET", "/api/dead-letters/groups", params=filters)


def replay(task_id: str) -> Call:
    return Call("POST", f"{_dead_letter(task_id)}/replay", headers=_key(None))


def replay_all(filters: Mapping[str, Any]) -> Call:
    return Call("POST", "/api/dead-letters/replay", body=dict(filters), headers=_key(None))


def replay_gradually(filters: Mapping[str, Any], idempotency_key: str | None) -> Call:
    body = {**filters, "gradual": True}
    return Call("POST", "/api/dead-letters/replay", body=body, headers=_key(idempotency_key))


def gradual_replay(replay_id: str) -> Call:
    return Call("GET", f"/api/dead-letters/replays/{quote(replay_id, safe='')}")


def stop_replay(replay_id: str) -> Call:
    return Call("POST", f"/api/dead-letters/replays/{quote(replay_id, safe='')}/stop", repeatable=False)


def discard(task_id: str) -> Call:
    return Call("DELETE", _dead_letter(task_id), repeatable=False)


def _dead_letter(task_id: str) -> str:
    return f"/api/dead-letters/{quote(task_id, safe='')}"


def _task(task_id: str) -> str:
    return f"/api/tasks/{quote(task_id, safe='')}"


# ---------------------------------------------------------------------------------------- cases, documents


def put_case(case_id: str, conversation: Sequence[Mapping[str, str]], metadata: Mapping[str, Any] | None) -> Call:
    body = {"conversation_history": [dict(turn) for turn in conversation], "metadata": dict(metadata or {})}
    return Call("PUT", _case(case_id), body=body)


def get_case(case_id: str) -> Call:
    return Call("GET", _case(case_id))


def delete_case(case_id: str) -> Call:
    return Call("DELETE", _case(case_id))


def similar(case_id: str, limit: int) -> Call:
    return Call("GET", f"{_case(case_id)}/similar", params={"limit": limit})


def _case(case_id: str) -> str:
    return f"/api/cases/{quote(case_id, safe='')}"


def upload(case_id: str, file: File, filename: str | None, media_type: str) -> Call:
    own_name, content = _read(file)
    form = {"data": {"case_id": case_id}, "files": {"file": (filename or own_name, content, media_type)}}
    return Call("POST", "/api/documents", form=form, repeatable=False)


def _read(file: File) -> tuple[str, bytes]:
    """The name and the bytes of what is to be uploaded."""
    if isinstance(file, bytes):
        return "document", file
    if isinstance(file, Path):
        return file.name, file.read_bytes()
    return Path(str(getattr(file, "name", "document"))).name, file.read()
