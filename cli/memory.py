"""How much memory is left for another process, and how much one has: from `/proc` and the control group, where there
are any. Nothing is known on other systems, and then nothing stands in the way."""

from __future__ import annotations

import os
import resource
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available_bytes(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """What may still be used without anything being pushed out: the machine's or, if it has less, the container's."""
    known = [left for left in (_of_machine(meminfo), _of_container(cgroup)) if left is not None]
    return min(known, default=None)


def weight_bytes(pid: int) -> int:
    """The resident memory of a process; 0 where it can't be told."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


def cores() -> int:
    """The processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _of_machine(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    told = next((line.split() for line in lines if line.startswith("MemAvailable:")), None)
    return int(told[1]) * 1_024 if told else None


def _of_container(cgroup: Path) -> int | None:
    """Version 2 only. What the kernel could drop from its file cache counts as free."""
    try:
        most, used = (cgroup / "memory.max").read_text().strip(), int((cgroup / "memory.current").read_text())
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    if not most.isdecimal():
        return None
    return max(0, int(most) - used + int(stat.get("inactive_file", 0)))
