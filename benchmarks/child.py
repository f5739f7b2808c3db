"""A round in a process of its own: it is told what to do by its environment and one line of JSON, and answers with
one line of JSON. So no peer pays for the memory, threads and event loops of another.

A round that is told to end, or that takes too long, stops what it has started before it goes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.marks import FOLDER
from benchmarks.peers import NAME, REDIS_URL
from benchmarks.plan import Plan

CLEANS_UP_WITHIN_S = 30.0


def run_round(module: str, name: str, url: str, plan: Plan, folder: Path, within_s: float) -> Any | None:
    """The answer of a round of this module; `None`, and a word on stderr, where it did not get through."""
    marks = folder / "marks"
    marks.mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-m", module, json.dumps(asdict(plan))],
        env=os.environ | {REDIS_URL: url, NAME: name, FOLDER: str(marks)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        answer, _ = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        answer = ""
    finally:
        _end(process)
    if process.returncode or not answer:
        print(f"{name} did not get through; its workers said:\n{_tail(folder / 'workers.log')}", file=sys.stderr)
        return None
    return json.loads(answer.splitlines()[-1])


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(CLEANS_UP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2_000:] if log.exists() else ""


def end_on_sigterm() -> None:
    """Let a SIGTERM run every `finally`, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def told() -> tuple[Plan, Path]:
    """What this round was told: the plan, and its own folder."""
    end_on_sigterm()
    return Plan(**json.loads(sys.argv[1])), Path(os.environ[FOLDER]).parent


def answer(found: Mapping[str, Any]) -> None:
    print(json.dumps(found))
