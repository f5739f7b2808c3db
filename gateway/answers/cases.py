"""Cases and documents, and the receipt of what was erased."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from gateway.answers import Answer, Count, Result, Time
from tasks.payloads import Turn


class Document(Answer):
    """A stored file. `media_type` and `filename` are what the upload declared."""

    document_id: str
    case_id: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: Count
    media_type: str
    filename: str
    created_at: Time


class LatestResult(Answer):
    """The last result of a kind of task, and the task that it came from; `result` is `null` where it was too large to
    be kept with the case."""

    task_id: str
    at: Time
    result: Result | None


class CaseAnswer(Answer):
    """A case: the conversation, its documents, and the latest result of each kind of task."""

    case_id: str
    conversation_history: list[Turn]
    metadata: dict[str, Any]
    updated_at: Time
    documents: list[Document]
    results: dict[str, LatestResult]


class CasePut(Answer):
    """What is told of a case that was put to who may not see it."""

    case_id: str
    updated_at: Time


class CaseHold(Answer):
    """Why a case is kept, since when and by whom (the id of a token)."""

    reason: str
    by: str
    at: Time


class ErasedCounts(Answer):
    """How much of each kind was erased."""

    tasks: Count
    documents: Count
    conversations: Count
    vectors: Count
    keys: Count


class Signature(Answer):
    """Over the receipt without it; key and value are in hex."""

    algorithm: Literal["Ed25519"]
    public_key: str
    value: str


class ErasureReceipt(Answer):
    """What was erased of a case, and nothing of what it said."""

    case_id: str
    tenant: str
    erased_at: Time
    counts: ErasedCounts
    signature: Signature


class SimilarCase(Answer):
    case_id: str
    score: float = Field(description="Cosine of the two vectors: 1 is the same meaning.")


class SimilarCases(Answer):
    """The nearest of the `count` cases that have a vector of the same model."""

    cases: list[SimilarCase]
    model: str
    count: Count
