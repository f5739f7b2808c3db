"""Answers that operations of several topics give alike."""

from __future__ import annotations

from gateway.answers.tasks import Accepted
from gateway.openapi import examples
from gateway.openapi.parts import Answer, task_links


def queued(description: str = "It is queued.", *headers: str) -> Answer:
    """Of what became a task; `headers` are those that it has beside the usual ones."""
    return Answer(
        202,
        description,
        Accepted,
        headers=("Location", "Retry-After", *headers),
        links=task_links(),
        example=examples.ACCEPTED,
    )
