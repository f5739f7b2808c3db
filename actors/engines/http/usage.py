"""What a provider says that an answer cost. Who keeps it is not known here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MOST_TOKENS = 100_000_000
"""More than any answer costs: a provider's nonsense must not spoil a sum."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer, by the provider's own count; 0 where it told none."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Usage:
        told = answer.get("usage")
        if not isinstance(told, dict):
            return cls()
        return cls(_tokens(told.get("prompt_tokens")), _tokens(told.get("completion_tokens")))


Meter = Callable[[str, Usage], None]
"""Told of the model and the usage of every answer, also of those that turn out to be unusable."""


def unmetered(_model: str, _usage: Usage) -> None:
    """For engines that nobody pays for."""


def _tokens(value: object) -> int:
    return value if type(value) is int and 0 < value <= MOST_TOKENS else 0
