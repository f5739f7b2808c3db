"""One POST to an address that a client chose, to the very network address that was checked. It follows nothing, takes
nothing from the environment, keeps nothing of the answer but its status, and is bounded in time as a whole.

The name is resolved once, here; a second resolution could give another address (DNS rebinding). TLS asks for and
checks the certificate of the name all the same.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial

import httpcore
import httpx

from actors.engines.http.errands import Errands
from actors.engines.http.exchange import SPARE_S, Deadline, Opened, retry_after_s
from tasks.callbacks import Callback, is_public
from tasks.errors import WebhookFailed

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

CONNECT_S = 5.0
ADDRESSES_AT_MOST = 4
RESOLVING_AT_MOST = 32
READ_AT_MOST = 4_096
READ_WITHIN_S = 1.0
"""An answer's body is of no use; a little of it is read, so that a well-behaved receiver can finish its sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What counts of a receiver's answer."""

    status: int
    retry_after_s: float | None


class _NoConnection(Exception):
    """Nothing was sent to this address."""


async def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, in the system's order of preference. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@cache
def outside_errands() -> Errands:
    """A loop of their own, with threads enough for name servers that outlast the deadlines of those who ask: nobody
    else is to wait for that. To be asked for before runs begin."""
    return Errands(RESOLVING_AT_MOST)


@dataclass(slots=True)
class Courier:
    """May be used from several threads. `allowed` are the operator's `host:port`, which may resolve to anything."""

    allowed: Collection[str] = ()
    resolve: Resolve = resolved
    tls: ssl.SSLContext = field(default_factory=httpx.create_ssl_context, repr=False)
    _errands: Errands = field(default_factory=outside_errands, repr=False)

    def post(self, to: Callback, headers: Mapping[str, str], body: bytes, within_s: float) -> Answer:
        """Whatever the receiver does, it comes or fails within that time. Raises `WebhookFailed`."""
        work = partial(self._post_in_time, to, headers, body, Deadline.after(within_s))
        try:
            return self._errands.run(work, within_s + SPARE_S)
        except TimeoutError:
            raise WebhookFailed("timeout") from None
        except (OSError, ValueError):
            raise WebhookFailed("request impossible") from None

    async def _post_in_time(
        self, to: Callback, headers: Mapping[str, str], body: bytes, deadline: Deadline
    ) -> Answer:
        async with asyncio.timeout(deadline.left_s):
            for address in await self._checked_addresses(to):
                with suppress(_NoConnection):
                    return await self._send(to, address, headers, body, deadline)
        raise WebhookFailed("unreachable")

    async def _checked_addresses(self, to: Callback) -> Sequence[str]:
        """All of them must be fit: a name with one that isn't is not to be trusted with the others."""
        try:
            addresses = await self.resolve(to.host, to.port)
        except (OSError, UnicodeError):
            raise WebhookFailed("unknown host") from None
        if to.place not in self.allowed and not all(map(is_public, addresses)):
            raise WebhookFailed("the host has an address that is not allowed")
        return addresses[:ADDRESSES_AT_MOST]

    async def _send(
        self, to: Callback, address: str, headers: Mapping[str, str], body: bytes, deadline: Deadline
    ) -> Answer:
        url = httpcore.URL(scheme=to.scheme, host=address, port=to.port, target=to.target)
        opened = Opened()
        extensions = {"sni_hostname": to.host, "timeout": {"connect": CONNECT_S}, "trace": opened}
        # `from None`, always: the text of a foreign error may hold the address or what was answered.
        try:
            async with (
                httpcore.AsyncConnectionPool(self.tls, max_connections=1, max_keepalive_connections=0) as pool,
                pool.stream(
                    "POST", url, headers=_all_headers(to, headers, body), content=body, extensions=extensions
                ) as response,
            ):
                await _hear_out(response, deadline)
                return Answer(response.status, retry_after_s(_header(response, b"retry-after")))
        except httpcore.ConnectError as error:
            if _is_about_tls(error):
                raise WebhookFailed("its certificate is not valid for the host, or TLS failed") from None
            raise _NoConnection from None
        except httpcore.ConnectTimeout:
            raise _NoConnection from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            raise WebhookFailed("connection broken") from None
        finally:
            await opened.close()


def _all_headers(to: Callback, headers: Mapping[str, str], body: bytes) -> list[tuple[str, str]]:
    common = {
        "Host": to.authority,
        "User-Agent": "Despacho",
        "Accept-Encoding": "identity",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    return list((common | dict(headers)).items())


async def _hear_out(response: httpcore.Response, deadline: Deadline) -> None:
    """The status is known: whatever happens here changes nothing."""
    read = 0
    with suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError):
        async with asyncio.timeout(min(READ_WITHIN_S, deadline.left_s / 2)):
            async for chunk in response.aiter_stream():
                read += len(chunk)
                if read > READ_AT_MOST:
                    return


def _header(response: httpcore.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), "")


def _is_about_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
