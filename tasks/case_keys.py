"""The keys of cases as a process holds them: asked for in Redis, remembered for a while, forgotten when a case is
erased.

What is remembered only saves questions. Whatever seals with a key names it to the script that stores what was sealed,
and the script refuses any other than the one that is kept: a text never comes under a key that was dropped.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import cached_property
from threading import Lock
from time import monotonic
from typing import Any, cast

import redis

from tasks.connection import AsyncRedis
from tasks.keys import Keys
from tasks.master_key import load_vault
from tasks.redis_faults import redis_faults
from tasks.sealing import CaseKey, DataKey, SealBroken, Vault, key_id_of
from tasks.settings import Settings

REMEMBERED_AT_MOST = 10_000
REMEMBERED_S = 600.0
"""A process that doesn't hear of an erasure holds the key so much longer, in its memory alone."""
SPARE_S = 31 * 86_400
"""A key outlives what waits for its time (30 days) and what is kept after its end."""

Whose = tuple[str, str]
"""A tenant and the id of one of its cases."""


def key_ttl_s(settings: Settings) -> int:
    """How long a key is kept after its last use."""
    return max(settings.case_retention_s, settings.retention_s + SPARE_S)


class Keyring:
    """The keys that a process knows. May be used from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._known: OrderedDict[Whose, tuple[CaseKey, float]] = OrderedDict()

    @cached_property
    def vault(self) -> Vault:
        """Raises `SettingsError` where there is no good master key."""
        return load_vault(self._settings)

    def known(self, whose: Whose) -> CaseKey | None:
        with self._lock:
            key, until = self._known.get(whose, (None, 0.0))
        return key if until > monotonic() else None

    def fresh(self, whose: Whose) -> CaseKey:
        """A new key; it counts once a script has kept it."""
        return self.vault.new_case_key(*whose)

    def learn(self, whose: Whose, wrapped: bytes) -> CaseKey:
        """What Redis keeps for a case. Raises `SealBroken`."""
        known = self.known(whose)
        if known is not None and known.wrapped == wrapped:
            return known
        key = self.vault.unwrap(wrapped, *whose)
        self.remember(whose, key)
        return key

    def remember(self, whose: Whose, key: CaseKey) -> None:
        with self._lock:
            self._known[whose] = (key, monotonic() + REMEMBERED_S)
            self._known.move_to_end(whose)
            while len(self._known) > REMEMBERED_AT_MOST:
                self._known.popitem(last=False)

    def forget(self, whose: Whose) -> None:
        with self._lock:
            self._known.pop(whose, None)

    def unknown(self, sealed: Iterable[tuple[Whose, bytes]]) -> list[Whose]:
        """Of which cases Redis has to be asked for the key under which these values lie."""
        return list(dict.fromkeys(whose for whose, value in sealed if not self._has(whose, key_id_of(value))))

    def _has(self, whose: Whose, key_id: bytes) -> bool:
        known = self.known(whose)
        return known is not None and known.data.key_id == key_id

    def opening(self, whose: Whose, subject: str, sealed: bytes) -> DataKey:
        """The key under which a value lies, where it is known; `subject` is the task that it is of. Raises
        `SealBroken`."""
        tenant, case_id = whose
        key_id = key_id_of(sealed)
        if not case_id or self.vault.is_master(key_id):
            return self.vault.task_key(tenant, subject, key_id)
        known = self.known(whose)
        if known is None:
            raise SealBroken("the key of the case is gone")
        return known.data

    def learn_all(self, whose: Sequence[Whose], wrapped: Sequence[bytes | None]) -> None:
        """What Redis keeps for these cases. One whose key is gone or can't be opened is not known any more."""
        for one, kept in zip(whose, wrapped, strict=True):
            try:
                if kept is None:
                    self.forget(one)
                else:
                    self.learn(one, kept)
            except SealBroken:
                self.forget(one)


class CaseKeys:
    """Asks for the keys of cases, for actors."""

    def __init__(self, client: redis.Redis, settings: Settings, ring: Keyring | None = None) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self.ring = ring or Keyring(settings)

    def ask(self, whose: Sequence[Whose]) -> None:
        """Let the ring know the keys of these cases, as they are now."""
        if whose:
            with redis_faults():
                kept = self._client.mget([_name(self._keys, one) for one in whose])
            self.ring.learn_all(whose, cast(list[bytes | None], kept))

    def of(self, tenant: str, case_id: str) -> DataKey | None:
        """The key of a case as it is now; `None` where there is none."""
        self.ask([(tenant, case_id)])
        known = self.ring.known((tenant, case_id))
        return None if known is None else known.data


class AsyncCaseKeys:
    """The same for the gateway."""

    def __init__(self, client: AsyncRedis, settings: Settings, ring: Keyring) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self.ring = ring

    async def ask(self, whose: Sequence[Whose]) -> None:
        if whose:
            with redis_faults():
                kept: Any = await self._client.mget([_name(self._keys, one) for one in whose])
            self.ring.learn_all(whose, kept)

    async def of(self, tenant: str, case_id: str) -> DataKey | None:
        await self.ask([(tenant, case_id)])
        known = self.ring.known((tenant, case_id))
        return None if known is None else known.data


def _name(keys: Keys, whose: Whose) -> str:
    tenant, case_id = whose
    return keys.of("case_key", tenant=tenant, case=case_id)
