"""What a tenant has set for its webhooks: the secrets that sign them, where they go by default, and the addresses
that were disabled; with the signature, and how a delivery is told in the log of its task.

A webhook is sent by `actors/webhooks.py`; which addresses are allowed at all is the business of `tasks.callbacks`.
Secrets are kept sealed under the master key: who reads the Redis alone can't sign.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import redis

from tasks.api_keys import TENANT
from tasks.audit import CLI, WORKER, By
from tasks.audit_chain import note
from tasks.callbacks import check_callback, place_of
from tasks.clock import now_ms, rfc3339
from tasks.connection import AsyncRedis
from tasks.errors import FieldError, InvalidInput, SettingsError
from tasks.keys import Keys
from tasks.lifecycle import State
from tasks.master_key import check_master_key, load_vault
from tasks.record import SEQ_PER_MS, Task, error_as_json
from tasks.redis_faults import redis_faults
from tasks.sealing import SealBroken, Vault, is_sealed, key_id_of
from tasks.settings import Settings

SECRET_PREFIX = "whsec_"  # noqa: S105
SECRET_BYTES = 32
OLD_SECRET_MS = 24 * 3_600_000
"""How long webhooks are signed with the secret before the present one too."""
DISABLED_MS = 30 * 86_400_000
DISABLED_AT_MOST = 1_000
NO_KEY = "needs a secret that signs webhooks; have one made with `despacho webhooks secret --tenant {tenant}`"
DISABLED = "is disabled, because its server answered 410 Gone; have it enabled with `despacho webhooks enable`"
_SIGNED_ID = re.compile(r"[A-Za-z0-9_-]+")


ReadTasks = Callable[[Sequence[str]], Awaitable[list[Task]]]
"""Reads the records of these ids, as far as they are there."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret of a tenant. `text` is what its receivers have: `whsec_` and 32 random bytes in base64."""

    secret_id: str
    text: str = field(repr=False)
    made_ms: int

    @classmethod
    def new(cls) -> Secret:
        text = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        return cls(secrets.token_hex(6), text, now_ms())

    @classmethod
    def parse(cls, raw: dict[bytes, bytes], tenant: str, vault: Vault) -> Secret | None:
        """`None` where there is none, or where it lies under a master key that isn't there any more; in clear is what
        an older release made."""
        if not raw:
            return None
        secret_id, kept = raw[b"id"].decode(), raw[b"secret"]
        try:
            key = vault.task_key(tenant, _SEALED_FOR, key_id_of(kept) if is_sealed(kept) else None)
            text = key.open(kept, *_about(tenant, secret_id))
        except SealBroken:
            return None
        return cls(secret_id, text.decode(), int(raw[b"made"]))

    def fields(self, tenant: str, vault: Vault) -> dict[str, str | bytes]:
        sealed = vault.task_key(tenant, _SEALED_FOR).seal(self.text.encode(), *_about(tenant, self.secret_id))
        return {"id": self.secret_id, "secret": sealed, "made": str(self.made_ms)}

    def signature(self, signed: bytes) -> str:
        key = base64.b64decode(self.text.removeprefix(SECRET_PREFIX))
        return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


_SEALED_FOR = "webhooks"


def _about(tenant: str, secret_id: str) -> tuple[str, ...]:
    return "webhook-secret", tenant, secret_id


def signed_headers(keys: Iterable[Secret], webhook_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks 1.0.0; one signature of `id.timestamp.body` for each secret."""
    if _SIGNED_ID.fullmatch(webhook_id) is None:
        raise ValueError("an id with a dot could be read in two ways")
    signed = f"{webhook_id}.{timestamp_s}.".encode() + body
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(key.signature(signed) for key in keys),
    }


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """What is set for a tenant, without its secrets. Times are in ms; `disabled` are addresses and when they were
    disabled, latest first."""

    default_url: str | None
    secret_id: str | None
    secret_made_ms: int | None
    old_secret_id: str | None
    old_secret_until_ms: int | None
    disabled: tuple[tuple[str, int], ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "default_url": self.default_url,
            "secret_id": self.secret_id,
            "secret_made_at": rfc3339(self.secret_made_ms),
            "old_secret_id": self.old_secret_id,
            "old_secret_until": rfc3339(self.old_secret_until_ms),
            "disabled": [{"url": url, "at": rfc3339(at)} for url, at in self.disabled],
        }


class _Names:
    def __init__(self, settings: Settings) -> None:
        self._keys = Keys(settings.namespace)
        self.defaults = self._keys.of("webhook_defaults")

    def secret(self, tenant: str) -> str:
        return self._keys.of("webhook_secret", tenant=tenant)

    def old_secret(self, tenant: str) -> str:
        return self._keys.of("webhook_old_secret", tenant=tenant)

    def task(self, task_id: str) -> str:
        return self._keys.of("task", id=task_id)

    def disabled(self, tenant: str) -> str:
        return self._keys.of("webhook_disabled", tenant=tenant)


def _ask(pipe: Any, names: _Names, tenant: str) -> None:
    pipe.hget(names.defaults, tenant)
    pipe.hgetall(names.secret(tenant))
    pipe.hgetall(names.old_secret(tenant))
    pipe.pttl(names.old_secret(tenant))
    pipe.zrange(names.disabled(tenant), "+inf", now_ms() - DISABLED_MS, desc=True, byscore=True, withscores=True)


def _settings(answer: Sequence[Any]) -> WebhookSettings:
    default, secret, old, left_ms, disabled = answer
    return WebhookSettings(
        default_url=default.decode() if default else None,
        secret_id=secret[b"id"].decode() if secret else None,
        secret_made_ms=int(secret[b"made"]) if secret else None,
        old_secret_id=old[b"id"].decode() if old else None,
        old_secret_until_ms=now_ms() + left_ms if old else None,
        disabled=tuple((url.decode(), int(at)) for url, at in disabled),
    )


def _check_default(url: str, settings: Settings, has_secret: bool, tenant: str, field: str) -> None:
    check_callback(url, settings.webhook_allowed_hosts, field)
    if not has_secret:
        raise InvalidInput.of(field, NO_KEY.format(tenant=tenant))


class Webhooks:
    """For workers and commands. What is changed is noted in the tenant's audit trail, an address as `host:port`.
    Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: redis.Redis, settings: Settings, vault: Vault | None = None) -> None:
        self._client = client
        self._settings = settings
        self._names = _Names(settings)
        self._given_vault = vault

    @cached_property
    def _vault(self) -> Vault:
        """Raises `SettingsError` for a master key that is not this Redis's."""
        if self._given_vault is not None:
            return self._given_vault
        check_master_key(self._client, self._settings)
        return load_vault(self._settings)

    def read(self, tenant: str) -> WebhookSettings:
        pipe = self._client.pipeline(transaction=False)
        _ask(pipe, self._names, check_tenant(tenant))
        with redis_faults():
            return _settings(pipe.execute())

    def make_secret(self, tenant: str) -> Secret | None:
        """The first secret of a tenant; `None` where it has one."""
        secret, name = Secret.new(), self._names.secret(check_tenant(tenant))
        pipe = self._client.pipeline(transaction=True)
        pipe.hset(name + ":new", mapping=cast(Any, secret.fields(tenant, self._vault)))
        pipe.renamenx(name + ":new", name)
        pipe.delete(name + ":new")
        with redis_faults():
            _, made, _ = pipe.execute()
        if not made:
            return None
        self._note(tenant, "webhook.secret", "created", [secret.secret_id])
        return secret

    def rotate_secret(self, tenant: str) -> Secret:
        """A new secret. The one before it signs beside it for 24 hours; one before that is dropped at once."""
        present, old = self._names.secret(check_tenant(tenant)), self._names.old_secret(tenant)
        secret = Secret.new()
        pipe = self._client.pipeline(transaction=True)
        pipe.delete(old)
        pipe.copy(present, old)
        pipe.pexpire(old, OLD_SECRET_MS)
        pipe.hset(present, mapping=cast(Any, secret.fields(tenant, self._vault)))
        with redis_faults():
            pipe.execute()
        self._note(tenant, "webhook.secret", "rotated", [secret.secret_id])
        return secret

    def secrets(self, tenant: str) -> list[Secret]:
        """Those that sign now, newest first. Raises `SettingsError`."""
        pipe = self._client.pipeline(transaction=False)
        pipe.hgetall(self._names.secret(tenant))
        pipe.hgetall(self._names.old_secret(tenant))
        with redis_faults():
            rows = pipe.execute()
        found = (Secret.parse(raw, tenant, self._vault) for raw in rows)
        return [secret for secret in found if secret is not None]

    def reseal(self) -> int:
        """Put all secrets under the present master key; returns how many were not. Raises `SettingsError` where one
        lies under a master key that isn't named."""
        moved = 0
        for of_tenant in (self._names.secret, self._names.old_secret):
            prefix = of_tenant("")
            with redis_faults():
                for name in self._client.scan_iter(match=f"{prefix}*"):
                    moved += self._reseal(cast(bytes, name), cast(bytes, name).decode().removeprefix(prefix))
        return moved

    def _reseal(self, name: bytes, tenant: str) -> int:
        def move(pipe: Any) -> int:
            raw = pipe.hgetall(name)
            if not raw or self._lies_well(raw[b"secret"]):
                return 0
            secret = Secret.parse(raw, tenant, self._vault)
            if secret is None:
                raise SettingsError("a secret of webhooks lies under a master key that is not named")
            pipe.multi()
            pipe.hset(name, mapping=cast(Any, secret.fields(tenant, self._vault)))
            return 1

        # Made anew where it was rotated meanwhile.
        return int(cast(Any, self._client).transaction(move, name, value_from_callable=True))

    def _lies_well(self, kept: bytes) -> bool:
        return is_sealed(kept) and key_id_of(kept) == self._vault.master.key_id

    def set_default(self, tenant: str, url: str | None) -> None:
        """Where the ends of tasks go that name no address of their own, from the next submit on; a disabled address
        is enabled by it. Raises `InvalidInput`."""
        if url is None:
            with redis_faults():
                self._client.hdel(self._names.defaults, check_tenant(tenant))
            self._note(tenant, "webhook.default", "unset")
            return
        _check_default(url, self._settings, self.read(tenant).secret_id is not None, tenant, "url")
        pipe = self._client.pipeline(transaction=True)
        pipe.zrem(self._names.disabled(tenant), url)
        pipe.hset(self._names.defaults, tenant, url)
        with redis_faults():
            pipe.execute()
        self._note(tenant, "webhook.default", "set", [place_of(url)])

    def disable(self, tenant: str, url: str) -> None:
        """Send nothing more there, for 30 days or until it is enabled; the receiver said that it is gone."""
        name = self._names.disabled(tenant)
        pipe = self._client.pipeline(transaction=True)
        pipe.zadd(name, {url: now_ms()})
        pipe.zremrangebyscore(name, "-inf", now_ms() - DISABLED_MS)
        pipe.zremrangebyrank(name, 0, -DISABLED_AT_MOST - 1)
        pipe.pexpire(name, DISABLED_MS)
        pipe.hget(self._names.defaults, tenant)
        with redis_faults():
            *_, default = pipe.execute()
            if default == url.encode():
                self._client.hdel(self._names.defaults, tenant)
        self._note(tenant, "webhook.disable", "disabled", [place_of(url)], WORKER)

    def enable(self, tenant: str, url: str) -> bool:
        """False where it was not disabled."""
        with redis_faults():
            was_disabled = bool(self._client.zrem(self._names.disabled(check_tenant(tenant)), url))
        if was_disabled:
            self._note(tenant, "webhook.enable", "enabled", [place_of(url)])
        return was_disabled

    def is_disabled(self, tenant: str, url: str) -> bool:
        with redis_faults():
            return _is_recent(self._client.zscore(self._names.disabled(tenant), url))

    def _note(self, tenant: str, action: str, outcome: str, ids: Sequence[str] = (), by: By = CLI) -> None:
        with redis_faults():
            note(self._client, self._settings, tenant, by, action, outcome, ids)


class WebhookDesk:
    """For the gateway. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: AsyncRedis, settings: Settings, read_tasks: ReadTasks) -> None:
        self._client = client
        self._settings = settings
        self._read_tasks = read_tasks
        self._names = _Names(settings)

    async def refused(self, callbacks: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[FieldError]]:
        """Which of these, each a tenant and an address, no task may have; each with what is wrong and the remedy."""
        refused: dict[tuple[str, str], list[FieldError]] = {}
        asked: list[tuple[str, str]] = []
        for tenant, url in callbacks:
            try:
                check_callback(url, self._settings.webhook_allowed_hosts)
                asked.append((tenant, url))
            except InvalidInput as invalid:
                refused[tenant, url] = invalid.errors
        if asked:
            refused |= await self._unfit(asked)
        return refused

    async def _unfit(self, callbacks: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[FieldError]]:
        pipe = self._client.pipeline(transaction=False)
        for tenant, url in callbacks:
            pipe.zscore(self._names.disabled(tenant), url)
            pipe.exists(self._names.secret(tenant))
        with redis_faults():
            answers = await pipe.execute()
        unfit = {}
        for (tenant, url), disabled_at, has_secret in zip(callbacks, answers[::2], answers[1::2], strict=True):
            if _is_recent(disabled_at):
                unfit[tenant, url] = [FieldError("callback_url", DISABLED)]
            elif not has_secret:
                unfit[tenant, url] = [FieldError("callback_url", NO_KEY.format(tenant=tenant))]
        return unfit

    async def log_of(self, task_id: str) -> list[dict[str, Any]]:
        """What became of the webhooks of a task, as entries of its log."""
        names = self._names
        with redis_faults():
            ids, untold = await self._client.hmget(names.task(task_id), ["deliveries", "untold"])
        entries = [untold_entry(int(untold))] if untold else []
        if not ids:
            return entries
        for delivery in await self._read_tasks(ids.decode().split(",")):
            entries += delivery_log(delivery)
        return entries

    async def read(self, tenant: str) -> WebhookSettings:
        pipe = self._client.pipeline(transaction=False)
        _ask(pipe, self._names, tenant)
        with redis_faults():
            return _settings(await pipe.execute())

    async def set_default(self, tenant: str, url: str | None) -> None:
        """As `Webhooks.set_default`. Raises `InvalidInput`."""
        if url is not None:
            has_secret = (await self.read(tenant)).secret_id is not None
            _check_default(url, self._settings, has_secret, tenant, "default_url")
        pipe = self._client.pipeline(transaction=True)
        if url is None:
            pipe.hdel(self._names.defaults, tenant)
        else:
            pipe.zrem(self._names.disabled(tenant), url)
            pipe.hset(self._names.defaults, tenant, url)
        with redis_faults():
            await pipe.execute()


def check_tenant(tenant: str) -> str:
    """Raises `InvalidInput`."""
    if not TENANT.fullmatch(tenant):
        raise InvalidInput.of("tenant", "must be 1 to 64 of a-z, 0-9, _ and -, and begin with a letter or digit")
    return tenant


def _is_recent(disabled_at: float | None) -> bool:
    return disabled_at is not None and disabled_at > now_ms() - DISABLED_MS


# --------------------------------------------------------------------------------------------- in the log

_TOLD_AS: dict[str, str] = {
    State.QUEUED: "webhook_queued",
    State.RETRYING: "webhook_retrying",
    State.SUCCEEDED: "webhook_delivered",
    State.FAILED: "webhook_given_up",
    State.CANCELLED: "webhook_cancelled",
}


def untold_entry(seq: int) -> dict[str, Any]:
    """The latest end of a task that was told to nobody, because too many webhooks waited."""
    return {"id": str(seq), "event": "webhook_dropped", "at": rfc3339(seq // SEQ_PER_MS), "reason": "too many wait"}


def delivery_log(delivery: Task) -> list[dict[str, Any]]:
    """What became of a delivery, as entries of the log of the task whose end it tells. Why an attempt failed is known
    of the last one."""
    first, *others = delivery.events()
    # That the time of a repeat has come says nothing new.
    told = [event for event in others if event.event != State.QUEUED or "requeued" in event.extra]
    entries = [
        {**event.as_log_entry(), "event": _TOLD_AS[event.event], "webhook_id": delivery.task_id}
        for event in (first, *told)
        if event.event in _TOLD_AS
    ]
    for entry in entries:
        entry.pop("run", None)
        entry.pop("progress", None)
    if delivery.error is not None:
        entries[-1]["error"] = error_as_json(delivery.error)
    elif delivery.status is State.SUCCEEDED and delivery.result is not None:
        entries[-1]["http_status"] = delivery.result.get("http_status")
    return entries
