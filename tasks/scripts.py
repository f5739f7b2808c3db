"""Loads the scripts of `lua/` and puts the prelude in front of each: the only code that changes a task."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

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
    "hand_back",
    "reclaim",
    "promote",
    "beat",
    "reap",
    "retire",
    "expire",
)


@cache
def source(name: str) -> str:
    """The whole text of one script, as it is sent to the server."""
    folder = files("tasks") / "lua"
    prelude = (folder / "prelude.lua").read_text()
    body = (folder / f"{name}.lua").read_text()
    return "\n".join(["local NS = KEYS[1]", lua_functions(), prelude, body])
