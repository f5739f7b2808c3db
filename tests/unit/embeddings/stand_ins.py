"""Engines that a test can hold up, count and fail."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

import numpy as np

from actors.engines import Report


def unheard(_percent: float, _message: str) -> None:
    pass


def vector_of(text: str) -> list[float]:
    """Another one for every length, and of unit length."""
    angle = 1.0 / (1 + len(text))
    return [float(np.cos(angle)), float(np.sin(angle))]


class Engine:
    """Keeps what it was asked; refuses the text 'veneno'; `free` lets its calls go on."""

    name = "stand-in"
    dimensions = 2

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.free = Event()
        self.free.set()

    def embed(self, texts: Sequence[str], report: Report) -> Sequence[Sequence[float]]:
        self.calls.append(list(texts))
        assert self.free.wait(10)
        if "veneno" in texts:
            raise ValueError("veneno")
        report(100, "pronto")
        return [vector_of(text) for text in texts]
