from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.processes import ProcessId
from cli.state import STATE_FILE, State, read_state, remove_state, write_state

ME = ProcessId.of(os.getpid(), "python")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["supervisor", "socket", "children", "pid"]), inner)
    ),
)


@pytest.mark.parametrize("socket", [None, Path("/run/with a space/ç.sock")])
def test_what_is_written_is_read(tmp_path: Path, socket: Path | None) -> None:
    state = State(ME, socket, {"worker-1": ME})

    write_state(tmp_path, state)

    assert read_state(tmp_path) == state
    assert stat.S_IMODE((tmp_path / STATE_FILE).stat().st_mode) == 0o600


def test_there_is_none_where_nothing_was_written_or_it_was_removed(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None
    write_state(tmp_path, State(ME, None, {}))

    remove_state(tmp_path)

    assert read_state(tmp_path) is None


@given(content=JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_in_the_file_reading_it_does_not_fail(tmp_path: Path, content: Any) -> None:
    (tmp_path / STATE_FILE).write_text(json.dumps(content))

    assert read_state(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_torn_file_is_no_state(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STATE_FILE).write_bytes(content)

    assert read_state(tmp_path) is None


def test_a_directory_that_takes_nothing_is_no_reason_to_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_state(tmp_path / "gone", State(ME, None, {}))

    assert "can't be written" in caplog.text
