"""The peers by name. Each lives in a module of its own, which is imported only by the processes that use it.

Such a module is both ends: workers load it by its own product's command, the measuring process takes its `PEER`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol, cast

REDIS_URL = "BENCH_REDIS"
NAME = "BENCH_PEER"
PROCESSES = 2
THREADS = 8

MODULES = {
    "despacho": "despacho",
    "dramatiq": "stock_dramatiq",
    "dramatiq+results": "stock_dramatiq",
    "celery": "with_celery",
    "taskiq": "with_taskiq",
    "saq": "with_saq",
}


class Peer(Protocol):
    """What is asked of each product, in the way that its own documentation shows."""

    keeps_results: bool

    def worker_commands(self) -> Sequence[Sequence[str]]:
        """Commands that together start 2 processes with 8 threads each, or what comes nearest."""

    def submit(self) -> Any:
        """Queue one no-op; the answer is what `is_done` takes."""

    def submit_many(self, count: int) -> None:
        """Queue so many no-ops, by the fastest way that the product has."""

    def submit_slow(self, number: int) -> None:
        """Queue a task that takes `SLOW_S` and then notes its end under this number."""

    def is_done(self, ticket: Any) -> bool:
        """Whether the result can be seen from here."""


def load(name: str) -> Peer:
    return cast(Peer, import_module(f"{__name__}.{MODULES[name]}").PEER)


def redis_url() -> str:
    return os.environ[REDIS_URL]


def python_module(*arguments: str) -> list[str]:
    """The command that runs a module with this interpreter."""
    return [sys.executable, "-m", *arguments]
