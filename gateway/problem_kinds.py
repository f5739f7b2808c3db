"""Every kind of problem that a response can tell, with what it means and what to do about it.

The name is the last part of the `type` URI, at which the kind is explained. Clients decide by it, so a name is never
changed or used for something else.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.errors import (
    IdempotencyMismatch,
    IllegalMove,
    InvalidInput,
    NotABatch,
    NotFound,
    NoVector,
    OnHold,
    PayloadErased,
    QueueFull,
    QuotaExceeded,
    RecordChanged,
    ReplayEnded,
    ReplayRefused,
    Unavailable,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: its title stays the same from response to response, `detail` says what is so in each."""

    name: str
    status: int
    title: str
    meaning: str
    remedy: str

    @property
    def uri(self) -> str:
        return f"/problems/{self.name}"


BAD_REQUEST = Kind(
    "bad-request",
    400,
    "The request can't be read",
    "The message is no HTTP, or no multipart form, that the service understands.",
    "Send it as the documentation shows; sending the same again gives the same answer.",
)
UNAUTHORIZED = Kind(
    "unauthorized",
    401,
    "A valid token is needed",
    "The request brought no token, or one that is unknown, has expired or was revoked. Which of these is not told.",
    "Send 'Authorization: Bearer <token>' with a token that holds. In a browser, log in again.",
)
FORBIDDEN = Kind(
    "forbidden",
    403,
    "The token does not allow this",
    "The token holds, but it lacks a scope; or a browser sent the request from a page that is not the service's own.",
    "Use a token with the scope that the detail names.",
)
NOT_FOUND = Kind(
    "not-found",
    404,
    "There is no such thing",
    "Nothing has this path or id. A task, case or document of another tenant is told in the same words, and so is "
    "one that was deleted or is older than what is kept.",
    "Look at the id, and at the tenant that the token belongs to.",
)
METHOD_NOT_ALLOWED = Kind(
    "method-not-allowed",
    405,
    "The resource does not take this method",
    "The path exists, but not for this method.",
    "Use one of the methods in the Allow header.",
)
REQUEST_TIMEOUT = Kind(
    "request-timeout",
    408,
    "The request took too long to arrive",
    "The body came too slowly or not to its end. Nothing was done.",
    "Send it again. A large body has the more time the more of it has come, so a steady slow line is no hindrance.",
)
CONFLICT = Kind(
    "conflict",
    409,
    "The present state does not allow this",
    "The task is in a state from which this can't be done: one that has ended can't be cancelled, one that has not "
    "failed and was not cancelled can't be run again, and one that still runs has no result. Or a gradual replay "
    "can't begin because the same group is being replayed, or can't be stopped because it has ended.",
    "Read the task. Where an answer may have been lost, repeat the request with the Idempotency-Key of the first "
    "one: the first answer comes again.",
)
NO_VECTOR = Kind(
    "no-vector",
    409,
    "The case can't be compared yet",
    "Similar cases are found by the meaning of their conversations, and this case's present one was not read yet.",
    "Run a triage or an embeddings task for the case, and ask again when it has succeeded.",
)
ON_HOLD = Kind(
    "on-hold",
    409,
    "The case is on hold",
    "Somebody with the right to it keeps the case and its documents from being erased. Nothing of it was erased.",
    "GET /api/cases/{case_id}/hold tells why and since when. Where the reason is over, end the hold (DELETE of the "
    "same path, scope ops:write) and erase the case then.",
)
GONE = Kind(
    "gone",
    410,
    "It is not there any more, and won't be",
    "The task has ended without a result, for it failed or was cancelled; or what it was given was erased with its "
    "case.",
    "The record's error says why there is no result. The task can be run again: POST /api/tasks/retry/{task_id}. "
    "What was erased can't be had back.",
)
PRECONDITION_FAILED = Kind(
    "precondition-failed",
    412,
    "The record is not the one that was read",
    "The request came with If-Match, and the record has changed since it had that ETag. Nothing was done.",
    "Read the record, decide anew, and send the request with its present ETag.",
)
TOO_LARGE = Kind(
    "too-large",
    413,
    "The body is too large",
    "A JSON body, or a document, is larger than the service takes. The rest of it was not read.",
    "Stay below the size in the detail. Many tasks can be queued in several bulks, a long text can be uploaded as a "
    "document.",
)
UNSUPPORTED_MEDIA_TYPE = Kind(
    "unsupported-media-type",
    415,
    "The body has the wrong media type",
    "Documents are taken as multipart/form-data only.",
    "Send the fields file and case_id as a form.",
)
RANGE_NOT_SATISFIABLE = Kind(
    "range-not-satisfiable",
    416,
    "The file has no such range",
    "The Range header asks for bytes behind the end of the file.",
    "The Content-Range header says how long the file is.",
)
INVALID_INPUT = Kind(
    "invalid-input",
    422,
    "The request is not valid",
    "A field of the body, a parameter or a header has a value that it can't have, is missing, is given twice, or is "
    "not known here. All of the request was refused: of a bulk, too, nothing was queued.",
    "Each entry of errors names a field and what would be right. With ?validate_only=true a task is checked and not "
    "queued.",
)
IDEMPOTENCY_MISMATCH = Kind(
    "idempotency-mismatch",
    422,
    "The Idempotency-Key was used with another request",
    "Within the last 24 hours the same key came with another body, or for another task.",
    "Make a new key for each new request, and repeat a request with the very body that it had.",
)
RATE_LIMITED = Kind(
    "rate-limited",
    429,
    "Too many requests in a short time",
    "The token, or without a valid one the address, has made as many requests as it may in this minute; logins have "
    "a limit of their own. The request was not looked at.",
    "Send it again after the seconds in the Retry-After header. RateLimit and RateLimit-Policy say with every "
    "response how much is left.",
)
QUOTA_EXCEEDED = Kind(
    "quota-exceeded",
    429,
    "As many of your tasks wait as may",
    "The tenant has as many waiting tasks as its quota allows, or would have with these. Nothing was queued.",
    "Send the request again after the seconds in the Retry-After header, or later: it passes as tasks are done or "
    "cancelled. Whoever runs the service can give the tenant another quota (despacho quotas set).",
)
HEAD_TOO_LARGE = Kind(
    "headers-too-large",
    431,
    "The headers are too large",
    "The request line and the headers together are larger than the service takes.",
    "Stay below the size in the detail.",
)
INTERNAL = Kind(
    "internal",
    500,
    "Something went wrong on our side",
    "A fault of the service. It was logged under the id in the X-Request-ID header.",
    "Tell that id to whoever runs the service. With an Idempotency-Key the request can be repeated safely.",
)
QUEUE_FULL = Kind(
    "queue-full",
    503,
    "Too many tasks are waiting",
    "A lane holds as many waiting tasks as it may (DESPACHO_MAX_WAITING). Nothing was queued.",
    "Send the request again after the seconds in the Retry-After header; it passes as the workers go on.",
)
UNAVAILABLE = Kind(
    "unavailable",
    503,
    "The store can't be reached just now",
    "Redis does not answer, or takes no writes: it starts, or its memory is full; or the bucket of the documents "
    "does not answer. What was not confirmed may have been done or not.",
    "Send the request again after the seconds in the Retry-After header, with the same Idempotency-Key: so nothing "
    "is done twice.",
)

OF_ERRORS: dict[type[Exception], Kind] = {
    InvalidInput: INVALID_INPUT,
    NotFound: NOT_FOUND,
    NoVector: NO_VECTOR,
    OnHold: ON_HOLD,
    PayloadErased: GONE,
    ReplayRefused: CONFLICT,
    ReplayEnded: CONFLICT,
    IllegalMove: CONFLICT,
    NotABatch: CONFLICT,
    IdempotencyMismatch: IDEMPOTENCY_MISMATCH,
    RecordChanged: PRECONDITION_FAILED,
    QuotaExceeded: QUOTA_EXCEEDED,
    QueueFull: QUEUE_FULL,
    Unavailable: UNAVAILABLE,
}
OF_STATUS: dict[int, Kind] = {
    kind.status: kind
    for kind in (
        *(BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, METHOD_NOT_ALLOWED, REQUEST_TIMEOUT, CONFLICT, GONE),
        *(PRECONDITION_FAILED, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, RANGE_NOT_SATISFIABLE, INVALID_INPUT),
        *(RATE_LIMITED, HEAD_TOO_LARGE, INTERNAL, UNAVAILABLE),
    )
}
"""For what the routes and Starlette refuse by its status alone."""

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*OF_STATUS.values(), *OF_ERRORS.values())}
"""All of them by name."""
