"""Rate limits: so many requests a minute of a token, so many without a good one from an address, so many logins.

A request never waits for Redis: each process counts for itself and settles with the counters that all share a few
times a second. Where several processes serve one token it can so get by with a little more than its quota: what they
let in between two settlements. Logins are few and worth a question to Redis, so their limits are exact. When Redis is
away, each process goes on with what it knows.

The headers are those of draft-ietf-httpapi-ratelimit-headers.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import time
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from tasks.api_keys import Identity
from tasks.errors import Unavailable
from tasks.rate_counts import WINDOW_S, Hits, RateCounts
from tasks.settings import Settings

log = logging.getLogger(__name__)
SETTLES_EVERY_S = 0.25
REMEMBERED_AT_MOST = 50_000
"""Tokens and addresses of this minute that a process counts; the oldest are forgotten first."""
TOKEN, STRANGER, LOGIN, LOGIN_OF_KEY = "token", "unauthenticated", "login", "login-of-key"
WHAT = {
    TOKEN: "requests with this token",
    STRANGER: "requests without a valid token from this address",
    LOGIN: "logins from this address",
    LOGIN_OF_KEY: "logins with this key",
}
NAMES = {kind: f'"{kind}"'.encode() for kind in WHAT}


class Standing(NamedTuple):
    """How somebody stands with one limit after a request; not `is_let_in` where it was one too many."""

    kind: str
    quota: int
    left: int
    reset_s: int
    is_let_in: bool = True

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        name = NAMES[self.kind]
        return (
            (b"ratelimit-policy", b"%b;q=%d;w=%d" % (name, self.quota, WINDOW_S)),
            (b"ratelimit", b"%b;r=%d;t=%d" % (name, self.left, self.reset_s)),
        )


@dataclass(eq=False, slots=True)
class _Count:
    """The hits of one window: those that all processes are known to have had, and those of this one since."""

    window: int
    known: int = 0
    mine: int = 0


class RateLimits:
    """Counts, and says who is over the limit."""

    def __init__(self, counts: RateCounts, settings: Settings, clock: Callable[[], float] = time) -> None:
        self._shared = counts
        self._quotas = {
            TOKEN: settings.rate_per_token,
            STRANGER: settings.rate_unauthenticated,
            LOGIN: settings.rate_logins,
            LOGIN_OF_KEY: settings.rate_logins,
        }
        self._clock = clock
        self._counts: dict[tuple[str, str], _Count] = {}
        self._settling: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._settling = asyncio.create_task(self._settle_for_ever(), name="rate limits")

    async def close(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            with suppress(asyncio.CancelledError):
                await self._settling

    def take(self, kind: str, subject: str) -> Standing:
        """Count one hit, unless that is one too many."""
        now = self._clock()
        window, quota = int(now // WINDOW_S), self._quotas[kind]
        count = self._counts.get((kind, subject))
        if count is None or count.window != window:
            count = self._begin(kind, subject, window)
        used = count.known + count.mine
        if used >= quota:
            return Standing(kind, quota, 0, _reset_s(now), is_let_in=False)
        count.mine += 1
        return Standing(kind, quota, quota - used - 1, _reset_s(now))

    def _begin(self, kind: str, subject: str, window: int) -> _Count:
        self._counts.pop((kind, subject), None)
        count = self._counts[kind, subject] = _Count(window)
        if len(self._counts) > REMEMBERED_AT_MOST:
            del self._counts[next(iter(self._counts))]
        return count

    async def take_exactly(self, kind: str, subject: str) -> Standing:
        """Count one hit with all processes at once. Raises `Unavailable`."""
        now = self._clock()
        quota = self._quotas[kind]
        (used,) = await self._shared.add([Hits(kind, subject, int(now // WINDOW_S))])
        return Standing(kind, quota, max(0, quota - used), _reset_s(now), is_let_in=used <= quota)

    async def settle(self) -> None:
        """Tell the shared counters what was let in here, and hear what others let in."""
        window = int(self._clock() // WINDOW_S)
        for name in [name for name, count in self._counts.items() if count.window < window and not count.mine]:
            del self._counts[name]
        told = [(name, count, count.mine) for name, count in self._counts.items() if count.mine]
        if not told:
            return
        for _, count, hits in told:
            count.known, count.mine = count.known + hits, count.mine - hits
        try:
            totals = await self._shared.add([Hits(*name, count.window, hits) for name, count, hits in told])
        except Unavailable:
            for _, count, hits in told:
                count.known, count.mine = count.known - hits, count.mine + hits
            return
        for (_, count, _), total in zip(told, totals, strict=True):
            count.known = total

    async def _settle_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SETTLES_EVERY_S)
            try:
                await self.settle()
            except Exception:
                # Without it each process would count for itself alone.
                log.exception("settling the rate limits failed")


def _reset_s(now: float) -> int:
    return math.ceil(WINDOW_S - now % WINDOW_S)


def check(connection: HTTPConnection, standing: Standing) -> None:
    """Have the response say how the caller stands. Raises a 429 where that was one too many."""
    connection.scope["rate"] = standing
    if not standing.is_let_in:
        detail = f"More than {standing.quota} {WHAT[standing.kind]} in a minute. Wait {standing.reset_s} s."
        raise HTTPException(429, detail, {"Retry-After": str(standing.reset_s)})


def subject_of(identity: Identity) -> str:
    return f"{identity.tenant} {identity.key_id}"


def address_of(connection: HTTPConnection) -> str:
    """Whom a limit per address is for: an IPv4 address, or the /64 of an IPv6 one, which is one household's."""
    host = connection.client.host if connection.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
