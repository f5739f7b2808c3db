"""The process that reads: it is reused, dies with an interrupt, a limit or its engine, and leaves nothing behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines import SourceDocument
from actors.engines.documents import process as process_module
from actors.engines.documents.limits import Limits
from actors.engines.documents.local import LocalDocuments
from actors.engines.documents.process import ReadingProcess, ReadingProcesses
from actors.engines.documents.protocol import End, Progress, Result, decode_reply, encode
from tasks.payloads import AnalyzedDocument, DocumentOptions
from tests.unit.documents import builders
from tests.unit.documents.conftest import TODAY, Analyze

LONG_TEXT = ("Processo nº 0001234-74.2024.8.26.0100, art. 5º da Lei nº 8.078/90, R$ 10,00. " * 12_000).encode()
"""Takes seconds to look through, so that there is time to interrupt it."""


class Cancelled(BaseException):
    """Raised into a thread from outside, as a cancellation is."""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ReadingProcess]:
    """The reading processes that were started, in order."""
    processes: list[ReadingProcess] = []

    class Watched(ReadingProcess):
        def __init__(self) -> None:
            super().__init__()
            processes.append(self)

    monkeypatch.setattr(process_module, "ReadingProcess", Watched)
    return processes


def is_gone(process: ReadingProcess) -> bool:
    return process._process.poll() is not None


def folders(tmp_path: Path) -> list[str]:
    return [path.name for path in tmp_path.iterdir() if path.name.startswith("despacho-reader-")]


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > until:
            return False
        pause.wait(0.01)
    return True


def test_a_process_serves_one_document_after_another(analyze: Analyze, started: list[ReadingProcess]) -> None:
    engine = LocalDocuments(keep=1)

    texts = [analyze(text, by=engine).text for text in (b"primeiro", b"segundo", b"terceiro")]
    engine.close()

    assert texts == ["primeiro", "segundo", "terceiro"]
    assert len(started) == 1
    assert is_gone(started[0])


def test_an_interrupt_kills_the_process_at_once(
    analyze: Analyze, started: list[ReadingProcess], tmp_path: Path
) -> None:
    engine = LocalDocuments(keep=1)
    at_work = threading.Event()
    heard: list[float] = []

    def work() -> None:
        try:
            analyze(LONG_TEXT, by=engine, report=lambda percent, _told: at_work.set() if percent >= 88 else None)
        except Cancelled:
            heard.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    assert at_work.wait(30)
    cancelled = time.monotonic()
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Cancelled))
    thread.join(10)

    assert heard
    assert heard[0] - cancelled < 0.3
    assert is_gone(started[0])
    assert folders(tmp_path) == []
    assert analyze(b"depois", by=engine).text == "depois"
    engine.close()


def test_many_threads_share_one_engine(engine: LocalDocuments, tmp_path: Path) -> None:
    texts = [f"Documento número {number} do lote." for number in range(12)]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.txt").write_text(text)

    def read(number: int) -> str:
        source = SourceDocument(str(number), tmp_path / f"{number}.txt", "", "")
        return engine.analyze(source, DocumentOptions(), TODAY, lambda _percent, _sentence: None).text

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(read, range(12))) == texts


def test_an_exception_of_the_watcher_passes_through(analyze: Analyze, started: list[ReadingProcess]) -> None:
    def refuse(_percent: float, _sentence: str) -> None:
        raise ConnectionError("the watcher is gone")

    with pytest.raises(ConnectionError):
        analyze(b"texto", by=LocalDocuments(keep=1), report=refuse)

    assert is_gone(started[0])


def test_a_reader_killed_from_outside_costs_one_error(analyze: Analyze, started: list[ReadingProcess]) -> None:
    engine = LocalDocuments(keep=1)

    def kill_reader(percent: float, _told: str) -> None:
        if percent >= 88 and len(started) == 1:
            os.kill(child_of(started[0]), signal.SIGKILL)

    document = analyze(LONG_TEXT, by=engine, report=kill_reader)

    assert (document.analysis.error or "").startswith("memory_limit: ")
    assert document.analysis.media_type == "text/plain"
    assert len(document.text) > 100_000
    assert analyze(b"o seguinte", by=engine).text == "o seguinte"
    assert len(started) == 1
    engine.close()


def child_of(process: ReadingProcess) -> int:
    reader = process._process.pid
    return int(Path(f"/proc/{reader}/task/{reader}/children").read_text().split()[0])


def test_an_idle_process_that_ended_is_replaced(analyze: Analyze, started: list[ReadingProcess]) -> None:
    engine = LocalDocuments(keep=1)
    analyze(b"primeiro", by=engine)
    os.kill(started[0]._process.pid, signal.SIGKILL)
    started[0]._process.wait()

    assert analyze(b"segundo", by=engine).text == "segundo"
    assert len(started) == 2
    engine.close()


def test_a_process_that_can_not_start_is_an_error(analyze: Analyze, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")

    document = analyze(b"texto", by=LocalDocuments(keep=0))

    assert (document.analysis.error or "").startswith("reader_unavailable: ")


def test_the_reader_ends_when_its_engine_is_killed(tmp_path: Path) -> None:
    script = (
        f"import tempfile, threading; tempfile.tempdir = {str(tmp_path)!r}\n"
        "from actors.engines.documents.process import ReadingProcess\n"
        "process = ReadingProcess(); print(process._process.pid, flush=True); threading.Event().wait()"
    )
    host = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])
    assert host.stdout is not None
    reader = int(host.stdout.readline())

    host.kill()
    host.wait()
    host.stdout.close()

    assert eventually(lambda: not Path(f"/proc/{reader}").exists() or _is_zombie(reader))
    assert eventually(lambda: folders(tmp_path) == [])


def _is_zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def test_no_more_processes_stay_warm_than_asked(started: list[ReadingProcess], tmp_path: Path) -> None:
    processes = ReadingProcesses(keep=1)
    first, second = processes.take(), processes.take()

    processes.give_back(first)
    processes.give_back(second)

    assert (is_gone(first), is_gone(second)) == (False, True)
    processes.close()
    assert is_gone(first)
    assert folders(tmp_path) == []


def test_the_reader_knows_nothing_of_the_services_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESPACHO_REDIS_URL", "redis://:segredo@localhost")

    assert "segredo" not in str(process_module._environment("/folder"))


def test_nothing_of_a_document_is_left_on_disk(analyze: Analyze, tmp_path: Path) -> None:
    engine = LocalDocuments(keep=1)
    analyze(builders.scanned_pdf("CERTIDAO"), by=engine)

    (folder,) = folders(tmp_path)
    left = list((tmp_path / folder).rglob("*"))
    engine.close()

    assert left == []


@pytest.mark.parametrize(
    "reply",
    [
        Progress(percent=12.5, sentence="Lendo a página 1 de 8"),
        Result(analysis=AnalyzedDocument(document_id="d", pages=2), text="linha 1\nlinha 2"),
        End(timed_out=True, signal=9),
    ],
)
def test_a_reply_survives_the_pipe_in_one_line(reply: Progress | Result | End) -> None:
    line = encode(reply)

    assert line.count(b"\n") == 1
    assert decode_reply(line) == reply


@given(st.lists(st.binary(max_size=60).map(lambda b: b.replace(b"\n", b"")), max_size=8), st.integers(1, 20))
def test_lines_come_whole_however_the_pipe_cuts_them(lines: list[bytes], size: int) -> None:
    reader = ReadingProcess.__new__(ReadingProcess)
    reader._buffer, reader._lines = bytearray(), deque()
    sent = b"".join(line + b"\n" for line in lines)

    for at in range(0, len(sent), size):
        reader._take(sent[at : at + size])

    assert list(reader._lines) == lines


def test_limits_are_told_in_full_and_hold_their_defaults() -> None:
    assert Limits().memory_bytes == 1024**3
    assert Limits(seconds=5).seconds == 5
