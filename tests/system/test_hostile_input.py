"""A gateway process under hostile clients: they get a 4xx or are cut off, its memory stays flat, and others are
served meanwhile."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.problem_kinds import KINDS
from gateway.protocol import LARGEST_HEAD
from tasks.api_keys import SCOPES, ApiKeys
from tasks.connection import connect
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.system.service import ROOT, inherited

PATIENCE_S = 2.5
MEGABYTE = 1 << 20
LARGEST_DOCUMENT = 4 * MEGABYTE
FLAT_MB = 48
"""What a megabyte of JSON may take while it is read: some dozens of bytes for each of its values."""
SERVED_WITHIN_S = 3.0
"""On a machine that does other things too."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")


class Victim:
    """A gateway process, a key that opens it, and a task that a bystander looks at."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, token: str) -> None:
        self.process = process
        self.port = port
        self.headers = {"Authorization": f"Bearer {token}"}
        self.url = f"http://127.0.0.1:{port}"
        self._files = 0

    def memory_mb(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1_024

    def open_files(self) -> int:
        """Above what an idle gateway has."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd")) - self._files

    def clients(self) -> int:
        """How many are connected; what it has open towards Redis is not among them."""
        rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
        return sum(1 for _, mine, _, state, *_ in rows if mine.endswith(f":{self.port:04X}") and state == "01")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def head(self, line: str, **headers: str) -> bytes:
        given = {"Host": "x", **self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return (line + "\r\n" + "".join(f"{name}: {text}\r\n" for name, text in given.items())).encode()

    @contextmanager
    def holds_its_ground(self) -> Iterator[None]:
        """Memory stays flat, and a bystander is served all the while."""
        before, done = self.memory_mb(), threading.Event()
        with ThreadPoolExecutor(1) as pool:
            bystander = pool.submit(self._look_on, done)
            try:
                yield
            finally:
                done.set()
            waits_s, most_mb = bystander.result()
        assert waits_s, "the bystander was served"
        assert max(waits_s) < SERVED_WITHIN_S
        assert most_mb - before < FLAT_MB
        assert self.process.poll() is None

    def _look_on(self, done: threading.Event) -> tuple[list[float], float]:
        waits_s, most_mb = [], 0.0
        while not done.wait(0.02) or not waits_s:
            asked = time.monotonic()
            connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
            connection.request("GET", "/api/tasks?limit=1", headers=self.headers)
            assert connection.getresponse().status == 200
            connection.close()
            waits_s.append(time.monotonic() - asked)
            most_mb = max(most_mb, self.memory_mb())
        return waits_s, most_mb


@pytest.fixture(scope="module")
def victim(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    # A namespace of its own: one process serves all these tests.
    settings = Settings(redis_url=redis_url, namespace="hostile")
    client = connect(settings)
    _, token = ApiKeys(client, settings).create("test", "acme", SCOPES)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "DESPACHO_REDIS_URL": redis_url,
        "DESPACHO_NAMESPACE": settings.namespace,
        "DESPACHO_DATA_DIR": str(tmp_path_factory.mktemp("hostile")),
        "DESPACHO_PORT": str(port),
        "DESPACHO_REQUEST_TIMEOUT_S": str(PATIENCE_S),
        "DESPACHO_MAX_DOCUMENT_BYTES": str(LARGEST_DOCUMENT),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "gateway"],
        cwd=ROOT,
        env={**inherited(), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    victim = Victim(process, port, token)
    try:
        wait_until(lambda: _answers(victim), "the gateway listens", 60)
        _warm(victim)
        victim._files = victim.open_files()
        yield victim
    finally:
        process.terminate()
        process.wait(30)
        client.flushall()
        client.close()


def _answers(victim: Victim) -> bool:
    try:
        return httpx.get(f"{victim.url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def _warm(victim: Victim) -> None:
    """What a process takes for its first large body it keeps: only what comes on top is an attack's."""
    body = b'{"task_name": "triage.process_async", "args": ["c", [' + b"{}," * (MEGABYTE // 4) + b"{}]]}"
    for path in ("queue", "bulk"):
        httpx.post(f"{victim.url}/api/tasks/{path}", content=body, headers=victim.headers, timeout=60)


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the other side closes, as far as it can be read."""
    received = b""
    try:
        while chunk := connection.recv(65_536):
            received += chunk
    except ConnectionError:
        pass
    return received


def problem_in(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head.lower(), answer[:500]
    assert b"x-request-id" in head.lower()
    told: dict[str, Any] = json.loads(body)
    assert told["type"].removeprefix("/problems/") in KINDS
    return told


# --------------------------------------------------------------------------------------- bodies of JSON


def filled(template: bytes, filling: bytes) -> bytes:
    """The template with as much filling in place of its `%` as a body may have."""
    return template.replace(b"%", filling * ((MEGABYTE - len(template) - 64) // len(filling)))


LAUGHS = {
    "an empty list a quarter of a million times": filled(
        b'{"task_name": "triage.process_async", "args": [%0]}', b"[],"
    ),
    "messages that are none": filled(b'{"task_name": "triage.process_async", "args": ["c", [%0]]}', b"{},"),
    "cases that are none": filled(b'{"task_name": "batch.process_cases", "args": [[%0]]}', b"1,"),
    "operations that are none": filled(b'{"task_name": "batch.process_cases", "args": [["a"], [%0]]}', b"1,"),
    "texts that are none": filled(b'{"task_name": "embeddings.generate_async", "args": [[%0]]}', b"1,"),
    "documents that are none": filled(b'{"task_name": "documents.analyze_async", "args": ["c", [%0]]}', b"1,"),
    "a number of a million digits": filled(b'{"task_name": "triage.process_async", "args": [%0]}', b"9"),
    "a string of escapes": filled(b'{"task_name": "%"}', b"\\u0041"),
    "lists in lists": b"[" * 500_000 + b"]" * 500_000,
    "objects in objects": b'{"a":' * 150_000 + b"1" + b"}" * 150_000,
    "lists in lists of metadata": b'{"task_name": "triage.process_async", "metadata": {"a": '
    + b"[" * 10_000
    + b"]" * 10_000
    + b"}}",
    "a hundred thousand fields": b'{"task_name": "x", '
    + b",".join(b'"%x": 0' % number for number in range(100_000))[: MEGABYTE - 100].rpartition(b",")[0]
    + b"}",
    "a hundred thousand arguments": b'{"task_name": "triage.process_async", "kwargs": {'
    + b",".join(b'"%x": 0' % number for number in range(100_000))[: MEGABYTE - 100].rpartition(b",")[0]
    + b"}}",
    "one key for ever": filled(b'{"task_name": "x", %"b": 0}', b'"a": 0,'),
}


@pytest.mark.parametrize("name", LAUGHS)
def test_a_body_that_is_made_to_be_dear_is_refused_at_little_cost(victim: Victim, name: str) -> None:
    body = LAUGHS[name]
    assert len(body) <= MEGABYTE

    with victim.holds_its_ground(), httpx.Client(headers=victim.headers, timeout=60) as client:
        for _ in range(3):
            answer = client.post(f"{victim.url}/api/tasks/queue", content=body)
            assert answer.status_code == 422, answer.text[:200]
            assert len(answer.content) < 100_000


def test_a_bulk_with_a_hundred_thousand_faults_is_refused_at_little_cost(victim: Victim) -> None:
    fields = b",".join(b'"%x": 0' % number for number in range(100))
    body = b'{"tasks": [' + b",".join([b"{" + fields + b"}"] * 1_000) + b"]}"

    with victim.holds_its_ground():
        answer = httpx.post(f"{victim.url}/api/tasks/bulk", content=body, headers=victim.headers, timeout=60)

    assert answer.status_code == 422
    assert "faults" in answer.json()["errors"][0]["message"]


# ------------------------------------------------------------------------------------ bodies without end


def pump(victim: Victim, head: bytes, piece: bytes, most: int) -> tuple[int, bytes]:
    """Send pieces for as long as the other side takes them; how many bytes it took, and what it answered."""
    sent = 0
    with victim.connect() as connection:
        connection.sendall(head)
        try:
            while sent < most:
                connection.sendall(piece)
                sent += len(piece)
        except (ConnectionError, TimeoutError):
            pass
        return sent, answer_of(connection)


PIECE = b"10000\r\n" + b" " * 0x10000 + b"\r\n"


def test_a_chunked_body_of_a_gigabyte_is_cut_off_at_its_limit(victim: Victim) -> None:
    head = victim.head("POST /api/tasks/queue HTTP/1.1", Transfer_Encoding="chunked") + b"\r\n"

    with victim.holds_its_ground():
        sent, answer = pump(victim, head, PIECE, 1 << 30)

    assert sent < 64 * MEGABYTE
    assert answer.startswith(b"HTTP/1.1 413") or answer == b""


def test_a_document_without_end_is_cut_off_at_its_limit(victim: Victim) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    head = victim.head(
        "POST /api/documents HTTP/1.1",
        Transfer_Encoding="chunked",
        Content_Type="multipart/form-data; boundary=b",
    )

    with victim.holds_its_ground():
        sent, answer = pump(victim, head + b"\r\n" + b"%x\r\n%b\r\n" % (len(form), form), PIECE, 1 << 30)

    assert sent < 64 * MEGABYTE
    assert answer.startswith(b"HTTP/1.1 413") or answer == b""


@pytest.mark.parametrize(
    "line", ["POST /api/nothing HTTP/1.1", "GET /healthz HTTP/1.1", "DELETE /api/tasks/x HTTP/1.1"]
)
def test_a_body_that_nobody_reads_is_not_taken_for_ever(victim: Victim, line: str) -> None:
    head = victim.head(line, Transfer_Encoding="chunked") + b"\r\n"

    with victim.holds_its_ground():
        sent, answer = pump(victim, head, PIECE, 1 << 30)

    assert sent < 64 * MEGABYTE
    assert answer[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 404", b"")


def test_a_declared_gigabyte_is_refused_before_it_is_sent(victim: Victim) -> None:
    with victim.connect() as connection:
        connection.sendall(victim.head("POST /api/tasks/queue HTTP/1.1", Content_Length=str(1 << 30)) + b"\r\n")
        answer = answer_of(connection)

    assert problem_in(answer)["status"] == 413


# ------------------------------------------------------------------------------------- heads without end


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        pytest.param(b"GET /", b"a" * 4_096, id="a path"),
        pytest.param(b"GET / HTTP/1.1\r\nX: ", b"a" * 4_096, id="a value"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"a" * 4_096, id="a name"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"X: y\r\n" * 500, id="many headers"),
        pytest.param(b"", b"\r\n" * 2_048, id="empty lines"),
        pytest.param(
            b"POST /api/tasks/queue HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\n0\r\n",
            b"X: y\r\n" * 500,
            id="trailers",
        ),
        pytest.param(
            b"POST /api/tasks/queue HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\n1;",
            b"x" * 4_096,
            id="an extension of a chunk",
        ),
    ],
)
def test_a_head_without_end_is_cut_off(victim: Victim, start: bytes, piece: bytes) -> None:
    with victim.holds_its_ground():
        sent, answer = pump(victim, start, piece, 256 * MEGABYTE)

    assert sent < 16 * MEGABYTE
    assert answer[:10] in (b"HTTP/1.1 4", b"")


def test_a_head_that_is_just_too_large_is_told_so(victim: Victim) -> None:
    with victim.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        time.sleep(0.1)
        connection.sendall(b"a" * (LARGEST_HEAD + 1))
        answer = answer_of(connection)

    assert problem_in(answer)["type"] == "/problems/headers-too-large"


def test_what_is_no_http_is_a_problem(victim: Victim) -> None:
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/9.9\r\n\r\n", b"hello\r\n\r\n"):
        with victim.connect() as connection:
            connection.sendall(garbage)
            assert problem_in(answer_of(connection))["status"] == 400


# ------------------------------------------------------------------------------------------ slow clients


def drip(connection: socket.socket, drop: bytes) -> float:
    """Send a drop now and then until the other side closes; how long it took it."""
    began = time.monotonic()
    connection.settimeout(0.1)
    while time.monotonic() - began < PATIENCE_S * 10:
        try:
            connection.sendall(drop)
            if connection.recv(65_536) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        pytest.param(b"", b"", id="who says nothing"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"X: y\r\n", id="slow headers"),
        pytest.param(b"G", b"", id="one letter"),
        pytest.param(b"", b"\r\n", id="empty lines"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n", id="empty lines after a request"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n", b"x", id="an unread body"),
        pytest.param(
            b"POST /api/session HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 9999\r\n\r\n",
            b" ",
            id="a slow body",
        ),
        pytest.param(
            b"POST /api/session HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n",
            b"1\r\n \r\n",
            id="slow chunks",
        ),
    ],
)
def test_slow_clients_are_given_up_and_hold_nobody_up(victim: Victim, start: bytes, drop: bytes) -> None:
    def play(_: int) -> float:
        with victim.connect() as connection:
            connection.sendall(start)
            return drip(connection, drop)

    with victim.holds_its_ground(), ThreadPoolExecutor(40) as pool:
        held_s = list(pool.map(play, range(40)))

    assert max(held_s) < PATIENCE_S * 2 + 6
    wait_until(lambda: victim.open_files() < 10, "their connections are closed")


def test_who_reads_nothing_is_cut_off(victim: Victim) -> None:
    task = {
        "task_name": "triage.process_async",
        "args": ["c"],
        "kwargs": {"user_message": "oi"},
        "metadata": {"x": "y" * 4_000},
    }
    bulk = {"tasks": [task] * 200}
    assert httpx.post(f"{victim.url}/api/tasks/bulk", json=bulk, headers=victim.headers).status_code == 202
    page = victim.head("GET /api/tasks?limit=200 HTTP/1.1") + b"\r\n"

    def asks_and_reads_nothing() -> socket.socket:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(("127.0.0.1", victim.port))
        connection.sendall(page * 20)
        return connection

    deaf = [asks_and_reads_nothing() for _ in range(10)]
    try:
        wait_until(lambda: victim.clients() == 10, "they are connected")
        wait_until(lambda: victim.clients() == 0, "they are cut off", PATIENCE_S * 4 + 10)
    finally:
        for connection in deaf:
            connection.close()


def test_who_is_too_slow_is_told_so(victim: Victim) -> None:
    half = victim.head("POST /api/tasks/queue HTTP/1.1", Content_Length="100") + b"\r\n" + b'{"task_name": '
    for start in (b"GET / HTTP/1.1\r\nHost:", half):
        with victim.connect() as connection:
            connection.sendall(start)
            assert problem_in(answer_of(connection))["type"] == "/problems/request-timeout"


def test_a_steady_slow_body_is_taken_though_it_takes_longer(victim: Victim) -> None:
    body = (
        b'{"task_name": "triage.process_async", "args": ["c"], "kwargs": {"user_message": "' + b"a" * 40_000 + b'"}}'
    )
    with victim.connect() as connection:
        connection.sendall(
            victim.head("POST /api/tasks/queue HTTP/1.1", Content_Length=str(len(body)), Connection="close") + b"\r\n"
        )
        began = time.monotonic()
        for start in range(0, len(body), 2_000):
            connection.sendall(body[start : start + 2_000])
            time.sleep(PATIENCE_S / 15)
        assert time.monotonic() - began > PATIENCE_S
        assert answer_of(connection).startswith(b"HTTP/1.1 202")


def test_a_connection_serves_one_request_after_the_other(victim: Victim) -> None:
    """With bodies that are read and some that aren't, slower than one request may take in all."""
    refused = b"POST /api/tasks/queue HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n"
    with victim.connect() as connection:
        for _ in range(6):
            connection.sendall(refused)
            time.sleep(PATIENCE_S / 8)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 401")
            connection.sendall(b"unread body.")
            connection.sendall(victim.head("GET /healthz HTTP/1.1") + b"\r\n")
            time.sleep(PATIENCE_S / 8)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_requests_in_a_row_are_all_answered(victim: Victim) -> None:
    count = 2_000
    with victim.connect() as connection:
        sender = threading.Thread(
            target=connection.sendall, args=(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * count,)
        )
        sender.start()
        received = b""
        while received.count(b'{"status":"ok"}') < count:
            chunk = connection.recv(1 << 20)
            assert chunk, received[-300:]
            received += chunk
        sender.join()


def test_a_request_that_begins_before_an_answer_has_its_own_time(victim: Victim) -> None:
    body = b'{"task_name": "triage.process_async", "args": ["c"], "kwargs": {"user_message": "oi"}}'
    waits = victim.head("POST /api/tasks/queue HTTP/1.1", Prefer="wait=5", Content_Length=str(len(body)))
    following = victim.head("GET /healthz HTTP/1.1", Connection="close") + b"\r\n"
    with victim.connect() as connection:
        connection.sendall(waits + b"\r\n" + body)
        time.sleep(5 - PATIENCE_S / 5)
        connection.sendall(following[:10])
        assert connection.recv(65_536).startswith(b"HTTP/1.1 202")
        connection.sendall(following[10:])
        assert answer_of(connection).startswith(b"HTTP/1.1 200")


def test_a_stream_outlives_the_patience_with_requests(victim: Victim) -> None:
    with victim.connect() as connection:
        connection.sendall(victim.head("GET /api/events HTTP/1.1") + b"\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.settimeout(PATIENCE_S * 2.5)
        with pytest.raises(TimeoutError):
            answer_of(connection)
