"""The small file in the data directory that says who runs there: for a later `despacho up`, which has to tell a
living supervisor from what a killed one left, and for `despacho keys`, which looks for the server.

It holds no secret. Nothing but a hint is taken from it: whether a process is alive is always asked of the kernel.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cli.logs import log
from cli.processes import ProcessId

STATE_FILE = "despacho.state.json"


@dataclass(frozen=True, slots=True)
class State:
    """The supervisor, the embedded server's socket (`None` with a Redis elsewhere), and the children by name."""

    supervisor: ProcessId
    socket: Path | None
    children: dict[str, ProcessId]

    @property
    def processes(self) -> list[ProcessId]:
        return list(self.children.values())


def read_state(data_dir: Path) -> State | None:
    """What was written last, or `None` if there is nothing readable."""
    try:
        return _state(json.loads((data_dir / STATE_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def write_state(data_dir: Path, state: State) -> None:
    """Replace the file at once, so that no reader sees a half. A full disk is no reason to stop what runs."""
    text = json.dumps(asdict(state), default=str)
    try:
        replace_privately(data_dir / STATE_FILE, text)
    except OSError as error:
        log.warning("%s can't be written in %s: %s", STATE_FILE, data_dir, error.strerror)


def replace_privately(path: Path, text: str) -> None:
    """Write a file that this user alone can read, whole or not at all. Raises `OSError`."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def remove_state(data_dir: Path) -> None:
    with contextlib.suppress(OSError):
        (data_dir / STATE_FILE).unlink(missing_ok=True)


def _state(raw: dict[str, Any]) -> State:
    return State(
        supervisor=ProcessId(**raw["supervisor"]),
        socket=Path(raw["socket"]) if raw["socket"] else None,
        children={name: ProcessId(**given) for name, given in raw["children"].items()},
    )
