"""The scripts of `lua/` as one library of Redis functions: the only code that changes a task.

A library is loaded once and keeps its helpers, so that a call costs no more than its own commands; the same as
`EVALSHA` scripts took four times as long. Its name holds a digest of its text: during a rolling upgrade the old and
the new one serve side by side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.resources import files
from threading import local
from time import sleep
from typing import Any

import redis

from tasks import tracing
from tasks.catalog import CATALOG, WEBHOOK_TASK
from tasks.keys import lua_functions
from tasks.record import RunOptions
from tasks.shared_connection import SharedConnection

NAMES = (
    "submit",
    "fetch",
    "progress",
    "keep_lines",
    "count_tokens",
    "count_cached",
    "succeed",
    "retry",
    "fail",
    "cancelled",
    "await_children",
    "cancel",
    "requeue",
    "pause",
    "resume",
    "advance_schedule",
    "steer_schedule",
    "pause_batch",
    "resume_batch",
    "hand_back",
    "held_by",
    "reclaim",
    "beat",
    "do_chores",
    "retire",
    "expired",
    "expire",
    "forget",
    "note",
    "extend_audit",
    "standing",
    "total",
    "sweep",
    "keep_vector",
    "share_vectors",
    "note_about",
    "begin_erasure",
    "erase_tasks",
    "end_erasure",
    "hold_case",
    "put_case",
    "add_document",
    "ask_breaker",
    "breaker_failed",
    "breaker_succeeded",
    "settle_alert",
    "restore_records",
    "restore_families",
    "restore_live",
    "remove_document",
    "discard",
    "dead_facts",
    "note_replay",
    "begin_replay",
    "replay_some",
    "settle_replay",
    "end_replay",
)

SHARED = ("clock", "counting", "prelude", "requests", "quotas", "case_keys", "limits", "fetching", "chores", "astray")

_FRAME = """
-- A server whose memory is full refuses new tasks, vectors and lines, and lets the running tasks end.
local NEEDS_ROOM = {submit = true, keep_vector = true, share_vectors = true, put_case = true, add_document = true,
  begin_replay = true, keep_lines = true}

local function register(name, body)
  local function call(keys, arguments)
    begin(keys[1])
    local done, answer = pcall(body, keys, arguments)
    finish_call()
    if not done then error(answer, 0) end
    return answer
  end
  local flags = NEEDS_ROOM[name] and {} or {'allow-oom'}
  redis.register_function{function_name = '@LIBRARY@_' .. name, callback = call, flags = flags}
end
"""


DELIVERIES_AT_MOST = 1_000_000
"""Webhooks that may wait, so that receivers which are away never fill the server's memory."""


def _delivery() -> str:
    """What the scripts must know of the task that delivers a webhook, as a table in Lua."""
    spec = CATALOG.get(WEBHOOK_TASK, internal=True)
    retry = spec.retry
    options = RunOptions(retry.max_retries, retry.min_backoff_s, retry.max_backoff_s, spec.timeout_s).encode()
    names = f"name = '{spec.name}', queue = '{spec.queue}'"
    return f"local DELIVERY = {{{names}, options = '{options}', most = {DELIVERIES_AT_MOST}}}"


@cache
def _body() -> str:
    folder = files("tasks") / "lua"
    functions = (
        f"register('{name}', function(KEYS, ARGV)\n{(folder / f'{name}.lua').read_text()}\nend)" for name in NAMES
    )
    shared = ((folder / f"{name}.lua").read_text() for name in SHARED)
    return "\n".join(["local NS", lua_functions(), _delivery(), *shared, _FRAME, *functions])


@cache
def library_name() -> str:
    return "despacho_" + hashlib.sha256(_body().encode()).hexdigest()[:12]


@cache
def library() -> str:
    """The text of the library, as it is loaded into the server."""
    return f"#!lua name={library_name()}\n" + _body().replace("@LIBRARY@", library_name())


@cache
def function(name: str) -> str:
    """The name under which the server knows an operation."""
    return f"{library_name()}_{name}"


def _is_missing(error: redis.ResponseError) -> bool:
    return "Function not found" in str(error)


REPEATS_AFTER_S = (0.05, 0.2)
"""A call whose connection broke is made again: all that don't fetch may be, also where only the answer was lost."""


TRACED = frozenset(
    {"submit", "cancel", "requeue", "progress", "keep_lines", "succeed", "retry", "fail", "cancelled", "hand_back"}
    | {"await_children"}
)
"""What moves one task or tells of it. Upkeep asks hundreds of times at a go, and nobody's request waits for it."""


def _is_traced(name: str) -> bool:
    return name in TRACED and tracing.is_traced()


def _span(name: str) -> AbstractContextManager[tracing.Span]:
    return tracing.span(f"redis {name}", "client", db__system__name="redis", db__operation__name=name)


Shield = Callable[[], AbstractContextManager[None]]


class Caller:
    """Calls operations for workers, over one connection per thread.

    The connections are redis-py's own; the client's way to them (a pool, a retry object, hooks) would cost a worker
    as much again as the call itself. `shield` is entered around each call, so that nothing tears it apart.
    """

    def __init__(self, client: redis.Redis, shield: Shield = nullcontext) -> None:
        self._client = client
        self._shield = shield
        self._of_thread = local()

    def __call__(self, name: str, namespace: str, arguments: Sequence[Any], *, repeats: bool = True) -> Any:
        """Call an operation; a server that doesn't have the library yet gets it. One that fetches is not to be
        repeated: what the first call took would be left lying."""
        if not _is_traced(name):
            return self._ask(name, namespace, arguments, repeats)
        with _span(name):
            return self._ask(name, namespace, arguments, repeats)

    def _ask(self, name: str, namespace: str, arguments: Sequence[Any], repeats: bool) -> Any:
        command = ("FCALL", function(name), 1, namespace, *arguments)
        pauses_s = REPEATS_AFTER_S if repeats else ()
        try:
            return self._send(command, pauses_s)
        except redis.ResponseError as error:
            if not _is_missing(error):
                raise
        self._client.function_load(library(), replace=True)
        return self._send(command, pauses_s)

    def _send(self, command: tuple[Any, ...], pauses_s: Sequence[float]) -> Any:
        connection = self._connection()
        with self._shield():
            for pause_s in pauses_s:
                try:
                    return _ask(connection, command)
                except (redis.ConnectionError, redis.TimeoutError):
                    sleep(pause_s)
            return _ask(connection, command)

    def _connection(self) -> Any:
        connection = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._of_thread.connection = self._client.connection_pool.make_connection()
        return connection


def _ask(connection: Any, command: tuple[Any, ...]) -> Any:
    try:
        connection.send_command(*command)
        return connection.read_response()
    except (redis.ConnectionError, redis.TimeoutError):
        connection.disconnect()
        raise


def call_once(client: redis.Redis, name: str, namespace: str, arguments: Sequence[Any]) -> Any:
    """Call an operation over a client's own pool: for commands, which call one now and then."""
    try:
        return client.fcall(function(name), 1, namespace, *arguments)
    except redis.ResponseError as error:
        if not _is_missing(error):
            raise
    client.function_load(library(), replace=True)
    return client.fcall(function(name), 1, namespace, *arguments)


class AsyncCaller:
    """Calls operations for the gateway, over the one connection that its requests share."""

    def __init__(self, connection: SharedConnection) -> None:
        self._connection = connection

    async def __call__(self, name: str, namespace: str, arguments: Sequence[Any]) -> Any:
        """Call an operation; a server that doesn't have the library yet gets it."""
        if not _is_traced(name):
            return await self._call(name, namespace, arguments)
        with _span(name):
            return await self._call(name, namespace, arguments)

    async def _call(self, name: str, namespace: str, arguments: Sequence[Any]) -> Any:
        command = ("FCALL", function(name), 1, namespace, *arguments)
        try:
            return await self.ask(*command)
        except redis.ResponseError as error:
            if not _is_missing(error):
                raise
        await self._connection.call("FUNCTION", "LOAD", "REPLACE", library())
        return await self._connection.call(*command)

    async def ask(self, *command: Any) -> Any:
        """Send a command that may be sent twice. A broken connection is worth a second try, a silent server is not:
        the caller waits."""
        try:
            return await self._connection.call(*command)
        except redis.ConnectionError:
            return await self._connection.call(*command)

    async def close(self) -> None:
        await self._connection.close()
