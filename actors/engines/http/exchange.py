"""One question to a provider and its answer as JSON: bounded in time and size, repeated where that helps, not logged.

A client is made for each question and closed with it, so an interrupt breaks no connection that others use.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from time import monotonic
from typing import Any

import httpx
from pydantic import SecretStr

from actors.engines.http.breaker import Breaker, ProcessBreaker
from actors.engines.http.errands import Errands, errands
from actors.engines.http.usage import Meter, Usage, unmetered
from tasks import tracing
from tasks.errors import ProviderBreakerOpen, ProviderFailed, ProviderRefused

ATTEMPTS = 4
FIRST_WAIT_S = 0.5
LONGEST_RETRY_AFTER_S = 3_600.0
"""More than an hour is not waited at a time, whatever a provider asks for."""
SPARE_S = 1.0
"""What the loop may be late by, before it is no longer waited for."""
BUSY = frozenset({408, 425, 429})
"""And every 5xx: the provider may answer the same question later."""

# They log addresses at each request, and more at lower levels.
for _chatty in ("httpx", "httpcore"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a provider is and what is asked of it. Its settings begin with `prefix`, as in `DESPACHO_LLM_`."""

    url: str
    model: str
    key: SecretStr | None
    timeout_s: float
    prefix: str

    def setting(self, name: str) -> str:
        return self.prefix + name


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
        self.wait_s = retry_after_s(response.headers.get("retry-after", ""))


class Opened:
    """The connections that a request opened, told by httpcore's trace. They are closed with it, because httpcore
    leaves one open whose TLS handshake was cancelled."""

    def __init__(self) -> None:
        self._streams: list[Any] = []

    async def __call__(self, event: str, told: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self._streams.append(told["return_value"])

    async def close(self) -> None:
        for stream in self._streams:
            await stream.aclose()


@dataclass(slots=True)
class Exchange:
    """Asks one provider; may be used from several threads."""

    provider: Provider
    breaker: Breaker = field(default_factory=ProcessBreaker)
    meter: Meter = unmetered
    _tls: ssl.SSLContext = field(default_factory=httpx.create_ssl_context, repr=False)
    _errands: Errands = field(default_factory=errands, repr=False)

    def ask(self, path: str, question: Mapping[str, Any], deadline: Deadline, max_bytes: int) -> dict[str, Any]:
        """The provider's answer, a JSON object. Whatever the provider does, it comes or fails by `deadline`.

        Raises `ProviderFailed`; `ProviderBreakerOpen` where the provider is left alone, or is from now on;
        `ProviderRefused` where no repeat would help.
        """
        with tracing.span("POST provider", "client", http__request__method="POST") as span:
            span.set(gen_ai__request__model=self.provider.model)
            return self._ask(path, question, deadline, max_bytes)

    def _ask(self, path: str, question: Mapping[str, Any], deadline: Deadline, max_bytes: int) -> dict[str, Any]:
        given = self.breaker.ask()
        if given.wait_s:
            raise self._open("breaker open", given.wait_s)
        try:
            answer = self._parse(self._fetch(path, question, deadline, max_bytes))
        except ProviderRefused:
            # It is well enough to refuse.
            self.breaker.succeeded(given)
            raise
        except ProviderFailed as failure:
            wait_s = self.breaker.failed(given, type(failure).__name__)
            if wait_s:
                # Whoever is the one to find it out is no worse off than those who come later.
                raise self._open(failure.reason, max(wait_s, failure.retry_after_s or 0)) from None
            raise
        self.breaker.succeeded(given)
        self.meter(self.provider.model, Usage.of(answer))
        return answer

    def failed(self, reason: str, retry_after_s: float | None = None) -> ProviderFailed:
        return ProviderFailed(self.provider.model, reason, retry_after_s)

    def _open(self, reason: str, wait_s: float) -> ProviderBreakerOpen:
        return ProviderBreakerOpen(self.provider.model, reason, self.breaker.name, wait_s)

    def _refused(self, reason: str, *settings: str) -> ProviderRefused:
        return ProviderRefused(self.provider.model, reason, " and ".join(map(self.provider.setting, settings)))

    def _fetch(self, path: str, question: Mapping[str, Any], deadline: Deadline, max_bytes: int) -> bytes:
        work = partial(self._fetch_in_time, path, json.dumps(question).encode(), deadline, max_bytes)
        try:
            return self._errands.run(work, deadline.left_s + SPARE_S)
        except TimeoutError:
            raise self.failed("timeout") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError):
            # Such as a proxy of the environment that makes no sense.
            raise self.failed("request impossible") from None

    async def _fetch_in_time(self, path: str, body: bytes, deadline: Deadline, max_bytes: int) -> bytes:
        """One deadline for everything: names, connections, what is sent, headers, bodies, waits and repeats."""
        async with asyncio.timeout(deadline.left_s):
            # No time limits of the client's own, which would be for each wait on the socket.
            async with httpx.AsyncClient(verify=self._tls, headers=self._headers(), timeout=None) as client:  # noqa: S113
                return await self._fetch_until_answered(client, path, body, deadline, max_bytes)

    async def _fetch_until_answered(
        self, client: httpx.AsyncClient, path: str, body: bytes, deadline: Deadline, max_bytes: int
    ) -> bytes:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._send(client, path, body, max_bytes)
            except _Busy as busy:
                wait_s = _backoff_s(attempt) if busy.wait_s is None else busy.wait_s
                if attempt == ATTEMPTS or wait_s >= deadline.left_s:
                    raise self.failed(str(busy), busy.wait_s) from None
                await asyncio.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    def _headers(self) -> dict[str, str]:
        # Compressed answers could be small on the wire and huge in memory.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self.provider.key is not None:
            headers["Authorization"] = f"Bearer {self.provider.key.get_secret_value()}"
        return headers

    async def _send(self, client: httpx.AsyncClient, path: str, body: bytes, max_bytes: int) -> bytes:
        url = self.provider.url.rstrip("/") + path
        headers = {"Content-Type": "application/json"}
        opened = Opened()
        # `from None`, always: the text of a foreign error may hold the address or what was sent.
        try:
            async with client.stream(
                "POST", url, content=body, headers=headers, extensions={"trace": opened}
            ) as response:
                self._check_status(response)
                return await self._read(response, max_bytes)
        except httpx.TimeoutException:
            raise self.failed("timeout") from None
        except httpx.ConnectError:
            raise self.failed("unreachable") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise self._refused("address impossible", "URL") from None
        except httpx.TransportError:
            raise self.failed("connection broken") from None
        finally:
            await opened.close()

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in BUSY or status >= 500:
            raise _Busy(response)
        if status != 200:
            raise self._refused(f"http {status}", *_to_be_checked(status))

    async def _read(self, response: httpx.Response, max_bytes: int) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > max_bytes:
                raise self.failed("answer too large")
        return bytes(body)

    def _parse(self, body: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise self.failed("broken json") from None
        if not isinstance(answer, dict):
            raise self.failed("unexpected answer")
        return answer


def _to_be_checked(status: int) -> tuple[str, ...]:
    """The settings that may be wrong where a provider answers so."""
    if status in (401, 402, 403):
        return ("KEY",)
    if status in (400, 413, 422):
        return ("MODEL",)
    return ("URL", "MODEL")


def retry_after_s(header: str) -> float | None:
    """What `Retry-After` asks for (RFC 9110: seconds, or a date), an hour at most; `None` where it is neither."""
    if header.strip().isdecimal():
        asked = float(header)
    else:
        try:
            until = parsedate_to_datetime(header)
            asked = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(0.0, asked), LONGEST_RETRY_AFTER_S)


def _backoff_s(attempt: int) -> float:
    return FIRST_WAIT_S * 2.0 ** (attempt - 1) * random.uniform(0.75, 1.0)
