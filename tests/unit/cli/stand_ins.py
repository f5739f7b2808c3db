"""Specs of tiny children: each is a line of Python, or of shell where only a signal matters."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from cli.child import ChildSpec, Stage

READY = "import os; os.write(int(os.environ['DESPACHO_READY_FD']), b'ready\\n')"
STAY = "import signal; signal.pause()"


def python(*lines: str) -> tuple[str, ...]:
    # -I -S: an interpreter that starts in a few milliseconds.
    return (sys.executable, "-I", "-S", "-c", "\n".join(lines))


def spec(
    logs: Path,
    *lines: str,
    name: str = "child",
    stage: Stage = Stage.WORK,
    grace_s: float = 5.0,
    start_timeout_s: float = 15.0,
    probe: Callable[[], bool] | None = None,
) -> ChildSpec:
    return ChildSpec(
        name=name,
        stage=stage,
        command=python(*lines),
        env=dict(os.environ),
        log=logs / f"{name}.log",
        grace_s=grace_s,
        start_timeout_s=start_timeout_s,
        probe=probe,
    )
