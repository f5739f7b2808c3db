"""A server that speaks S3, in a process of its own: moto's, which checks keys and signatures when it is told to."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from tests.conftest import wait_until

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "a-secret-of-the-tests"


class S3Server:
    """Buckets that live as long as it does."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._buckets = 0

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/moto-api/").status_code == 200
        except httpx.TransportError:
            return False

    def new_bucket(self) -> str:
        """An empty one, as `s3://name`."""
        self._buckets += 1
        name = f"bucket-{self._buckets}"
        httpx.put(f"{self.url}/{name}", content=b"").raise_for_status()
        return f"s3://{name}"

    @contextmanager
    def checking_keys(self) -> Iterator[None]:
        """It knows no key, so every one is wrong."""
        httpx.post(f"{self.url}/moto-api/reset-auth", content=b"0").raise_for_status()
        try:
            yield
        finally:
            httpx.post(f"{self.url}/moto-api/reset-auth", content=b"inf").raise_for_status()

    def settings(self, **others: Any) -> dict[str, Any]:
        return {
            "s3_endpoint": self.url,
            "s3_region": "us-east-1",
            "s3_access_key_id": SecretStr(KEY_ID),
            "s3_secret_access_key": SecretStr(SECRET),
            **others,
        }

    def environment(self, **others: str) -> dict[str, str]:
        plain = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.settings().items()
        }
        return {f"DESPACHO_{name.upper()}": value for name, value in {**plain, **others}.items()}


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    server = S3Server(port)
    try:
        wait_until(server.answers, "the S3 server answers", timeout_s=30)
        yield server
    finally:
        process.terminate()
        process.wait()
