"""How a function becomes an actor: it gets its run, its payload checked against the catalog, and the toolbox.

The message that Dramatiq carries has no arguments; the payload comes from the record, with the start of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import dramatiq
from pydantic import BaseModel, ValidationError

from actors.tally import tally_of
from actors.toolbox import Toolbox
from middleware.broker import LaneBroker
from middleware.run import Run, current_run
from tasks.blobs import result_place
from tasks.catalog import TaskSpec
from tasks.context import present
from tasks.errors import PermanentFailure

P = TypeVar("P", bound=BaseModel)
Work = Callable[[Run, Any, Toolbox], BaseModel | None]


@dataclass(frozen=True, slots=True)
class Declared:
    """A function that does the work of one type of task."""

    task_name: str
    work: Work


def declare(broker: LaneBroker, declared: Declared, tools: Toolbox) -> None:
    """Make `declared` an actor of this broker."""
    spec = broker.catalog.get(declared.task_name, internal=True)

    def perform() -> None:
        run = current_run()
        assert run is not None
        context = present() or run.context()
        try:
            context.keeps = run.lines.add
            result = declared.work(run, _payload(spec, run), tools)
            if result is not None:
                keep_result(run, result, tools)
                run.tally = tally_of(result)
        finally:
            # Before anything outside of the actor runs: an interrupt in there could leave a lock behind, such as
            # that of a log handler.
            broker.interrupts.leave(run.hold)
            context.keeps = None

    perform.__name__ = declared.work.__name__
    dramatiq.actor(broker=broker, actor_name=spec.name, queue_name=spec.queue)(perform)


def _payload(spec: TaskSpec, run: Run) -> BaseModel:
    """What was valid when it was submitted may not be so for a newer release: no repeat would change that."""
    try:
        return spec.payload.model_validate(run.payload)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors())
        raise PermanentFailure(f"the payload is not valid for this release: {fields}") from None


def keep_result(run: Run, result: BaseModel, tools: Toolbox) -> None:
    """A small result goes into the record, a large one into the blob store: with the end of the run, also where it
    raises after this."""
    text = result.model_dump_json()
    if len(text.encode()) <= tools.settings.inline_result_bytes:
        run.result = run.seal.seal(text.encode(), "result")
        return
    # A run that was superseded writes beside its successor, not over it.
    run.place = result_place(run.tenant, run.task_id, f"{run.number}.json")
    tools.blobs.write(run.place, run.seal.seal_file([text.encode()], run.place))
