"""The whole tree of errors, in one place: each class says what is true when it is raised.

HTTP status codes are given to them at the edge (`gateway/problems.py`), nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass


class DespachoError(Exception):
    """Base of every error that Despacho raises on purpose. Its text never holds a client's words."""


class SettingsError(DespachoError):
    """A setting is missing or wrong; the text names the variable and the remedy, on one line."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with an input: the path of the field and what would be right."""

    field: str
    message: str


MOST_LISTED = 500
"""A longer list of faults helps nobody, and takes longer to write than the input to read."""


class InvalidInput(DespachoError):
    """The caller's input is wrong and nothing was changed."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{e.field}: {e.message}" for e in errors))
        self.errors = errors

    @classmethod
    def of(cls, field: str, message: str) -> InvalidInput:
        return cls([FieldError(field, message)])

    @classmethod
    def too_much(cls, field: str, count: int) -> InvalidInput:
        """Of an input with more faults than are listed."""
        return cls.of(field, f"has {count} faults, too many to list: mend what they have in common, or send less")


class NotFound(DespachoError):
    """There is no such thing for this tenant, whether or not another tenant has it."""


class NoVector(DespachoError):
    """The case is there, but nothing that tells its meaning has been kept yet."""


class OnHold(DespachoError):
    """A hold keeps the case; nothing of it was erased."""


class IllegalMove(DespachoError):
    """The task is in a state from which this move is not allowed."""

    def __init__(self, move: str, status: str) -> None:
        super().__init__(f"a task that is {status} can't {move}")
        self.move = move
        self.status = status


class NotABatch(DespachoError):
    """What only a batch can do was asked of another task; nothing was done."""

    def __init__(self, wish: str, task_name: str) -> None:
        super().__init__(f"only a batch can be {wish}d by itself, and this is a {task_name}; pause its queue instead")


class IdempotencyMismatch(DespachoError):
    """The Idempotency-Key was used before, with another request."""

    def __init__(self) -> None:
        super().__init__("the Idempotency-Key was used with another request; take a new key for a new request")


class RecordChanged(DespachoError):
    """The record is another one than the caller has seen; nothing was done."""

    def __init__(self) -> None:
        super().__init__("the task has changed since it was read")


class ReplayRefused(DespachoError):
    """A gradual replay can't begin now; nothing was replayed."""


class ReplayEnded(DespachoError):
    """A gradual replay that has ended was to be stopped."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the replay is {state}; there is nothing left to stop")


class PayloadErased(DespachoError):
    """What the task was given can't be read any more: its case was erased."""

    def __init__(self) -> None:
        super().__init__("the task's case was erased, and what the task was given with it")


class QueueFull(DespachoError):
    """The bound on waiting tasks is reached; nothing was queued. It passes by itself."""


class QuotaExceeded(DespachoError):
    """As many tasks of the tenant wait as may; nothing was queued. It passes as they are done."""


class Unavailable(DespachoError):
    """Redis can't be reached or refuses writes; nothing is known to have changed. It passes by itself."""


class PermanentFailure(DespachoError):
    """The task can't succeed by being run again: it fails at once, with no retry."""


class CaseGone(PermanentFailure):
    """The case that the task works on was deleted, or never had a conversation."""


class CaseRekeyed(CaseGone):
    """A text that was read under a key of its case is to be stored, and the case was erased meanwhile."""


class DocumentGone(PermanentFailure):
    """A document that the task works on was deleted."""


class ProviderFailed(DespachoError):
    """A provider over HTTP gave no usable answer. It may pass by itself, `retry_after_s` from now where the provider
    said so. `reason` is a few plain words of ours, such as `timeout` or `http 500`: neither an address, nor a key,
    nor anything that the provider wrote."""

    def __init__(self, model: str, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"the provider of {model} failed: {reason}")
        self.model = model
        self.reason = reason
        self.retry_after_s = retry_after_s


class ProviderBreakerOpen(ProviderFailed):
    """A provider is left alone because it keeps failing, and is worth asking again `after_s` from now. For the task
    that is nobody's failure: it waits, and that uses up no attempt."""

    def __init__(self, model: str, reason: str, breaker: str, after_s: float) -> None:
        super().__init__(model, reason)
        self.breaker = breaker
        self.after_s = after_s


class ProviderRefused(ProviderFailed, PermanentFailure):
    """The provider refuses who asks or what is asked, and would do so again; `settings` names what may be wrong."""

    def __init__(self, model: str, reason: str, settings: str) -> None:
        super().__init__(model, reason)
        self.args = (f"the provider of {model} refused the request: {reason}. Check {settings}.",)


class WebhookFailed(DespachoError):
    """A webhook was not delivered. It may be at another attempt, not before `retry_after_s` from now where the
    receiver said so. `reason` is a few plain words of ours: nothing of the address or of what the receiver wrote."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"the webhook was not delivered: {reason}")
        self.reason = reason
        self.retry_after_s = retry_after_s


class WebhookRefused(WebhookFailed, PermanentFailure):
    """The receiver wants no more webhooks at this address, or the address may not be used: no attempt would help."""


class NoticeFailed(DespachoError):
    """A notice was not delivered; it may be at another attempt. `reason` is a few plain words of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the notice was not delivered: {reason}")
        self.reason = reason


class NoticeRefused(NoticeFailed, PermanentFailure):
    """The notice can't be delivered as things are set: no attempt would help."""


class NotNow(DespachoError):
    """The run is to be made later, `after_s` from now; that is nobody's failure and uses up no attempt."""

    def __init__(self, after_s: float) -> None:
        super().__init__(f"put off for {after_s:.1f} s")
        self.after_s = after_s


class BreakerOpen(NotNow):
    """What the task needs is left alone because it keeps failing; `breaker` is its name."""

    def __init__(self, breaker: str, after_s: float) -> None:
        super().__init__(after_s)
        self.breaker = breaker
