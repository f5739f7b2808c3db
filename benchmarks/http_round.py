"""One endpoint under wrk, once: `python -m benchmarks.http_round`. Nothing works the queue off meanwhile."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict
from pathlib import Path
from time import monotonic, sleep

from benchmarks.child import answer, told
from benchmarks.figures import HttpFigures
from benchmarks.peers import NAME, redis_url
from benchmarks.plan import Plan
from benchmarks.processes import Workers, free_port
from benchmarks.web import BULK, ENDPOINTS, Endpoint, body, bulk_body
from benchmarks.wrk import Load, load

CONNECTIONS = 32
BULK_CONNECTIONS = 4
JSON = {"Content-Type": "application/json"}
LISTENS_WITHIN_S = 30.0


def measure(endpoint: Endpoint, port: int, server: Workers, plan: Plan, folder: Path) -> HttpFigures:
    """Single submits, and bulk ones where there are any."""
    headers = {**JSON, **endpoint.headers(redis_url())}
    url = f"http://127.0.0.1:{port}"

    def under_load(path: str, text: str, connections: int, seconds: int) -> Load:
        return load(url + path, text, headers, connections=connections, seconds=seconds, folder=folder)

    under_load(endpoint.path, body(), CONNECTIONS, 1)
    before = server.cpu_s()
    single = under_load(endpoint.path, body(), CONNECTIONS, plan.http_s)
    server_us = (server.cpu_s() - before) / max(1, single.requests) * 1e6
    failed, bulk_per_s = single.failed, None
    if endpoint.bulk_path is not None:
        bulk = under_load(endpoint.bulk_path, bulk_body(), BULK_CONNECTIONS, plan.http_s)
        failed, bulk_per_s = failed + bulk.failed, bulk.per_s * BULK
    return HttpFigures(single.per_s, single.p50_ms, single.p99_ms, server_us, failed, bulk_per_s)


def until_it_listens(port: int) -> None:
    deadline = monotonic() + LISTENS_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if monotonic() > deadline:
                raise
            sleep(0.05)


def main() -> None:
    plan, folder = told()
    endpoint, port = ENDPOINTS[os.environ[NAME]], free_port()
    environment = endpoint.environment(port, redis_url())
    server = Workers([endpoint.command(port)], folder / "workers.log", environment)
    try:
        until_it_listens(port)
        answer(asdict(measure(endpoint, port, server, plan, folder)))
    finally:
        server.stop()


if __name__ == "__main__":
    main()
