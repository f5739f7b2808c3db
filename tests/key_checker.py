"""Looks at every key that a test leaves behind: it must be in the table of keys, have the type that the table says,
and a TTL where the table promises one."""

from __future__ import annotations

import re
from typing import cast

import redis

from tasks.keys import KEYS, Key

UNTIL_THE_END = {"task", "children", "held", "ended"}
"""These get their TTL when their task ends."""
WHILE_ON_HOLD = {"case", "case_key", "case_documents", "about", "document", "blob_users"}
"""These have none while their case is on hold, and a tenant's holds are bounded."""


def _pattern(key: Key) -> re.Pattern[str]:
    # The id of a case, which is the last part wherever it is one, may have colons.
    escaped = re.escape(key.pattern).replace(r"\{case\}", "(?P<case>.+)")
    return re.compile("^despacho:" + re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^:]+)", escaped) + "$")


# A `.msgs` key also fits the pattern of its list: the more exact pattern is asked first.
_PATTERNS = sorted(((_pattern(key), key) for key in KEYS), key=lambda pair: -len(pair[1].pattern))


def faults(client: redis.Redis) -> list[str]:
    """What is wrong with the keys there are."""
    found = []
    for raw in client.scan_iter(count=1_000):
        name = cast(bytes, raw).decode()
        kind = client.type(raw)
        key = next((key for pattern, key in _PATTERNS if pattern.match(name)), None)
        if kind == b"none":
            continue
        if key is None:
            found.append(f"{name} is not in the table of keys")
        elif kind != key.type.encode():
            found.append(f"{name} is a {kind!r}, not a {key.type}")
        elif _lacks_ttl(client, name, key):
            found.append(f"{name} has no TTL though the table says {key.bound!r}")
    return found


def _lacks_ttl(client: redis.Redis, name: str, key: Key) -> bool:
    if not key.bound.startswith("TTL") or client.ttl(name) != -1:
        return False
    if key.name in WHILE_ON_HOLD:
        return not _is_on_hold(client, name, key)
    if key.name not in UNTIL_THE_END:
        return True
    task = f"despacho:task:{name.rsplit(':', 1)[1]}"
    return client.hget(task, "status") in (b"succeeded", b"failed", b"cancelled")


def _is_on_hold(client: redis.Redis, name: str, key: Key) -> bool:
    found = _pattern(key).match(name)
    assert found is not None
    parts = found.groupdict()
    tenant = parts["tenant"]
    if "case" in parts:
        return bool(client.exists(f"despacho:case_hold:{tenant}:{parts['case']}"))
    users = cast(set[bytes], client.smembers(name)) if key.name == "blob_users" else {parts["id"].encode()}
    cases = [client.hget(f"despacho:document:{tenant}:{user.decode()}", "case") for user in users]
    return any(client.exists(f"despacho:case_hold:{tenant}:{cast(bytes, case).decode()}") for case in cases if case)
