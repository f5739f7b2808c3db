"""The checker that looks at every other test's keys finds what it should."""

from __future__ import annotations

import redis

from tests.key_checker import faults


def test_a_stray_key_a_wrong_type_and_a_missing_ttl_are_found(client: redis.Redis) -> None:
    client.set("despacho:stray", "1")
    client.set("despacho:lost:and:found", "1")
    client.set("despacho:expiring", "1")
    client.set("despacho:session:abc", "1")
    client.hset("despacho:task:t1", mapping={"status": "succeeded"})

    found = faults(client)

    client.flushall()
    assert len(found) == 5
