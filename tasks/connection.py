"""How Redis is reached: one place that builds clients, so that every process has the same timeouts.

Three kinds, because redis-py's defaults fit none of them: a writer may wait and repeat (all scripts are safe to
repeat), a gateway must give up quickly (its caller waits), and a listener must wait for ever.
"""

from __future__ import annotations

import socket
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from tasks.settings import Settings
from tasks.shared_connection import SharedConnection

AsyncRedis = Any
"""A client of `redis.asyncio` that answers in bytes; redis-py's own hints allow text everywhere."""

CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 5.0
GATEWAY_TIMEOUT_S = 1.5
"""Below the 2 s within which a caller must hear that Redis is away."""


def connect(settings: Settings, kind: type[redis.Redis] = redis.Redis) -> redis.Redis:
    """A client for workers and commands: bytes in and out, repeats a call whose connection broke."""
    return kind.from_url(
        settings.redis_url,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=ANSWER_TIMEOUT_S,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 2),
        max_connections=1_024,
        health_check_interval=30,
    )


def connect_listener(settings: Settings) -> redis.Redis:
    """A client whose subscriptions may be silent for as long as they like."""
    return redis.Redis.from_url(
        settings.redis_url,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=None,
        retry=Retry(NoBackoff(), 0),
        **_keepalive(settings),
    )


def connect_async(settings: Settings) -> redis.asyncio.Redis:
    """A client for the gateway: gives up in time to answer 503."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        settings.redis_url,
        max_connections=64,
        timeout=GATEWAY_TIMEOUT_S,
        socket_connect_timeout=GATEWAY_TIMEOUT_S / 2,
        socket_timeout=GATEWAY_TIMEOUT_S,
        # A broken connection is worth a second call, a silent server is not: the caller waits.
        retry=AsyncRetry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )
    return redis.asyncio.Redis.from_pool(pool)


def connect_shared(settings: Settings) -> SharedConnection:
    """The connection over which a gateway calls the scripts; it gives up in time to answer 503."""
    pool = redis.asyncio.ConnectionPool.from_url(
        settings.redis_url, socket_connect_timeout=GATEWAY_TIMEOUT_S / 2, socket_timeout=GATEWAY_TIMEOUT_S
    )
    return SharedConnection(pool.make_connection, GATEWAY_TIMEOUT_S)


def connect_async_listener(settings: Settings) -> redis.asyncio.Redis:
    """A client for the bridge, whose one subscription may be silent for as long as it likes."""
    return redis.asyncio.Redis.from_url(
        settings.redis_url,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=None,
        retry=AsyncRetry(NoBackoff(), 0),
        **_keepalive(settings),
    )


def _keepalive(settings: Settings) -> dict[str, Any]:
    """A dead peer of a silent subscription is noticed by TCP, within a minute; a Unix socket has no such thing."""
    if settings.redis_url.startswith("unix:"):
        return {}
    probes = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
    options = {getattr(socket, name): value for name, value in probes.items() if hasattr(socket, name)}
    return {"socket_keepalive": True, "socket_keepalive_options": options}
