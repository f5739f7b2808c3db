"""One question to a provider and its answer as JSON: bounded in time and size, repeated where that helps, not logged.

A client is made for each conversation with a provider: an interrupt then breaks no connection that others use.
"""

from __future__ import annotations

import json
import logging
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic, sleep
from typing import Any

import httpx
from pydantic import SecretStr

from actors.engines.http.breaker import Breaker, ProcessBreaker
from tasks.errors import ProviderFailed

ATTEMPTS = 4
FIRST_WAIT_S = 0.5
NAP_S = 0.1
"""Waiting is done in naps, so that an interrupt is heard."""
ABOUT_THE_CONTENT = frozenset({400, 413, 422})
"""Refusals of what was sent: they say nothing of the provider's health, and so can't open its circuit."""

# They log addresses at each request, and more at lower levels.
for _chatty in ("httpx", "httpcore"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a provider is and what is asked of it."""

    url: str
    model: str
    key: SecretStr | None
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a question must have been answered."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(monotonic() + seconds)

    @property
    def left_s(self) -> float:
        return self.at - monotonic()


class _Busy(Exception):
    """The provider asks to come back: a 429 or 5xx."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(f"http {response.status_code}")
        self.wait_s = _retry_after(response.headers.get("retry-after", ""))


@dataclass(slots=True)
class Exchange:
    """Asks one provider; may be used from several threads."""

    provider: Provider
    breaker: Breaker = field(default_factory=ProcessBreaker)
    _tls: ssl.SSLContext = field(default_factory=httpx.create_ssl_context, repr=False)

    def ask(self, path: str, question: Mapping[str, Any], deadline: Deadline, max_bytes: int) -> dict[str, Any]:
        """The provider's answer, a JSON object. Raises `ProviderFailed`."""
        if not self.breaker.allows():
            raise self.failed("circuit open")
        try:
            answer = self._ask_until_answered(path, question, deadline, max_bytes)
        except ProviderFailed as failure:
            (self.breaker.failed if failure.provider_at_fault else self.breaker.succeeded)()
            raise
        self.breaker.succeeded()
        return answer

    def failed(self, reason: str, *, provider_at_fault: bool = True) -> ProviderFailed:
        return ProviderFailed(self.provider.model, reason, provider_at_fault=provider_at_fault)

    def _ask_until_answered(
        self, path: str, question: Mapping[str, Any], deadline: Deadline, max_bytes: int
    ) -> dict[str, Any]:
        with httpx.Client(verify=self._tls, headers=self._headers()) as client:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    return self._parse(self._send(client, path, question, deadline, max_bytes))
                except _Busy as busy:
                    wait_s = _backoff_s(attempt) if busy.wait_s is None else busy.wait_s
                    if attempt == ATTEMPTS or wait_s >= deadline.left_s:
                        raise self.failed(str(busy)) from None
                    _wait(wait_s)
        raise AssertionError("the last attempt returns or raises")

    def _headers(self) -> dict[str, str]:
        # Compressed answers could be small on the wire and huge in memory.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self.provider.key is not None:
            headers["Authorization"] = f"Bearer {self.provider.key.get_secret_value()}"
        return headers

    def _send(
        self, client: httpx.Client, path: str, question: Mapping[str, Any], deadline: Deadline, max_bytes: int
    ) -> bytes:
        if deadline.left_s <= 0:
            raise self.failed("timeout")
        body = json.dumps(question).encode()
        url = self.provider.url.rstrip("/") + path
        headers = {"Content-Type": "application/json"}
        # `from None`, always: the text of a foreign error may hold the address or what was sent.
        try:
            with client.stream("POST", url, content=body, headers=headers, timeout=deadline.left_s) as response:
                self._check_status(response)
                return self._read(response, deadline, max_bytes)
        except httpx.TimeoutException:
            raise self.failed("timeout") from None
        except httpx.ConnectError:
            raise self.failed("unreachable") from None
        except httpx.TransportError:
            raise self.failed("connection broken") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            raise self.failed("request impossible") from None

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == 429 or status >= 500:
            raise _Busy(response)
        if status != 200:
            raise self.failed(f"http {status}", provider_at_fault=status not in ABOUT_THE_CONTENT)

    def _read(self, response: httpx.Response, deadline: Deadline, max_bytes: int) -> bytes:
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > max_bytes:
                raise self.failed("answer too large")
            if deadline.left_s <= 0:
                raise self.failed("timeout")
        return bytes(body)

    def _parse(self, body: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise self.failed("broken json") from None
        if not isinstance(answer, dict):
            raise self.failed("unexpected answer")
        return answer


def _retry_after(header: str) -> float | None:
    """Seconds, or the time until a date; `None` where it is neither."""
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _backoff_s(attempt: int) -> float:
    return FIRST_WAIT_S * 2.0 ** (attempt - 1) * random.uniform(0.75, 1.0)


def _wait(seconds: float) -> None:
    until = monotonic() + seconds
    while (left := until - monotonic()) > 0:
        sleep(min(NAP_S, left))
