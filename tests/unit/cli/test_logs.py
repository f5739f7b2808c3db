from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from cli import logs
from cli.logs import last_lines, log, supervision_logged, to_stderr, trim
from tasks.context import Context, about
from tasks.payloads import InlineCase

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_LOG_BYTES", 10)


def test_a_log_that_grew_too_long_is_put_aside_while_its_writer_writes_on(small: None, tmp_path: Path) -> None:
    path = tmp_path / "worker-1.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"more than ten bytes\n")
        trim(path)
        writer.write(b"new\n")

    assert path.read_bytes() == b"new\n"
    assert (tmp_path / "worker-1.log.1").read_bytes() == b"more than ten bytes\n"


def test_a_short_log_and_one_that_is_not_there_are_left_alone(small: None, tmp_path: Path) -> None:
    (tmp_path / "short.log").write_text("short\n")

    trim(tmp_path / "short.log")
    trim(tmp_path / "none.log")

    assert [path.name for path in tmp_path.iterdir()] == ["short.log"]


def test_the_last_lines_are_those_that_say_something(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\n\n \xff three\n\n")

    assert last_lines(path, 2) == ["two", " \ufffd three"]
    assert last_lines(tmp_path / "none") == []


def test_warnings_are_on_stderr_and_all_is_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with supervision_logged(tmp_path):
        log.info("worker-1 is ready")
        log.warning("worker-1 ended")
    log.warning("nobody listens to this")

    assert "despacho: worker-1 ended\n" in capsys.readouterr().err
    kept = (tmp_path / "despacho.log").read_text()
    assert "worker-1 is ready" in kept
    assert "worker-1 ended" in kept
    assert "nobody" not in kept


def _fail_with_words() -> None:
    try:
        raise KeyError("palavras do cliente")
    except KeyError as error:
        raise ValueError("mais palavras do cliente") from error


def test_a_traceback_says_where_and_what_and_nothing_of_what_was_said() -> None:
    try:
        _fail_with_words()
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "request 7 failed", (), sys.exc_info())

    told = to_stderr().format(record)

    assert "palavras do cliente" not in told.replace('raise ValueError("mais palavras do cliente")', "")
    assert "in _fail_with_words" in told
    assert told.endswith("ValueError from KeyError")


def test_a_payload_that_does_not_fit_is_not_quoted_by_its_error() -> None:
    with pytest.raises(ValueError) as told:
        InlineCase.model_validate({"case_id": "c", "user_message": ["palavras do cliente"]})
    assert "palavras" not in str(told.value)


def test_a_line_as_json_is_one_line_of_ascii_with_all_that_is_known(tmp_path: Path) -> None:
    context = Context(request_id="r-1", tenant="acme", task_id="t-1", task_name="triage.process_async", run=2)
    with supervision_logged(tmp_path, "json"), about(context):
        log.warning("não\n%s", "\u2028\x00")
        try:
            _fail_with_words()
        except ValueError:
            log.exception("ended")
    log.warning("nobody listens to this")

    first, second = map(json.loads, (tmp_path / "despacho.log").read_bytes().decode("ascii").splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "warning",
        "logger": "despacho.supervisor",
        "message": "não\n\u2028\x00",
        "task_id": "t-1",
        "task_name": "triage.process_async",
        "run": 2,
        "tenant": "acme",
        "request_id": "r-1",
    }
    assert second["exception"].endswith("ValueError from KeyError")


def test_half_a_surrogate_breaks_no_line() -> None:
    # Not by way of a logger: the runner's own handler would have to tell it to another process, and can't.
    record = logging.LogRecord("x", logging.WARNING, __file__, 1, "half: \udc80", (), None)

    assert json.loads(to_stderr("json").format(record))["message"] == "half: \udc80"


def test_a_forgotten_exception_and_one_that_ends_a_thread_or_the_process_are_told_without_their_words(
    tmp_path: Path,
) -> None:
    program = """
import asyncio, threading, warnings
from cli.logs import log_to_stderr
log_to_stderr("info", "json")
warnings.warn("careful")
def fail(): raise ValueError("pala" + "vras")
threading.Thread(target=fail, name="errand").start()
async def forget(): asyncio.get_running_loop().create_task(failing()); await asyncio.sleep(0.01)
async def failing(): fail()
asyncio.run(forget())
fail()
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["message"] for line in told} >= {"errand failed", "MainThread failed"}
    assert {line["logger"] for line in told} == {"py.warnings", "despacho", "asyncio"}
    assert "palavras" not in done.stderr
    assert done.returncode == 1


def test_a_line_whose_arguments_do_not_fit_it_is_told_of_without_them() -> None:
    record = logging.LogRecord("x", logging.ERROR, "place.py", 7, "took %d s", ("palavras",), None)

    assert "a line of place.py:7 can't be written: TypeError" in to_stderr().format(record)
