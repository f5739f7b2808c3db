"""Batches: one parent, and one child task per case.

The parent runs twice. First it queues its children, which are held back until all of them are in, and lets go of its
thread; the ledger draws them one after the other, counts them as they end, and queues the parent again after the last
one; then it says what they came to. Either run may be killed and repeated: children have the same ids each time.

The results are not collected: the gateway reads them from the children, as they end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from time import monotonic, sleep
from typing import TypeVar, get_args

from dramatiq.middleware import TimeLimitExceeded
from pydantic import BaseModel, ValidationError

from actors.declare import keep_result
from actors.documents import analyze_all, part
from actors.embeddings import embed_case, keep_vector_of_triaged, result_of, version_of
from actors.engines import Report
from actors.toolbox import Toolbox
from actors.triage import conversation_of
from middleware.retries import describe, verdict
from middleware.run import Retrying, Run
from tasks.errors import CaseGone, CaseRekeyed, IllegalMove, NotFound
from tasks.ids import child_id
from tasks.lifecycle import State
from tasks.payloads import (
    BatchCasePayload,
    BatchCaseResult,
    BatchPayload,
    BatchResult,
    DocumentOptions,
    DocumentsResult,
    EmbeddingsResult,
    InlineCase,
    Operation,
    OperationError,
    TriagePayload,
    TriageResult,
    Turn,
)
from tasks.record import Children, Task
from tasks.sealed_tasks import open_part
from tasks.sealing import SealBroken
from tasks.submission import NewTask, Order, check

T = TypeVar("T")
QUEUED_AT_ONCE = 100
"""Nobody else is served while a script runs: this one takes a few ms."""
READ_AT_ONCE = 200
STOPPED_WITHIN_S = 5.0
LOOKS_EVERY_S = 0.05


def process_cases(run: Run, payload: BatchPayload, tools: Toolbox) -> BatchResult | None:
    """Queue the children and wait, or say what they came to."""
    cases = _distinct(payload.cases)
    (parent,) = tools.ledger.tasks([run.task_id])
    if parent.children is not None and _all_ended(parent.children, len(cases)) and not parent.requeued:
        return _result(run, parent.children)
    _queue_children(run, parent, payload, cases, tools)
    if parent.requeued:
        _requeue_unfinished(run, len(cases), tools)
    run.await_children(payload.on_error, payload.max_parallel)
    return None


def _distinct(cases: Sequence[str | InlineCase]) -> list[str | InlineCase]:
    """The same case once, as and where it was first given."""
    first: dict[str, str | InlineCase] = {}
    for case in cases:
        first.setdefault(case if isinstance(case, str) else case.case_id, case)
    return list(first.values())


def _all_ended(children: Children, expected: int) -> bool:
    return children.total >= expected and children.pending == 0 and children.running == 0


def _result(run: Run, children: Children) -> BatchResult:
    return BatchResult(
        total=children.total,
        succeeded=children.succeeded,
        failed=children.failed,
        cancelled=children.cancelled,
        results_url=f"/api/tasks/{run.task_id}/results",
    )


def _queue_children(
    run: Run, parent: Task, payload: BatchPayload, cases: list[str | InlineCase], tools: Toolbox
) -> None:
    for some in _chunks(enumerate(cases), QUEUED_AT_ONCE):
        _queue_some(run, parent, payload, some, tools)


def _queue_some(
    run: Run, parent: Task, payload: BatchPayload, cases: Sequence[tuple[int, str | InlineCase]], tools: Toolbox
) -> None:
    """A case that is erased between being read and being queued is queued without what was told of it."""
    while True:
        told = _Told(run, [case.case_id for _, case in cases if isinstance(case, InlineCase)], tools)
        orders = (_child(parent, payload, case, number, told) for number, case in cases)
        try:
            tools.ledger.submit([_checked(order, tools) for order in orders])
        except CaseRekeyed:
            continue
        return


class _Told:
    """What came with the cases of a batch, each under its own case's key: nothing of one that was erased since."""

    def __init__(self, run: Run, case_ids: Sequence[str], tools: Toolbox) -> None:
        self._run = run
        self._ring = tools.ledger.ring
        tools.ledger.case_keys.ask([(run.tenant, case_id) for case_id in case_ids])

    def of(self, case: str | InlineCase) -> tuple[InlineCase | None, bytes]:
        """The case as it was given, and the id of the key that its text was read under."""
        if isinstance(case, str):
            return None, b""
        if case.case_id not in self._run.started.parts:
            # As an older release queued it.
            return case, b""
        known = self._ring.known((self._run.tenant, case.case_id))
        if known is None:
            return None, b""
        part = self._run.started.parts[case.case_id]
        try:
            text = open_part(part, known.data, self._run.tenant, case.case_id, self._run.task_id)
        except SealBroken:
            return None, b""
        return InlineCase.model_validate_json(text), known.data.key_id


def _requeue_unfinished(run: Run, total: int, tools: Toolbox) -> None:
    """A batch that is run again does what it has not done: its failed and cancelled cases, also those that are still
    being stopped."""
    ids = [child_id(run.task_id, number) for number in range(total)]
    deadline = monotonic() + STOPPED_WITHIN_S
    while True:
        ids = [task_id for some in _chunks(ids, READ_AT_ONCE) for task_id in _requeue_ended(some, tools)]
        if not ids or monotonic() > deadline:
            return
        run.report(0, "Esperando os casos que ainda param")
        sleep(LOOKS_EVERY_S)


def _requeue_ended(task_ids: Sequence[str], tools: Toolbox) -> Iterator[str]:
    """Yields those that are still being stopped."""
    for child in tools.ledger.tasks(task_ids):
        if child.status is State.RUNNING and child.cancel_requested:
            yield child.task_id
        if child.status in (State.FAILED, State.CANCELLED):
            # Somebody may have run it again by itself, or forgotten it, a moment ago.
            with suppress(IllegalMove, NotFound):
                tools.ledger.requeue(child.task_id, held=True)


def _checked(order: Order, tools: Toolbox) -> NewTask:
    return check(order, tools.ledger.catalog)


def _child(parent: Task, payload: BatchPayload, case: str | InlineCase, number: int, told: _Told) -> Order:
    inline, read_under = told.of(case)
    child = BatchCasePayload(
        case_id=case if isinstance(case, str) else case.case_id,
        case=inline,
        operations=payload.operations,
        reference_date=payload.reference_date,
    )
    return Order(
        task_name="batch.process_case",
        kwargs=child.model_dump(mode="json"),
        priority=parent.priority,
        queue=parent.queue,
        retry_config={
            name: getattr(parent.options, name) for name in ("max_retries", "min_backoff_s", "max_backoff_s")
        },
        metadata=parent.metadata,
        tenant=parent.tenant,
        task_id=child_id(parent.task_id, number),
        parent_id=parent.task_id,
        held=True,
        internal=True,
        read_under=read_under,
    )


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while some := list(islice(remaining, size)):
        yield some


# --------------------------------------------------------------------------------------------- one case

ORDER: tuple[Operation, ...] = ("documents", "triage", "embeddings")
"""Documents first, for their texts are kept for whatever comes after; embeddings last. None reads what another found:
a triage labels the conversation, as its guideline says, so each fails alone."""
assert set(ORDER) == set(get_args(Operation))


def process_case(run: Run, payload: BatchCasePayload, tools: Toolbox) -> BatchCaseResult:
    """Run the operations on one case. One that finds nothing to work on is left out; a case on which none finds
    anything is gone.

    An operation that fails costs the others nothing. While its failure may pass by itself, the case is tried again,
    with what is left to do; then the case fails, and keeps what the others achieved. Raises the failure that decides.
    """
    work = _CaseWork(run, payload, tools)
    failures = _do_all(work, [operation for operation in ORDER if operation in payload.operations], run.report)
    result = work.result(failures)
    if failures:
        keep_result(run, result, tools)
        raise _decisive(run, list(failures.values()))
    return result


def _do_all(work: _CaseWork, wanted: Sequence[Operation], report: Report) -> dict[Operation, BaseException]:
    share, failures = 100 / len(wanted), dict[Operation, BaseException]()
    for number, operation in enumerate(wanted):
        try:
            work.do(operation, part(report, number * share, share))
        except Exception as failure:  # noqa: BLE001 (the one that decides is raised by the caller)
            failures[operation] = failure
        except TimeLimitExceeded as limit:
            # The time was for all of them.
            failures[operation] = limit
            break
    return failures


def _decisive(run: Run, failures: Sequence[BaseException]) -> BaseException:
    """The first failure that may pass by itself; where none may, the first."""
    return next((f for f in failures if isinstance(verdict(run.started, f), Retrying)), failures[0])


class _CaseWork:
    """The operations on one case, and what they have found so far."""

    def __init__(self, run: Run, payload: BatchCasePayload, tools: Toolbox) -> None:
        self._run, self._payload, self._tools = run, payload, tools
        self._reference = payload.reference_date or tools.today()
        self._version = version_of(run, payload.case_id, tools)
        self._document_ids = self._find_documents()
        self._conversation = self._find_conversation()
        self._found = self._found_before()

    def _find_documents(self) -> tuple[str, ...]:
        if "documents" not in self._payload.operations:
            return ()
        if self._payload.case is not None:
            return self._payload.case.document_ids
        return self._tools.cases.document_ids(self._run.tenant, self._payload.case_id)

    def _find_conversation(self) -> tuple[Turn, ...]:
        inline = self._payload.case
        given = TriagePayload(
            case_id=self._payload.case_id,
            conversation_history=inline.conversation_history if inline else None,
            user_message=inline.user_message if inline else None,
        )
        with suppress(CaseGone):
            return conversation_of(self._run, given, self._tools)
        return ()

    def _found_before(self) -> BatchCaseResult:
        """What an earlier run left, also one that waits for a breaker and used up no attempt; nothing where it left
        nothing, or what this release can't read."""
        nothing = BatchCaseResult(case_id=self._payload.case_id)
        if self._run.number <= 1:
            return nothing
        (record,) = self._tools.ledger.tasks([self._run.task_id])
        with suppress(ValidationError, FileNotFoundError, SealBroken):
            if record.result_place is not None:
                place = record.result_place
                sealed = self._tools.blobs.chunks(place)
                return BatchCaseResult.model_validate_json(b"".join(self._run.seal.open_file(sealed, place)))
            return BatchCaseResult.model_validate(record.result)
        return nothing

    def do(self, operation: Operation, report: Report) -> None:
        """Raises `CaseGone` for a case with neither a conversation nor documents to work on, and what an engine
        raises."""
        if getattr(self._found, operation) is not None:
            return
        if not self._conversation and not self._document_ids:
            raise CaseGone("the case has no conversation and no documents that were to be read")
        does: dict[Operation, Callable[[Report], BaseModel | None]] = {
            "documents": self._documents,
            "triage": self._triage,
            "embeddings": self._embeddings,
        }
        self._found = self._found.model_copy(update={operation: does[operation](report)})

    def result(self, failures: Mapping[Operation, BaseException]) -> BatchCaseResult:
        """What was found, and what went wrong."""
        failed = (self._error(operation, failure) for operation, failure in failures.items())
        return self._found.model_copy(update={"errors": (*failed, *self._unreadable())})

    def _error(self, operation: Operation, failure: BaseException) -> OperationError:
        told = describe(failure, self._run.started, retryable=False)
        return OperationError(operation=operation, type=told["type"], message=told["message"])

    def _unreadable(self) -> Iterator[OperationError]:
        """A document that can't be read costs only itself, and is told with the case."""
        for document in self._found.documents.documents if self._found.documents else ():
            if document.error is not None:
                kind = "DocumentGone" if document.error.startswith("gone") else "DocumentUnreadable"
                message = f"document {document.document_id}: {document.error}"
                yield OperationError(operation="documents", type=kind, message=message)

    def _documents(self, report: Report) -> DocumentsResult | None:
        if not self._document_ids:
            return None
        options = DocumentOptions(reference_date=self._reference)
        return DocumentsResult(documents=analyze_all(self._run, self._document_ids, options, self._tools, report))

    def _triage(self, report: Report) -> TriageResult | None:
        if not self._conversation:
            return None
        case_id = self._payload.case_id
        result = self._tools.triage.triage(case_id, self._conversation, self._reference, report)
        if "embeddings" not in self._payload.operations:
            keep_vector_of_triaged(self._run, case_id, self._version, self._conversation, self._tools)
        return result

    def _embeddings(self, report: Report) -> EmbeddingsResult | None:
        if not self._conversation:
            return None
        case_id, tools = self._payload.case_id, self._tools
        made = embed_case(self._run, case_id, self._version, self._conversation, tools, report)
        return result_of(made, "base64")
