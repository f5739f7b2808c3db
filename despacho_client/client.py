"""The synchronous client; `async_client.py` says the same in its way, and a test holds the two together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, NoReturn, Self, TypeVar, cast

import httpx

from despacho_client import calls
from despacho_client.calls import AGAIN, Call, File, Patience
from despacho_client.errors import StillRunning, Unreachable
from despacho_client.streams import Events, Lines, Resumable
from despacho_client.values import (
    FINAL,
    Accepted,
    BatchLine,
    Case,
    DeadLetter,
    DeadLetterGroup,
    Document,
    Event,
    Operation,
    Receipt,
    Schedule,
    Similar,
    Task,
)

T = TypeVar("T")
Fault = httpx.Response | httpx.TransportError


class Client:
    """Calls a Despacho at `base_url` with a token (an API key or a JWT). Use it as a context manager, or `close` it.

    `retries`: how often in a row a call is made again that was cut off, or told to come back later. Every method
    raises `Problem` for a refusal and `Unreachable` where the service doesn't answer; `options` go to httpx's client.
    """

    def __init__(
        self, base_url: str, token: str, *, timeout_s: float = 30.0, retries: int = 8, **options: Any
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=base_url, headers=headers, **options)
        self._timeout_s = timeout_s
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # ------------------------------------------------------------------------------------------------ tasks

    def submit(
        self,
        task_name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Accepted:
        """Queue a task. Repeats of it, also in the client itself, queue nothing twice: it carries a new
        Idempotency-Key, or the one that is given. `options`: `priority`, `countdown`, `eta`, `metadata` and so on."""
        call = calls.submit(task_name, args, kwargs, 0, idempotency_key, options)
        return cast(Accepted, self._json(call))

    def run(
        self,
        task_name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout_s: float = 300.0,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Task:
        """Queue a task and wait for its end. Raises `StillRunning` after `timeout_s`; the task goes on."""
        until = time.monotonic() + timeout_s
        wait_s = max(1, min(int(timeout_s), calls.LONGEST_WAIT_S))
        told = self._json(calls.submit(task_name, args, kwargs, wait_s, idempotency_key, options))
        if "finished_at" in told:
            return cast(Task, told)
        return self.wait(told["task_id"], timeout_s=max(0.0, until - time.monotonic()))

    def bulk(self, tasks: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None) -> list[str]:
        """Queue up to 1,000 tasks, all or none; the ids in their order."""
        told = self._json(calls.bulk(tasks, idempotency_key))
        return cast(list[str], told["task_ids"])

    def task(self, task_id: str) -> Task:
        return cast(Task, self._json(calls.task(task_id)))

    def result(self, task_id: str) -> Any:
        """The bare result, also a large one."""
        return self._json(calls.result(task_id))

    def payload(self, task_id: str) -> dict[str, Any]:
        """The arguments that the task was given, by their names; needs `tasks:payload`."""
        return cast(dict[str, Any], (self._json(calls.payload(task_id)))["kwargs"])

    def explain(self, task_id: str) -> dict[str, Any]:
        """Why the task isn't running."""
        return cast(dict[str, Any], self._json(calls.explain(task_id)))

    def log(self, task_id: str) -> dict[str, Any]:
        """What the task went through, as `events`, and what its actor logged, as `lines` (needs `tasks:payload`)."""
        return cast(dict[str, Any], self._json(calls.log(task_id)))

    def tasks(self, **filters: Any) -> Iterator[Task]:
        """All tasks that `filters` accept (`status`, `task_name`, `queue`, `case_id`, ...), newest first, page by
        page as they are taken."""
        cursor, is_more = None, True
        while is_more:
            page = self._json(calls.page(filters, cursor))
            for task in page["tasks"]:
                yield cast(Task, task)
            cursor = page["next_cursor"]
            is_more = cursor is not None

    def cancel(self, task_id: str) -> Task:
        return cast(Task, self._json(calls.cancel(task_id)))

    def retry(self, task_id: str) -> Accepted:
        """Run a task again that failed or was cancelled."""
        return cast(Accepted, self._json(calls.retry(task_id)))

    def cancel_all(self, **filters: Any) -> int:
        """Cancel all tasks that `filters` mean (`status`, a list; `task_name`, `queue`, `case_id`, ...); at least one
        is to be given. Returns how many were, or run and were told to stop."""
        told = self._json(calls.cancel_all(filters))
        return cast(int, told["cancelled"])

    def retry_all(self, **filters: Any) -> int:
        """Run all tasks again that `filters` mean and that failed or were cancelled; returns how many. It is not sent
        again where it may have come: what failed anew meanwhile would run once more."""
        told = self._json(calls.retry_all(filters))
        return cast(int, told["retried"])

    def dead_letters(self, **filters: Any) -> Iterator[DeadLetter]:
        """What failed for good in all tenants, newest first (`queue`, `task_name`, `error_type`, `fingerprint`, ...);
        needs `ops:read`."""
        cursor, is_more = None, True
        while is_more:
            page = self._json(calls.dead_letters(filters, cursor))
            for letter in page["dead_letters"]:
                yield cast(DeadLetter, letter)
            cursor = page["next_cursor"]
            is_more = cursor is not None

    def dead_letter_groups(self, **filters: Any) -> list[DeadLetterGroup]:
        """The same by fingerprint, the largest group first."""
        groups = self._json(calls.dead_letter_groups(filters))
        return cast(list[DeadLetterGroup], groups["groups"])

    def replay(self, task_id: str) -> Accepted:
        """Run a dead letter of any tenant again; needs `ops:write`."""
        return cast(Accepted, self._json(calls.replay(task_id)))

    def replay_all(self, **filters: Any) -> int:
        """Run all dead letters again that fit; returns how many."""
        return cast(int, (self._json(calls.replay_all(filters)))["replayed"])

    def replay_gradually(self, *, idempotency_key: str | None = None, **filters: Any) -> dict[str, Any]:
        """Run those that fit again, one, then a tenth, then all, until their fault comes back; how it stands is told
        by `gradual_replay`."""
        return cast(dict[str, Any], self._json(calls.replay_gradually(filters, idempotency_key)))

    def gradual_replay(self, replay_id: str) -> dict[str, Any]:
        """How it stands: `running`, `done` or `stopped`, with the counts of each step."""
        return cast(dict[str, Any], self._json(calls.gradual_replay(replay_id)))

    def stop_replay(self, replay_id: str) -> dict[str, Any]:
        """Replay no more of it."""
        return cast(dict[str, Any], self._json(calls.stop_replay(replay_id)))

    def discard(self, task_id: str) -> None:
        """Forget a dead letter for good."""
        self._send(calls.discard(task_id))

    def stats(self, *, scope: str | None = None) -> dict[str, Any]:
        return cast(dict[str, Any], self._json(calls.stats(scope)))

    def alerts(self, state: str | None = None) -> list[dict[str, Any]]:
        """The alerts, those that fire first; only those that are `pending`, `firing` or `resolved` with `state`."""
        told = self._json(calls.alerts(state))
        return cast(list[dict[str, Any]], told["alerts"])

    def circuit_breakers(self) -> list[dict[str, Any]]:
        answer = self._json(calls.circuit_breakers())
        return cast(list[dict[str, Any]], answer["breakers"])

    def reports(self, limit: int = 100) -> list[dict[str, Any]]:
        """The reports that are kept, newest first: what each is of, and where it is read."""
        return cast(list[dict[str, Any]], (self._json(calls.reports(limit)))["reports"])

    def report(self, report_id: str) -> dict[str, Any]:
        """The data of a report."""
        return cast(dict[str, Any], self._json(calls.report(report_id, "json", None)))

    def report_page(self, report_id: str, lang: Literal["pt", "en"] | None = None) -> str:
        """A report as a page of its own, in HTML."""
        return (self._send(calls.report(report_id, "html", lang))).text

    def report_table(self, report_id: str) -> str:
        """A report as CSV."""
        return (self._send(calls.report(report_id, "csv", None))).text

    def write_report(self, kind: Literal["daily", "weekly"] = "daily", until: str | None = None) -> Accepted:
        """Have a report written of the day or week that ends now, or at `until` (RFC 3339); it has the task's id."""
        return cast(Accepted, self._json(calls.write_report(kind, until)))

    def wait(self, task_id: str, *, timeout_s: float = 300.0) -> Task:
        """The record as soon as the task has ended. Raises `StillRunning` after `timeout_s`, or up to 15 s later
        where the service was silent; the task goes on."""
        until = time.monotonic() + timeout_s
        for _ in self._follow(Events(calls.events_of_task(task_id), ""), until):
            if time.monotonic() >= until:
                break
        found = self.task(task_id)
        if found["status"] not in FINAL:
            raise StillRunning(task_id, timeout_s)
        return found

    # ---------------------------------------------------------------------------------------------- streams

    def watch(self, task_id: str, *, last_event_id: str = "") -> Iterator[Event]:
        """What happens to a task, from its first event (or behind `last_event_id`) to its end, each once, over cuts
        of the connection."""
        return self._follow(Events(calls.events_of_task(task_id), last_event_id))

    def watch_case(self, case_id: str, *, last_event_id: str = "") -> Iterator[Event]:
        """What happens to all tasks of a case; it doesn't end by itself."""
        return self._follow(Events(calls.events_of_case(case_id), last_event_id))

    def batch(
        self,
        cases: Sequence[str | Mapping[str, Any]],
        operations: Sequence[Operation] = ("triage", "documents", "embeddings"),
        *,
        arguments: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Accepted:
        """Queue operations over many cases, by id or with their conversation. `arguments`: `on_error`,
        `max_parallel`, `reference_date`."""
        kwargs = {"cases": list(cases), "operations": list(operations), **(arguments or {})}
        return self.submit(calls.BATCH, (), kwargs, idempotency_key=idempotency_key, **options)

    def pause_batch(self, batch_id: str) -> Task:
        """Let the cases that run end, and begin no other; once or more often, it is the same."""
        return cast(Task, self._json(calls.pause(batch_id)))

    def resume_batch(self, batch_id: str) -> Task:
        """Let a paused batch go on."""
        return cast(Task, self._json(calls.resume(batch_id)))

    def schedules(self) -> list[Schedule]:
        """What the service does by itself, and when."""
        return cast(list[Schedule], (self._json(calls.schedules()))["schedules"])

    def run_schedule(self, name: str) -> Accepted:
        """Run a schedule now, beside its slots."""
        return cast(Accepted, self._json(calls.steer_schedule(name, "run")))

    def pause_schedule(self, name: str) -> Schedule:
        """Let its slots pass until it is resumed."""
        return cast(Schedule, self._json(calls.steer_schedule(name, "pause")))

    def resume_schedule(self, name: str) -> Schedule:
        """Let it come again, from its next slot on."""
        return cast(Schedule, self._json(calls.steer_schedule(name, "resume")))

    def results(self, batch_id: str, *, after: int = 0) -> Iterator[BatchLine]:
        """The cases of a batch as they end, each once, over cuts of the connection, until all have ended."""
        return self._follow(Lines(calls.results(batch_id), after))

    def _follow(self, stream: Resumable[T], until: float | None = None) -> Iterator[T]:
        """What a stream tells, taken up again after each cut while there is patience. With `until`, a time on the
        monotonic clock, it is cut then."""
        patience = Patience(self._retries)
        while not stream.is_over and not _is_past(until):
            fault: Fault | None = None
            try:
                with self._open(stream, until) as response:
                    fault = self._refusal(response)
                    for chunk in response.iter_bytes():
                        for item in stream.take(chunk):
                            patience.progress()
                            yield item
                        if stream.is_over or _is_past(until):
                            return
                    if fault is None and response.status_code == httpx.codes.NO_CONTENT:
                        return
                    if fault is None:
                        stream.end()
            except httpx.TransportError as error:
                fault = error
            if not stream.is_over and not _is_past(until):
                self._pause(patience, fault)

    def _open(self, stream: Resumable[T], until: float | None) -> Any:
        silent_s = calls.SILENT_AT_MOST_S
        if until is not None:
            silent_s = min(silent_s, max(0.01, until - time.monotonic()))
        timeout = httpx.Timeout(self._timeout_s, read=silent_s)
        params, headers = stream.begin()
        return self._http.stream("GET", stream.path, params=params, headers=headers, timeout=timeout)

    @staticmethod
    def _refusal(response: httpx.Response) -> httpx.Response | None:
        """The response, where it says that another try may help. Raises `Problem` for other refusals."""
        if not response.is_error:
            return None
        response.read()
        return response if response.status_code in AGAIN else calls.checked(response)

    # ------------------------------------------------------------------------------------ cases, documents

    def put_case(
        self, case_id: str, conversation: Sequence[Mapping[str, str]], metadata: Mapping[str, Any] | None = None
    ) -> Case:
        """Put the whole conversation of a case: turns with `role` and `content`."""
        return cast(Case, self._json(calls.put_case(case_id, conversation, metadata)))

    def get_case(self, case_id: str) -> Case:
        return cast(Case, self._json(calls.get_case(case_id)))

    def delete_case(self, case_id: str) -> Receipt:
        """Erase a case and all that belongs to it. The signed receipt says what was erased."""
        return cast(Receipt, self._json(calls.delete_case(case_id)))

    def similar(self, case_id: str, limit: int = 10) -> Similar:
        """The cases nearest in meaning."""
        return cast(Similar, self._json(calls.similar(case_id, limit)))

    def upload(
        self,
        case_id: str,
        file: File,
        *,
        filename: str | None = None,
        media_type: str = "application/octet-stream",
    ) -> Document:
        """Store a document of a case: a path, bytes, or an open file, which is read whole. It is not sent again where
        it may have come: that would make a second document of the same bytes."""
        return cast(Document, self._json(calls.upload(case_id, file, filename, media_type)))

    # ---------------------------------------------------------------------------------------------- sending

    def _json(self, call: Call) -> Any:
        return self._send(call).json()

    def _send(self, call: Call) -> httpx.Response:
        """The answer to a call, made again where that is safe and helps."""
        patience = Patience(self._retries)
        while True:
            answer = self._try(call)
            if isinstance(answer, httpx.Response) and answer.status_code not in AGAIN:
                return calls.checked(answer)
            if not calls.may_be_sent_again(call, answer):
                _give_up(answer)
            self._pause(patience, answer)

    def _try(self, call: Call) -> Fault:
        try:
            return self._http.request(call.method, call.path, **call.options(self._timeout_s))
        except httpx.TransportError as error:
            return error

    @staticmethod
    def _pause(patience: Patience, fault: Fault | None) -> None:
        pause_s = patience.pause_s(fault)
        if pause_s is None:
            _give_up(fault)
        time.sleep(pause_s)


def _give_up(fault: Fault | None) -> NoReturn:
    """Raise what the fault is to the caller."""
    if isinstance(fault, httpx.Response):
        calls.checked(fault)
    cause = fault if isinstance(fault, httpx.TransportError) else None
    raise Unreachable("the service could not be reached, or cut the connection each time") from cause


def _is_past(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until
