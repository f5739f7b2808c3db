from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.child import Child, describe_exit
from tests.unit.cli.conditions import until
from tests.unit.cli.stand_ins import READY, STAY, spec


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Child]:
    child = Child(spec(tmp_path, READY, "print('serving', flush=True)", STAY))
    child.start()
    yield child
    child.kill()
    until(lambda: child.pid is None or child.reap() is not None, "the child's end")


def exit_code(child: Child) -> int:
    codes: list[int] = []

    def ended() -> bool:
        code = child.reap()
        codes.extend([] if code is None else [code])
        return code is not None

    until(ended, "the child's end")
    return codes[0]


def test_a_child_is_ready_when_it_says_so(run: Child) -> None:
    until(run.check_ready, "its word")

    assert run.ready_pipe is None


def test_a_child_that_says_nothing_is_not_ready(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, "pass"))

    child.start()

    assert exit_code(child) == 0
    assert not child.check_ready()


def test_a_child_that_closes_the_pipe_without_a_word_never_counts_as_ready(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, "import os; os.close(int(os.environ['DESPACHO_READY_FD']))", STAY))
    child.start()

    until(lambda: not child.check_ready() and child.ready_pipe is None, "the closed pipe to be seen")

    child.kill()
    assert exit_code(child) == -signal.SIGKILL


def test_what_a_child_prints_is_in_its_log(run: Child) -> None:
    until(lambda: run.spec.log.exists() and "serving" in run.spec.log.read_text(), "its line")


def test_a_child_leads_a_group_of_its_own_so_ctrl_c_passes_it_by(run: Child) -> None:
    assert run.pid is not None
    assert os.getpgid(run.pid) == run.pid != os.getpgid(0)


def test_an_ended_child_takes_what_it_left_in_its_group_along(tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    child = Child(
        spec(
            tmp_path,
            "import os, signal, sys",
            "pid = os.fork()",
            "if pid == 0: signal.pause()",
            f"open({str(note)!r}, 'w').write(str(pid))",
            "sys.exit(3)",
        )
    )
    child.start()

    assert exit_code(child) == 3
    grandchild = int(note.read_text())
    until(lambda: not Path(f"/proc/{grandchild}").exists() or is_zombie(grandchild), "the grandchild's end")


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_nothing_is_left_open_when_the_machine_refuses_to_start_it(tmp_path: Path) -> None:
    child = Child(dataclasses.replace(spec(tmp_path), command=("/nonexistent/program",)))
    before = len(os.listdir("/proc/self/fd"))

    with pytest.raises(FileNotFoundError):
        child.start()

    assert child.pid is None
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit code 0"),
        (1, "exit code 1"),
        (-9, "signal 9 (SIGKILL)"),
        (-15, "signal 15 (SIGTERM)"),
        (-99, "signal 99"),
    ],
)
def test_an_exit_code_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words
