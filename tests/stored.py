"""Everything that a server holds, in the form in which a word in it is found."""

from __future__ import annotations

import redis


def dumped(client: redis.Redis) -> bytes:
    """Every key with all that it holds, as text; one whose time is over meanwhile holds nothing."""
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda name: client.lrange(name, 0, -1),
        b"set": client.smembers,
        b"zset": lambda name: client.zrange(name, 0, -1, withscores=True),
        b"stream": client.xrange,
        b"none": lambda _: None,
    }
    found = [(name, readers[client.type(name)](name)) for name in client.scan_iter(count=1_000)]  # type: ignore
    return repr(found).encode()
