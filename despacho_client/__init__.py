"""A client of Despacho's HTTP API, synchronous and asynchronous: `Client` and `AsyncClient`.

It needs httpx alone and nothing of the service. Every answer is the JSON that the API's documentation shows, typed.
What can be repeated safely is repeated: submits carry an Idempotency-Key, streams go on after the last event.
"""

from despacho_client.async_client import AsyncClient
from despacho_client.client import Client
from despacho_client.errors import Problem, StillRunning, Unreachable
from despacho_client.values import (
    Accepted,
    BatchLine,
    Case,
    DeadLetter,
    DeadLetterGroup,
    Document,
    Event,
    Receipt,
    Similar,
    Task,
    TaskError,
    Turn,
)

__all__ = [
    "Accepted",
    "AsyncClient",
    "BatchLine",
    "Case",
    "Client",
    "DeadLetter",
    "DeadLetterGroup",
    "Document",
    "Event",
    "Problem",
    "Receipt",
    "Similar",
    "StillRunning",
    "Task",
    "TaskError",
    "Turn",
    "Unreachable",
]
