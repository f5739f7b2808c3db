"""What runs on one machine beside the server: the processes of `despacho up`, their commands and environments.

Each is the same `despacho` command that compose and Kubernetes run alone. Settings travel in the environment,
because a command line can be read by every user of the machine, and an address of Redis may hold a password.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cli.child import ChildSpec, Stage
from tasks.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent

PASSED_ON = ("redis_url", "data_dir", "host", "port", "processes", "threads")
"""What `despacho up` may have been told by its flags; everything else is in the environment already."""

FRONT_GRACE_S = 2.0
WORKER_MARGIN_S = 4.0
"""Workers stop by themselves after `drain_timeout_s`; then runs are interrupted, which may take two seconds, and
what is left is given back. With the two seconds of the gateway a stop takes 15 s at most by default."""


WORKER_SILENCE_S = 30.0
"""A worker proves every two seconds that it isn't stuck; one that hasn't for so long is replaced."""


def program(settings: Settings, logs: Path) -> tuple[ChildSpec, ...]:
    """The workers, the scheduler and the gateway; with `auto`, the fewest workers that there may be."""
    how_many = settings.min_processes if settings.workers == "auto" else settings.processes
    workers = (worker(settings, logs, number) for number in range(1, how_many + 1))
    return (*workers, _front("scheduler", settings, logs), _front("gateway", settings, logs))


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child: our own, and the settings as they are by now."""
    passed_on = {PREFIX + name.upper(): str(getattr(settings, name)) for name in PASSED_ON}
    return {**os.environ, **_path_to_checkout(), "PYTHONUNBUFFERED": "1", **passed_on}


def worker(settings: Settings, logs: Path, number: int) -> ChildSpec:
    """One worker process."""
    return ChildSpec(
        name=f"worker-{number}",
        stage=Stage.WORK,
        command=_command("worker"),
        env=_of_one_of_many(environment(settings)),
        log=logs / f"worker-{number}.log",
        grace_s=settings.drain_timeout_s + WORKER_MARGIN_S,
        silence_s=WORKER_SILENCE_S,
    )


def _of_one_of_many(env: dict[str, str]) -> dict[str, str]:
    """A port for probes is for a worker that has a machine or a container of its own."""
    return {name: value for name, value in env.items() if name != f"{PREFIX}PROBE_PORT"} | {f"{PREFIX}PROCESSES": "1"}


def _front(role: str, settings: Settings, logs: Path) -> ChildSpec:
    return ChildSpec(
        name=role,
        stage=Stage.FRONT,
        command=_command(role),
        env=environment(settings),
        log=logs / f"{role}.log",
        grace_s=FRONT_GRACE_S,
    )


def _command(role: str) -> tuple[str, ...]:
    # -P: a package named `tasks` or `cli` in the user's current directory must not be taken for ours.
    return (sys.executable, "-P", "-m", "cli.main", role)


def _path_to_checkout() -> dict[str, str]:
    """Where we were not installed but run from a checkout, a child started with -P has to be told where we are."""
    if Path(sys.path[0] or ".").resolve() != ROOT:
        return {}
    given = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join(part for part in (str(ROOT), given) if part)}
