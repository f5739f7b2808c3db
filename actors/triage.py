"""Triage: what a client's conversation is about, how urgent it is, and what is missing."""

from __future__ import annotations

from actors.embeddings import keep_vector_of_triaged, version_of
from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.errors import CaseGone
from tasks.payloads import TriagePayload, TriageResult, Turn


def process(run: Run, payload: TriagePayload, tools: Toolbox) -> TriageResult:
    """Triage the conversation that the task brings, or the one that its case holds. Raises `CaseGone`."""
    version = version_of(run, payload.case_id, tools)
    conversation = conversation_of(run, payload, tools)
    reference = payload.reference_date or tools.today()
    result = tools.triage.triage(payload.case_id, conversation, reference, run.report)
    keep_vector_of_triaged(run, payload.case_id, version, conversation, tools)
    return result


def conversation_of(run: Run, payload: TriagePayload, tools: Toolbox) -> tuple[Turn, ...]:
    """The history, oldest first, and the message that came with the task as its last."""
    history = payload.conversation_history
    if history is None:
        case = tools.cases.case(run.tenant, payload.case_id)
        history = case.conversation if case else ()
    last = (Turn(role="client", content=payload.user_message),) if payload.user_message is not None else ()
    if not history and not last:
        raise CaseGone("the case has no conversation")
    return history + last
