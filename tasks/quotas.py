"""The quotas of tenants that have one of their own: how many of their tasks may wait at a time."""

from __future__ import annotations

from typing import cast

import redis

from tasks.api_keys import check_tenant
from tasks.audit import CLI
from tasks.audit_chain import note
from tasks.errors import InvalidInput
from tasks.keys import Keys
from tasks.redis_faults import redis_faults
from tasks.settings import Settings

MOST_QUOTAS = 10_000


class Quotas:
    """What the `despacho quotas` command does; `submit.lua` reads them."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._name = Keys(settings.namespace).of("quotas")

    def set(self, tenant: str, quota: int) -> None:
        """Raises `InvalidInput`."""
        check_tenant(tenant)
        if quota < 0:
            raise InvalidInput.of("quota", "must be 0 or more")
        with redis_faults():
            if self._client.hlen(self._name) >= MOST_QUOTAS and not self._client.hexists(self._name, tenant):
                raise InvalidInput.of("tenant", f"{MOST_QUOTAS} tenants have a quota of their own already")
            self._client.hset(self._name, tenant, str(quota))
            note(self._client, self._settings, tenant, CLI, "quota.set", "set", [tenant])

    def unset(self, tenant: str) -> bool:
        """Give a tenant the quota of all again; false where it had none of its own."""
        with redis_faults():
            had = bool(self._client.hdel(self._name, tenant))
            if had:
                note(self._client, self._settings, tenant, CLI, "quota.unset", "unset", [tenant])
        return had

    def list(self) -> dict[str, int]:
        with redis_faults():
            found = cast(dict[bytes, bytes], self._client.hgetall(self._name))
        return {tenant.decode(): int(quota) for tenant, quota in sorted(found.items())}
