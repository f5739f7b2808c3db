"""The scripts of `lua/` as one library of Redis functions: the only code that changes a task.

A library is loaded once and keeps its helpers, so that a call costs no more than its own commands; the same as
`EVALSHA` scripts took four times as long. Its name holds a digest of its text: during a rolling upgrade the old and
the new one serve side by side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import redis

from tasks.connection import AsyncRedis
from tasks.keys import lua_functions

NAMES = (
    "submit",
    "fetch",
    "start",
    "progress",
    "succeed",
    "retry",
    "fail",
    "cancelled",
    "await_children",
    "cancel",
    "requeue",
    "reject",
    "hand_back",
    "reclaim",
    "beat",
    "do_chores",
    "retire",
    "expired",
    "expire",
    "forget",
)

SHARED = ("prelude", "chores")

_FRAME = """
-- A server whose memory is full refuses new tasks, and lets the running ones end.
local function register(name, body)
  local function call(keys, arguments)
    begin(keys[1])
    local done, answer = pcall(body, keys, arguments)
    finish_call()
    if not done then error(answer, 0) end
    return answer
  end
  local flags = name == 'submit' and {} or {'allow-oom'}
  redis.register_function{function_name = '@LIBRARY@_' .. name, callback = call, flags = flags}
end
"""


@cache
def _body() -> str:
    folder = files("tasks") / "lua"
    functions = (
        f"register('{name}', function(KEYS, ARGV)\n{(folder / f'{name}.lua').read_text()}\nend)" for name in NAMES
    )
    shared = ((folder / f"{name}.lua").read_text() for name in SHARED)
    return "\n".join(["local NS", lua_functions(), *shared, _FRAME, *functions])


@cache
def library_name() -> str:
    return "despacho_" + hashlib.sha256(_body().encode()).hexdigest()[:12]


@cache
def library() -> str:
    """The text of the library, as it is loaded into the server."""
    return f"#!lua name={library_name()}\n" + _body().replace("@LIBRARY@", library_name())


def function(name: str) -> str:
    """The name under which the server knows an operation."""
    return f"{library_name()}_{name}"


def _is_missing(error: redis.ResponseError) -> bool:
    return "Function not found" in str(error)


def call(client: redis.Redis, name: str, namespace: str, arguments: Sequence[Any]) -> Any:
    """Call an operation; a server that doesn't have the library yet gets it."""
    try:
        return client.fcall(function(name), 1, namespace, *arguments)
    except redis.ResponseError as error:
        if not _is_missing(error):
            raise
    client.function_load(library(), replace=True)
    return client.fcall(function(name), 1, namespace, *arguments)


async def call_async(client: AsyncRedis, name: str, namespace: str, arguments: Sequence[Any]) -> Any:
    """The same for the gateway."""
    try:
        return await client.fcall(function(name), 1, namespace, *arguments)
    except redis.ResponseError as error:
        if not _is_missing(error):
            raise
    await client.function_load(library(), replace=True)
    return await client.fcall(function(name), 1, namespace, *arguments)
