"""The service itself: sessions of browsers, health, and the kinds of problems."""

from __future__ import annotations

from typing import Literal

from gateway.answers import Answer


class Session(Answer):
    tenant: str
    scopes: list[str]


class Health(Answer):
    status: Literal["ok"]


class Readiness(Answer):
    """`reasons` say what is missing."""

    status: Literal["ok", "unavailable"]
    reasons: list[str]


class ProblemKind(Answer):
    """A kind of problem: what its `type` means and what to do about it."""

    type: str
    title: str
    status: int
    meaning: str
    remedy: str


class ProblemKinds(Answer):
    problems: list[ProblemKind]
