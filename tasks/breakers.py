"""Circuit breakers of what is asked over the network, one for all worker processes: what workers ask and
tell, and what those who watch may read.

A breaker opens after some failures in a row, is open for a while, and then lets one probe through at a time until one
succeeds. What happens while Redis is away is the caller's business (actors/engines/http/breaker.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import quote, unquote

import redis

from tasks.clock import now_ms, rfc3339
from tasks.connection import AsyncRedis
from tasks.keys import Keys
from tasks.ledger import Ledger
from tasks.redis_faults import redis_faults
from tasks.settings import Settings

TTL_MS = 7 * 86_400_000
BREAKERS_AT_MOST = 1_000
OPENINGS_AT_MOST = 10_000

Entry = tuple[bytes, dict[bytes, bytes]]
Says = Literal["closed", "probe", "open", "probed"]


def quoted(name: str) -> str:
    """The name as a part of a key, in which a colon would begin another part."""
    return quote(name, safe="")


@dataclass(frozen=True, slots=True)
class Saying:
    """What a breaker says to one who asks: `closed` and `probe` let the call through, `open` and `probed` (somebody
    else's probe is under way) don't, for `wait_ms`."""

    says: Says
    wait_ms: int = 0

    @property
    def lets_through(self) -> bool:
        return self.says in ("closed", "probe")


@dataclass(frozen=True, slots=True)
class WorkersBreaker:
    """The breaker of one dependency, as workers use it. `token` names one call. Every method raises `Unavailable`
    when Redis is away."""

    ledger: Ledger
    name: str
    failures: int
    cooldown_ms: int
    lease_ms: int
    """How long a probe counts as under way, where nobody tells of its end."""

    def ask(self, token: str) -> Saying:
        says, wait_ms = self.ledger.ask_breaker(quoted(self.name), token, self.lease_ms)
        return Saying(cast(Says, says), wait_ms)

    def failed(self, token: str, error: str) -> int:
        """`error` is a type's name. Returns for how many ms the breaker is open now; 0 where it is closed."""
        bounds = (self.failures, self.cooldown_ms, error, TTL_MS, BREAKERS_AT_MOST, OPENINGS_AT_MOST)
        return self.ledger.breaker_failed(quoted(self.name), token, *bounds)

    def succeeded(self, token: str) -> bool:
        """True where that closed the breaker."""
        return self.ledger.breaker_succeeded(quoted(self.name), token)


@dataclass(frozen=True, slots=True)
class BreakerState:
    """A breaker as it stands. `opened_ms` and `last_error` (a type's name) are of the last time, also when it has
    closed since; `until_ms` is when the next probe is due, or the one that is under way counts as lost."""

    name: str
    state: Literal["closed", "open", "half_open"] = "closed"
    failures: int = 0
    opened_ms: int | None = None
    until_ms: int | None = None
    last_error: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": self.state,
            "failures": self.failures,
            "opened_at": rfc3339(self.opened_ms),
            "until": rfc3339(self.until_ms),
            "last_error": self.last_error,
        }


@dataclass(frozen=True, slots=True)
class Opening:
    """A breaker opened then, for an error of that type."""

    name: str
    at_ms: int
    error: str


class BreakerBook:
    """What is known of all breakers, for workers. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self._providers = _providers(settings)

    def list(self) -> Sequence[BreakerState]:
        """Those of the providers that are set, then whatever failed in the last seven days, by name."""
        with redis_faults():
            names = _in_order(
                self._providers, cast(list[bytes], self._client.zrange(self._keys.of("breakers"), 0, -1))
            )
            pipe = self._client.pipeline(transaction=False)
            for name in names:
                pipe.hgetall(self._keys.of("breaker", dependency=quoted(name)))
            return _states(names, pipe.execute() if names else [], self._providers)

    def openings(self, first_ms: int, last_ms: int) -> Sequence[Opening]:
        """Every opening of a period, oldest first; about the last 10,000 are kept."""
        stream = self._keys.of("breaker_openings")
        with redis_faults():
            entries = cast(list[Entry], self._client.xrange(stream, str(first_ms), str(last_ms)))
        return [_opening(entry_id, fields) for entry_id, fields in entries]


class Breakers:
    """The same for the gateway. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: AsyncRedis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self._providers = _providers(settings)

    async def list(self) -> Sequence[BreakerState]:
        """As of `BreakerBook`."""
        with redis_faults():
            names = _in_order(self._providers, await self._client.zrange(self._keys.of("breakers"), 0, -1))
            pipe = self._client.pipeline(transaction=False)
            for name in names:
                pipe.hgetall(self._keys.of("breaker", dependency=quoted(name)))
            return _states(names, await pipe.execute() if names else [], self._providers)

    async def openings(self, first_ms: int, last_ms: int) -> Sequence[Opening]:
        """As of `BreakerBook`."""
        stream = self._keys.of("breaker_openings")
        with redis_faults():
            entries = await self._client.xrange(stream, str(first_ms), str(last_ms))
        return [_opening(entry_id, fields) for entry_id, fields in entries]


def _providers(settings: Settings) -> tuple[str, ...]:
    chosen = {"llm": settings.llm_url, "embeddings": settings.embeddings_url}
    return tuple(name for name, url in chosen.items() if url is not None)


def _in_order(first: Sequence[str], others: Iterable[bytes]) -> Sequence[str]:
    names = {unquote(name.decode()) for name in others}
    return [*first, *sorted(names - set(first))]


def _states(
    names: Sequence[str], kept: Iterable[Mapping[bytes, bytes]], always: Sequence[str]
) -> Sequence[BreakerState]:
    states = [_state(name, fields) for name, fields in zip(names, kept, strict=True)]
    return [state for state in states if state.last_error or state.name in always]


def _state(name: str, fields: Mapping[bytes, bytes]) -> BreakerState:
    numbers = {key: int(fields[key]) for key in (b"failures", b"opened", b"until", b"probe_until") if key in fields}
    state: Literal["closed", "open", "half_open"] = "closed"
    until_ms = numbers.get(b"until")
    if until_ms is not None:
        # Due for a probe is half open, whether or not one is under way.
        state = "open" if until_ms > now_ms() else "half_open"
    return BreakerState(
        name=name,
        state=state,
        failures=numbers.get(b"failures", 0),
        opened_ms=numbers.get(b"opened"),
        until_ms=numbers.get(b"probe_until", until_ms),
        last_error=fields[b"error"].decode() if b"error" in fields else None,
    )


def _opening(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Opening:
    at_ms = int(entry_id.partition(b"-")[0])
    return Opening(unquote(fields[b"name"].decode()), at_ms, fields[b"error"].decode())
