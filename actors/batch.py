"""Batches: one parent, one child task per case, and one line of NDJSON per case at the end.

The parent runs twice. First it queues its children and lets go of its thread; the ledger counts them as they end
and queues the parent again after the last one; then it collects. Either run may be killed and repeated: children
have the same ids each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from actors.documents import analyze_all
from actors.embeddings import embed_case, keep_vector_of_triaged, result_of, version_of
from actors.toolbox import Toolbox
from actors.triage import conversation_of
from middleware.run import Run
from tasks.blobs import LINES_FILE, result_place
from tasks.errors import CaseGone
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
    TriagePayload,
    TriageResult,
    Turn,
)
from tasks.record import Children, Task, compact_json, error_as_json
from tasks.submission import NewTask, Order, check

T = TypeVar("T")
QUEUED_AT_ONCE = 500
READ_AT_ONCE = 200
IN_LANE = 64
"""Children that stand in the lane at a time; the others are held back and follow as these end."""


def process_cases(run: Run, payload: BatchPayload, tools: Toolbox) -> BatchResult | None:
    """Queue the children and wait, or collect what they came to."""
    cases = _distinct(payload.cases)
    (parent,) = tools.ledger.tasks([run.task_id])
    if parent.children is not None and _all_ended(parent.children, len(cases)) and not parent.requeued:
        return _collect(run, len(cases), parent.children, tools)
    _queue_children(parent, payload, cases, tools)
    if parent.requeued:
        _requeue_unfinished(run, len(cases), tools)
    run.await_children(payload.on_error, payload.max_parallel or IN_LANE)
    return None


def _distinct(cases: Sequence[str | InlineCase]) -> list[str | InlineCase]:
    """The same case once, as it was first given."""
    first = {case if isinstance(case, str) else case.case_id: case for case in reversed(cases)}
    return list(reversed(first.values()))


def _all_ended(children: Children, expected: int) -> bool:
    return children.total == expected and children.pending == 0 and children.running == 0


def _queue_children(parent: Task, payload: BatchPayload, cases: list[str | InlineCase], tools: Toolbox) -> None:
    in_lane = payload.max_parallel or IN_LANE
    orders = (_child(parent, payload, case, number, in_lane) for number, case in enumerate(cases))
    for some in _chunks(orders, QUEUED_AT_ONCE):
        tools.ledger.submit([_checked(order, tools) for order in some])


def _requeue_unfinished(run: Run, total: int, tools: Toolbox) -> None:
    """A batch that is run again does what it has not done: its failed and cancelled cases."""
    ids = [child_id(run.task_id, number) for number in range(total)]
    for some in _chunks(ids, READ_AT_ONCE):
        for child in tools.ledger.tasks(some):
            if child.status in (State.FAILED, State.CANCELLED):
                tools.ledger.requeue(child.task_id)


def _checked(order: Order, tools: Toolbox) -> NewTask:
    return check(order, tools.ledger.catalog)


def _child(parent: Task, payload: BatchPayload, case: str | InlineCase, number: int, in_lane: int) -> Order:
    inline = case if isinstance(case, InlineCase) else None
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
        held=number >= in_lane,
        internal=True,
    )


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while some := list(islice(remaining, size)):
        yield some


# ------------------------------------------------------------------------------------------------ collect


def _collect(run: Run, total: int, children: Children, tools: Toolbox) -> BatchResult:
    tools.blobs.write(result_place(run.tenant, run.task_id, LINES_FILE), _lines(run, total, tools))
    return BatchResult(
        total=total,
        succeeded=children.succeeded,
        failed=children.failed,
        cancelled=children.cancelled,
        results_url=f"/api/tasks/{run.task_id}/results",
    )


def _lines(run: Run, total: int, tools: Toolbox) -> Iterator[bytes]:
    ids = [child_id(run.task_id, number) for number in range(total)]
    for some in _chunks(ids, READ_AT_ONCE):
        for child in tools.ledger.tasks(some):
            yield (compact_json(line_of(child, tools)) + "\n").encode()


def line_of(child: Task, tools: Toolbox) -> dict[str, object]:
    """What one case came to, as a line of the results."""
    result = child.result
    if child.result_place is not None:
        result = BatchCaseResult.model_validate_json(tools.blobs.read(child.result_place)).model_dump(mode="json")
    return {
        "case_id": child.case_id,
        "task_id": child.task_id,
        "status": child.status.value,
        "result": result,
        "error": error_as_json(child.error),
    }


# --------------------------------------------------------------------------------------------- one case


def process_case(run: Run, payload: BatchCasePayload, tools: Toolbox) -> BatchCaseResult:
    """Run the operations on one case, in the order in which they depend on each other. One that finds nothing to
    work on is left out; a case on which none finds anything is gone."""
    work = _CaseWork(run, payload, tools)
    return BatchCaseResult(
        case_id=payload.case_id,
        documents=work.documents(),
        triage=work.triage(),
        embeddings=work.embeddings(),
    )


class _CaseWork:
    def __init__(self, run: Run, payload: BatchCasePayload, tools: Toolbox) -> None:
        self._run, self._payload, self._tools = run, payload, tools
        self._reference = payload.reference_date or tools.today()
        self._version = version_of(run, payload.case_id, tools)
        self._document_ids = self._find_documents()
        self._conversation = self._find_conversation()

    def _find_documents(self) -> tuple[str, ...]:
        if "documents" not in self._payload.operations:
            return ()
        if self._payload.case is not None:
            return self._payload.case.document_ids
        return self._tools.cases.document_ids(self._run.tenant, self._payload.case_id)

    def _find_conversation(self) -> tuple[Turn, ...]:
        """Raises `CaseGone` for a case with neither a conversation nor documents to work on."""
        inline = self._payload.case
        given = TriagePayload(
            case_id=self._payload.case_id,
            conversation_history=inline.conversation_history if inline else None,
            user_message=inline.user_message if inline else None,
        )
        try:
            return conversation_of(self._run, given, self._tools)
        except CaseGone:
            if not self._document_ids:
                raise
            return ()

    def _wanted(self, operation: str) -> bool:
        return operation in self._payload.operations

    def documents(self) -> DocumentsResult | None:
        if not self._document_ids:
            return None
        options = DocumentOptions(reference_date=self._reference)
        return DocumentsResult(
            documents=analyze_all(self._run, self._document_ids, options, self._tools, self._run.report)
        )

    def triage(self) -> TriageResult | None:
        if not self._wanted("triage") or not self._conversation:
            return None
        case_id = self._payload.case_id
        result = self._tools.triage.triage(case_id, self._conversation, self._reference, self._run.report)
        if not self._wanted("embeddings"):
            keep_vector_of_triaged(self._run, case_id, self._version, self._conversation, self._tools)
        return result

    def embeddings(self) -> EmbeddingsResult | None:
        if not self._wanted("embeddings") or not self._conversation:
            return None
        run, case_id, tools = self._run, self._payload.case_id, self._tools
        made = embed_case(run, case_id, self._version, self._conversation, tools, run.report)
        return result_of(made, "base64")
