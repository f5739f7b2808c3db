"""What goes into a task and what comes out of it: frozen, validated, and the source of every JSON Schema.

Arguments may be given by position or by name; the order of a payload's fields is the order of its positional
arguments.

Of a sequence only the first item that is wrong is told: a body of a megabyte has room for half a million of them.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    model_validator,
)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")


def _as_a_day(value: object) -> object:
    """Left to itself, pydantic takes 20261123 for a second in 1970."""
    if isinstance(value, dt.date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("must be a day such as 2026-11-23")


def _as_a_moment(value: object) -> object:
    if isinstance(value, dt.datetime) or (isinstance(value, str) and _MOMENT.fullmatch(value)):
        return value
    raise ValueError("must be a time such as 2026-11-23T12:00:00Z")


def _in_reach(value: dt.datetime) -> dt.datetime:
    if not 1971 <= value.year <= 2100:
        raise ValueError("must lie between the years 1971 and 2100")
    return value


def _as_a_whole_number(value: object) -> object:
    """JSON has one kind of numbers: 5.0 is 5, but neither true nor "5" is a number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("must be a whole number")


WHOLE = BeforeValidator(_as_a_whole_number)
Day = Annotated[dt.date, Strict(False), BeforeValidator(_as_a_day)]
Moment = Annotated[AwareDatetime, Strict(False), BeforeValidator(_as_a_moment)]
"""RFC 3339, with its offset."""
ReportEnd = Annotated[
    Moment,
    AfterValidator(_in_reach),
    Field(json_schema_extra={"pattern": r"^(197[1-9]|19[89][0-9]|20[0-9]{2}|2100)-"}),
]
"""Where the period of a report may end."""
CaseId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:@~-]{1,128}$")]
DocumentId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]

Area = Literal[
    "trabalhista",
    "consumidor",
    "familia",
    "previdenciario",
    "penal",
    "tributario",
    "civel",
    "imobiliario",
    "saude",
    "bancario",
    "administrativo",
    "empresarial",
    "indefinido",
]
Urgency = Literal["low", "medium", "high", "critical"]
DocumentType = Literal[
    "peticao_inicial",
    "contestacao",
    "sentenca",
    "acordao",
    "decisao_interlocutoria",
    "despacho",
    "mandado_intimacao",
    "certidao",
    "procuracao",
    "contrato",
    "notificacao_extrajudicial",
    "boletim_ocorrencia",
    "nota_fiscal_boleto",
    "holerite",
    "laudo_medico",
    "carta_email",
    "outro",
]
EntityType = Literal[
    "CNJ",
    "CPF",
    "CNPJ",
    "OAB",
    "MONEY",
    "TEMPO",
    "LEGISLACAO",
    "JURISPRUDENCIA",
    "PESSOA",
    "ORGANIZACAO",
    "EMAIL",
    "PHONE",
]
Operation = Literal["triage", "documents", "embeddings"]


class Frozen(BaseModel):
    """Base of all values here: immutable, and a field nobody knows is an error, never silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Turn(Frozen):
    """One message of a conversation. `client` and `user` are the person who asks for help."""

    role: Literal["client", "agent", "user", "assistant"]
    content: str = Field(max_length=100_000)

    @property
    def by_client(self) -> bool:
        return self.role in ("client", "user")


Conversation = Annotated[tuple[Turn, ...], Field(max_length=2_000, fail_fast=True)]


class Entity(Frozen):
    """A piece of text that names something. `start` and `end` are character offsets into the text read;
    `value` is the normalised form (ISO date, decimal amount, bare digits); `valid` is the verdict of a check
    digit, `None` where there is none; `page` counts from 1 and is `None` for texts without pages."""

    type: EntityType
    text: str
    value: str
    page: int | None = None
    start: int
    end: int
    valid: bool | None = None


# ------------------------------------------------------------------------------------------------ triage


class TriagePayload(Frozen):
    """A conversation to be triaged; left out, it is the one that the case holds."""

    case_id: CaseId
    conversation_history: Conversation | None = None
    user_message: Annotated[str, Field(max_length=100_000)] | None = None
    reference_date: Day | None = Field(
        default=None, description="The day on which 'today' is said; by default the present day."
    )


class AreaScore(Frozen):
    area: Area
    score: float


class UrgencyReason(Frozen):
    """Why an urgency was given: the rule's name (C1 to C5, A1 to A5, or `classifier`) and the words it read."""

    rule: str
    evidence: str
    due: dt.date | None = None


class TriageResult(Frozen):
    """What a conversation is about. `secondary_area` is the runner-up where it is close enough to be at stake too."""

    case_id: str
    area: Area
    secondary_area: Area | None = None
    areas: tuple[AreaScore, ...]
    urgency: Urgency
    urgency_reasons: tuple[UrgencyReason, ...]
    summary: str
    entities: tuple[Entity, ...]
    missing_information: tuple[str, ...]
    next_question: str | None
    language: str
    confidence: float = Field(ge=0, le=1)
    engine: str


# --------------------------------------------------------------------------------------------- documents


class DocumentOptions(Frozen):
    """What a caller may switch off or bound; the defaults read everything."""

    ocr: Annotated[bool, Strict()] = True
    max_pages: Annotated[int, Field(ge=1, le=2_000), WHOLE] = 500
    reference_date: Day | None = None


class DocumentsPayload(Frozen):
    case_id: CaseId
    document_ids: Annotated[tuple[DocumentId, ...], Field(min_length=1, max_length=100, fail_fast=True)]
    options: DocumentOptions = DocumentOptions()


class Deadline(Frozen):
    """A term or an event read in a document: what it says, the rule it follows, and the day it falls on."""

    text: str
    rule: str
    due: dt.date | None
    page: int | None = None
    start: int
    end: int


class AnalyzedDocument(Frozen):
    """One document of an analysis. With `error` set, the other fields hold what could still be read."""

    document_id: str
    media_type: str | None = None
    pages: int | None = None
    language: str | None = None
    document_type: DocumentType | None = None
    document_type_score: float | None = None
    summary: str | None = None
    entities: tuple[Entity, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    text_url: str | None = None
    error: str | None = None


class DocumentsResult(Frozen):
    documents: tuple[AnalyzedDocument, ...]


# -------------------------------------------------------------------------------------------- embeddings


class EmbeddingsPayload(Frozen):
    """Exactly one of `texts`, `case_id` and `document_ids` says what is embedded."""

    texts: (
        Annotated[
            tuple[Annotated[str, Field(max_length=100_000)], ...],
            Field(min_length=1, max_length=10_000, fail_fast=True),
        ]
        | None
    ) = None
    case_id: CaseId | None = None
    document_ids: Annotated[tuple[DocumentId, ...], Field(min_length=1, max_length=100, fail_fast=True)] | None = None
    encoding_format: Literal["float", "base64"] = "float"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [s for s in (self.texts, self.case_id, self.document_ids) if s is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of texts, case_id and document_ids")
        return self


Vector = tuple[float, ...] | str


class TextChunk(Frozen):
    """A piece of a long text, from the character `start` up to and without `end`, and its vector."""

    start: int
    end: int
    embedding: Vector


class EmbeddingsResult(Frozen):
    """Vectors of unit length, one per text, as lists of floats or as base64 of little-endian float32.

    A text longer than an engine reads well is cut into chunks, and its vector is the mean of theirs, weighted by
    their length. `chunks` has an entry per text, `null` for one that is a single chunk, and is `null` where all are.
    """

    model: str
    dimensions: int
    count: int
    embeddings: tuple[Vector, ...] | None = None
    chunks: tuple[tuple[TextChunk, ...] | None, ...] | None = None
    embeddings_url: str | None = None


# ------------------------------------------------------------------------------------------------- batch


class InlineCase(Frozen):
    """A case that comes with its conversation instead of being looked up."""

    case_id: CaseId
    conversation_history: Conversation = ()
    user_message: Annotated[str, Field(max_length=100_000)] | None = None
    document_ids: Annotated[tuple[DocumentId, ...], Field(max_length=100, fail_fast=True)] = ()


class BatchPayload(Frozen):
    """Cases by id or with their conversation; one that is given twice is worked on once, as it was given first."""

    cases: Annotated[tuple[CaseId | InlineCase, ...], Field(min_length=1, max_length=10_000, fail_fast=True)]
    operations: Annotated[tuple[Operation, ...], Field(min_length=1, max_length=3, fail_fast=True)] = (
        "triage",
        "documents",
        "embeddings",
    )
    on_error: Literal["continue", "abort"] = Field(
        default="continue", description="`abort`: the first case that fails cancels those that have not begun."
    )
    max_parallel: Annotated[int, Field(ge=1, le=1_000), WHOLE] | None = Field(
        default=None,
        description="How many cases run at a time, over all workers; by default three quarters of their threads.",
    )
    reference_date: Day | None = None

    def texts(self) -> dict[str, str]:
        """What came with the cases themselves, as JSON by their ids; of a case that is given twice, the first."""
        found: dict[str, str] = {}
        for case in self.cases:
            if isinstance(case, InlineCase):
                found.setdefault(case.case_id, case.model_dump_json(exclude_unset=True))
        return found

    def without_texts(self) -> Self:
        """The same, with the ids alone of the cases that came with a conversation."""
        bare = tuple(
            InlineCase(case_id=case.case_id) if isinstance(case, InlineCase) else case for case in self.cases
        )
        return self.model_copy(update={"cases": bare})


class BatchResult(Frozen):
    """How many cases ended how; one that was run again since counts as what it came to last, and not at all while it
    is under way. `results_url` is NDJSON, one line a case, in the order in which they ended; it can be read while the
    batch runs."""

    total: int
    succeeded: int
    failed: int
    cancelled: int
    results_url: str


class BatchCasePayload(Frozen):
    """One case of a batch: the child task that the batch itself queues."""

    case_id: CaseId
    case: InlineCase | None = None
    operations: tuple[Operation, ...]
    reference_date: Day | None = None


class OperationError(Frozen):
    """What went wrong in one operation on a case: a document that can't be read has one of its own."""

    operation: Operation
    type: str
    message: str


class BatchCaseResult(Frozen):
    """What one case of a batch came to; an operation that had nothing to work on, or failed, is `None`."""

    case_id: str
    triage: TriageResult | None = None
    documents: DocumentsResult | None = None
    embeddings: EmbeddingsResult | None = None
    errors: tuple[OperationError, ...] = ()


# ----------------------------------------------------------------------------------------------- reports


class ReportPayload(Frozen):
    kind: Literal["daily", "weekly"] = "daily"
    until: ReportEnd | None = Field(
        default=None, description="End of the period, in the years 1971 to 2100; by default now."
    )


class ReportResult(Frozen):
    report_id: str


class UpkeepPayload(Frozen):
    """The sweep takes no arguments."""


class UpkeepResult(Frozen):
    """How many records were forgotten because their time was over, and how many things were found astray and put
    right."""

    expired: int
    mended: int = 0


class ReplayPayload(Frozen):
    """Which gradual replay of dead letters is to go on."""

    replay_id: str = Field(max_length=64)


class ReplayResult(Frozen):
    """The state in which it ended; `gone` where it is not kept any more."""

    replay_id: str
    state: str


class BackupPayload(Frozen):
    """A nightly backup takes no arguments: where to and for how long is set."""


class BackupResult(Frozen):
    """What a backup is called, and how many entries and bytes it has; nothing where no folder is set."""

    name: str | None = None
    entries: int = 0
    bytes: int = 0


class WebhookPayload(Frozen):
    """The end of a task that is to be told, as the script that ended it wrote it down; what else the receiver is told
    is read from the task's record."""

    task_id: str
    tenant: str
    status: Literal["succeeded", "failed", "cancelled"]
    attempt: int
    at: int = Field(description="When the task ended, in ms since 1970.")
    url: str


class WebhookResult(Frozen):
    """How a delivery ended well; `forgotten` where nothing was sent, because the task is not kept any more."""

    outcome: Literal["delivered", "forgotten"]
    http_status: int | None = None


class AlertsPayload(Frozen):
    """The evaluation of alerts takes no arguments."""


class AlertsResult(Frozen):
    """Whether this task was the one to evaluate, and how many alerts fired or were resolved."""

    evaluated: bool
    changed: int


class NoticeField(Frozen):
    title: str = Field(max_length=100)
    value: str = Field(max_length=2_000)


class NoticeAttachment(Frozen):
    """A report that goes with a notice, in one of its forms."""

    report_id: str = Field(max_length=64)
    form: Literal["html", "json", "csv"] = "html"
    filename: str = Field(default="", max_length=100, pattern=r"^[A-Za-z0-9._-]*$")


class NoticePayload(Frozen):
    """A notice to the people who run the service, in one way. `html` and `attachments` are for e-mail alone."""

    way: Literal["email", "webhook"]
    subject: str = Field(min_length=1, max_length=200)
    text: str = Field(max_length=100_000)
    html: str = Field(default="", max_length=1_000_000)
    fields: tuple[NoticeField, ...] = Field(default=(), max_length=50)
    attachments: tuple[NoticeAttachment, ...] = Field(default=(), max_length=10)
    color: str = Field(default="", pattern=r"^(#[0-9a-f]{6})?$")
    to: tuple[str, ...] = Field(
        default=(), max_length=50, description="The addresses; those that are set for notices by default."
    )


class NoticeResult(Frozen):
    """`refused` addresses were not taken while others were."""

    outcome: Literal["sent"]
    refused: int = 0
