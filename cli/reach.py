"""Whether a Redis or Valkey that runs elsewhere answers, said in one line if not."""

from __future__ import annotations

from tasks.errors import SettingsError
from tasks.settings import Settings


def check_reachable(settings: Settings) -> None:
    """Ask the server at `redis_url` once, without repeats. Raises `SettingsError`, which never holds the URL: it
    may contain a password."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from tasks.connection import connect

    try:
        with connect(settings) as client:
            client.set_retry(Retry(NoBackoff(), 0))
            client.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        raise SettingsError(
            f"DESPACHO_REDIS_URL: no answer from that Redis ({_first_line(error)}). "
            "Start it, or correct the address, or unset it to let `despacho up` start its own."
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
