from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.memory import available_bytes, cores, weight_bytes

NOWHERE = Path("/does/not/exist")


def a_container(folder: Path, most: str, used: int = 700, cached: int = 200) -> Path:
    (folder / "memory.max").write_text(f"{most}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\n")
    return folder


def test_the_container_counts_where_it_has_less_than_the_machine(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       16 kB\nMemAvailable:       2 kB\n")

    assert available_bytes(meminfo, NOWHERE) == 2_048
    assert available_bytes(meminfo, a_container(tmp_path, "1000")) == 500
    assert available_bytes(meminfo, a_container(tmp_path, "max")) == 2_048
    assert available_bytes(meminfo, a_container(tmp_path, "1000", used=5_000)) == 0
    (tmp_path / "memory.stat").write_text("what is this\n")
    assert available_bytes(meminfo, tmp_path) == 2_048


def test_where_nothing_is_known_nothing_stands_in_the_way() -> None:
    assert available_bytes(NOWHERE, NOWHERE) is None
    assert weight_bytes(-1) == 0
    assert cores() >= 1


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc")
def test_a_process_weighs_what_it_has_in_memory() -> None:
    assert 1 << 20 < weight_bytes(os.getpid()) < 1 << 34
