"""Every key and channel in Redis: its pattern, its type, who writes it, and what bounds it.

Python formats keys with the functions of `Keys`; the scripts get the same functions in Lua, generated from the
same table, so that a key is spelled once. Nothing outside `tasks/` names a key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter


@dataclass(frozen=True, slots=True)
class Key:
    """One kind of key. `bound` says what keeps it from growing for ever: a TTL, or what limits its size."""

    name: str
    pattern: str
    type: str
    writer: str
    bound: str

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(name for _, name, _, _ in Formatter().parse(self.pattern) if name)


KEYS: tuple[Key, ...] = (
    Key("seq", "seq", "string", "every script that moves a task", "one number"),
    Key(
        "task",
        "task:{id}",
        "hash",
        "ledger",
        "TTL: retention after the end; waiting ones by max_waiting, webhooks by a million",
    ),
    # The transport: Dramatiq's own layout, so that dramatiq-dashboard reads it.
    Key("lane", "mq:{lane}", "list", "ledger", "max_waiting; a million webhooks"),
    Key("messages", "mq:{lane}.msgs", "hash", "ledger", "one field per waiting or running task"),
    Key("delayed_messages", "mq:{lane}.DQ.msgs", "hash", "ledger", "one field per delayed task"),
    Key("dead", "mq:{lane}.XQ", "zset", "ledger", "one member per failed task, leaves with its record"),
    Key("dead_messages", "mq:{lane}.XQ.msgs", "hash", "ledger", "one field per failed task"),
    Key("acks", "mq:__acks__.{worker}.{lane}", "set", "ledger", "the worker's threads; emptied by the reaper"),
    Key("heartbeats", "mq:__heartbeats__", "zset", "ledger", "one member per worker, removed by the reaper"),
    Key("delayed", "delayed", "zset", "ledger", "one member per delayed task"),
    Key("paused", "paused", "hash", "ledger", "one field per declared queue"),
    Key("worker", "worker:{worker}", "string", "ledger", "TTL: three heartbeat timeouts"),
    Key("chores", "chores", "string", "ledger", "TTL: two pulses; names the worker that does them"),
    # What waits for the limits of its type.
    Key("limited", "limited", "set", "ledger", "one member per limited type of task and queue"),
    Key("parked", "parked:{task_name}:{queue}", "zset", "ledger", "one member per parked task"),
    Key(
        "parked_of_case", "parked_of_case:{task_name}:{tenant}:{case}", "zset", "ledger", "one member per parked task"
    ),
    Key("slots", "slots:{task_name}", "set", "ledger", "as many members as may run at a time"),
    Key(
        "slots_of_case", "slots_of_case:{task_name}:{tenant}:{case}", "set", "ledger", "as many as may run at a time"
    ),
    Key("next_slot", "next_slot:{task_name}", "string", "ledger", "TTL: until the rate has room again"),
    # What is looked up.
    Key("tenants", "tenants", "set", "ledger", "one member per tenant"),
    Key("by_status", "index:{tenant}:status:{status}", "zset", "ledger", "one member per kept task"),
    Key("by_name", "index:{tenant}:name:{task_name}", "zset", "ledger", "one member per kept task"),
    Key("by_case", "index:{tenant}:case:{case}", "zset", "ledger", "one member per kept task"),
    Key("children", "children:{id}", "zset", "ledger", "TTL: with its parent; 10,000 members"),
    Key("held", "held:{id}", "list", "ledger", "TTL: retention; 10,000 members"),
    Key("ended", "ended:{id}", "zset", "ledger", "TTL: with its parent; 10,000 members"),
    Key("expiring", "expiring", "zset", "ledger", "one member per ended task"),
    Key("idempotency", "idempotency:{tenant}:{digest}", "hash", "ledger", "TTL: 24 h"),
    Key("cursor_key", "cursor_key", "string", "cursors", "32 bytes"),
    Key("recent", "recent:{tenant}", "stream", "ledger", "about 10,000 entries"),
    Key("stats", "stats:{tenant}:{minute}", "hash", "ledger", "TTL: 8 days"),
    Key("hours", "hours:{hour}", "hash", "ledger", "TTL: 35 days; one field per queue, task type and figure"),
    Key("slowest", "slowest:{task_name}:{hour}", "zset", "ledger", "TTL: 35 days; 5 members"),
    Key("totals", "totals", "hash", "ledger", "one field per queue, task type and figure"),
    # Cases, documents, identity, reports.
    Key("case", "case:{tenant}:{case}", "hash", "cases", "TTL: case_retention"),
    Key(
        "case_key",
        "case_key:{tenant}:{case}",
        "string",
        "ledger, cases",
        "TTL: case_retention, and no shorter than tasks",
    ),
    Key("master_key_id", "master_key_id", "string", "master_key", "one id"),
    Key(
        "about", "about:{tenant}:{case}", "set", "ledger", "TTL: that of the case's key; one member per foreign task"
    ),
    Key("case_hold", "case_hold:{tenant}:{case}", "hash", "erasure", "10,000 a tenant"),
    Key("case_holds", "case_holds:{tenant}", "set", "erasure", "10,000 members"),
    Key("erasure", "erasure:{tenant}:{case}", "hash", "erasure", "TTL: 30 days"),
    Key(
        "case_documents",
        "case_documents:{tenant}:{case}",
        "set",
        "cases",
        "TTL: case_retention; 1,000 members",
    ),
    Key(
        "case_vectors",
        "case_vectors:{tenant}",
        "zset",
        "ledger, cases",
        "TTL: case_retention; one member per case with a vector, those of expired cases leave as others come",
    ),
    Key("shared_vector", "shared_vector:{tenant}:{digest}", "string", "ledger", "TTL: result_cache"),
    Key("shared_vectors", "shared_vectors:{tenant}", "zset", "ledger", "TTL: result_cache; embeddings_shared"),
    Key("vectors_of_case", "vectors_of_case:{tenant}:{case}", "set", "ledger", "TTL: result_cache; 1,000 members"),
    Key("document", "document:{tenant}:{id}", "hash", "cases", "TTL: case_retention"),
    Key("blob_users", "blob:{tenant}:{digest}", "set", "cases", "TTL: case_retention"),
    Key(
        "analysed",
        "analysed:{tenant}:{digest}",
        "hash",
        "analyses",
        "TTL: result_cache; 16 fields, dropped with a document",
    ),
    Key("blob_guard", "blob_guard:{tenant}:{digest}", "string", "cases", "TTL: 30 s"),
    Key("api_key", "apikey:{id}", "hash", "api_keys", "10,000 keys"),
    Key("api_keys", "apikeys", "set", "api_keys", "10,000 members"),
    Key("session", "session:{digest}", "string", "api_keys", "TTL: 12 h"),
    Key("ticket", "ticket:{digest}", "hash", "api_keys", "TTL: 60 s, then 1 h from the first connect"),
    Key("rate", "rate:{kind}:{digest}:{window}", "string", "rate_counts", "TTL: two windows of a minute"),
    Key("quotas", "quotas", "hash", "quotas", "10,000 fields, one per tenant that has a quota of its own"),
    Key("audit_pending", "audit_pending", "list", "ledger", "200,000 notes that aren't chained yet"),
    Key("audit_state", "audit_state", "hash", "ledger", "two fields"),
    Key("audit_head", "audit_head:{tenant}", "hash", "ledger", "five fields; one per tenant"),
    Key("audited", "audited", "set", "ledger", "one member per tenant"),
    Key("audit", "audit:{tenant}", "stream", "ledger", "audit_entries"),
    Key("webhook_secret", "webhook_secret:{tenant}", "hash", "webhooks", "one per tenant"),
    Key("webhook_old_secret", "webhook_old_secret:{tenant}", "hash", "webhooks", "TTL: 24 h from a rotation"),
    Key("webhook_defaults", "webhook_defaults", "hash", "webhooks", "one field per tenant"),
    Key("webhook_disabled", "webhook_disabled:{tenant}", "zset", "webhooks", "TTL: 30 days; 1,000 members"),
    Key("schedule", "schedule:{schedule}", "hash", "schedules", "seven fields; one per schedule of the table"),
    Key("schedulers", "schedulers", "zset", "scheduler_beats", "TTL: an hour; 1,000 members, silent ones leave"),
    # Circuit breakers of what is asked over the network.
    Key("breaker", "breaker:{dependency}", "hash", "breakers", "TTL: 7 days from its last failure"),
    Key("breakers", "breakers", "zset", "breakers", "1,000 members, those whose last failure is oldest leave"),
    Key("breaker_openings", "breaker_openings", "stream", "breakers", "about 10,000 entries"),
    # Gradual replays of dead letters.
    Key("replay", "replay:{id}", "hash", "replays", "TTL: two minutes until its task is queued, then 7 days"),
    Key("replay_waiting", "replay_waiting:{id}", "list", "replays", "TTL: that of its replay; 10,000 members"),
    Key("replay_going", "replay_going:{id}", "zset", "replays", "TTL: that of its replay; 10,000 members"),
    Key("replay_groups", "replay_groups", "hash", "replays", "20 fields, one per replay that runs"),
    Key("replays", "replays", "zset", "replays", "TTL: 7 days; the newest 100"),
    Key("alerts", "alerts", "hash", "alerts", "TTL: 8 days; 1,000 fields"),
    Key("alert_history", "alert_history", "stream", "alerts", "TTL: 400 days; about 10,000 entries"),
    Key("alert_notices", "alert_notices", "hash", "alerts", "TTL: a day; 1,000 fields that are still to be told"),
    Key("alert_slot", "alert_slot:{slot}", "string", "alerts", "TTL: two slots"),
    Key("alert_telling", "alert_telling", "string", "alerts", "TTL: a minute; names who tells"),
    Key("alerts_at", "alerts_at", "string", "alerts", "TTL: 8 days"),
    Key("report", "report:{id}", "hash", "reports", "TTL: 400 days"),
    Key("reports", "reports", "zset", "reports", "1,000 members"),
    Key("last_backup", "last_backup", "string", "backup", "how the last one went"),
    Key("at_work", "at_work:{what}", "string", "at_work", "TTL: a minute from the last word of who is"),
    Key("restoring", "restoring", "hash", "restore", "three fields, until the restore is over"),
)

CHANNELS: tuple[Key, ...] = (
    Key("bell", "bell", "channel", "ledger", "wakes idle workers; carries the lane"),
    Key("control", "control", "channel", "ledger", "`cancel <task id> <run>`, heard by every worker"),
    Key("case_erasures", "case_erasures", "channel", "erasure", "tenant and id of a case whose key was dropped"),
    Key("key_changes", "key_changes", "channel", "api_keys", "the id of a key that was revoked"),
    Key("task_events", "events:task:{id}", "channel", "ledger", "every event of one task"),
    Key("case_events", "events:case:{tenant}:{case}", "channel", "ledger", "every event of a case's tasks"),
    Key("batch_news", "events:batch:{id}", "channel", "ledger", "says that a case of a batch has ended"),
    Key("tenant_events", "events:tenant:{tenant}", "channel", "ledger", "every event of a tenant's tasks"),
)

_BY_NAME = {key.name: key for key in (*KEYS, *CHANNELS)}


class Keys:
    """Formats keys for one namespace: `Keys("despacho").of("task", id="t1")` is `despacho:task:t1`."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def of(self, name: str, **fields: str) -> str:
        return f"{self.namespace}:{_BY_NAME[name].pattern.format(**fields)}"

    @property
    def queue_namespace(self) -> str:
        """The namespace in which Dramatiq's key layout begins, for dramatiq-dashboard."""
        return f"{self.namespace}:mq"


def lua_functions() -> str:
    """The same formatters in Lua: `key.task(id)` and so on, over the namespace in `NS`."""
    return "local key = {}\n" + "\n".join(_lua_function(key) for key in _BY_NAME.values())


def _lua_function(key: Key) -> str:
    parts = [f"'{p}'" if i % 2 == 0 else p for i, p in enumerate(re.split(r"[{}]", f":{key.pattern}")) if p]
    return f"function key.{key.name}({', '.join(key.fields)}) return NS .. {' .. '.join(parts)} end"
