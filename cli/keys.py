"""`despacho keys`: API keys from the command line of the machine, against a server that runs.

What a key is and how it is kept is the business of `tasks.api_keys`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from cli.embedded import answers, socket_url
from cli.reach import check_reachable
from cli.state import read_state
from tasks.errors import SettingsError
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.api_keys import ApiKey, ApiKeys

DEFAULT_SCOPES = ("tasks:read", "tasks:write", "tasks:payload")
COLUMNS = "{:<22} {:<20} {:<16} {:<58} {:<17} {:<17} {}"


def keys(given: argparse.Namespace, settings: Settings) -> int:
    """Do what `given.action` says; returns the exit code. Raises `SettingsError` if no server answers,
    and `InvalidInput` for a tenant, scope or number of keys that is not allowed."""
    from tasks.api_keys import ApiKeys
    from tasks.connection import connect

    server = located(settings)
    check_reachable(server)
    with connect(server) as client:
        return ACTIONS[given.action](ApiKeys(client, server), given)


def located(settings: Settings) -> Settings:
    """The settings with the address of the server: the one that is set, or the embedded one of the data directory."""
    if "redis_url" in settings.model_fields_set:
        return settings
    state = read_state(settings.data_dir.expanduser().absolute())
    if state is None or state.socket is None or not answers(state.socket):
        raise SettingsError(
            f"no Despacho runs in the data directory {settings.data_dir}. "
            "Start it with `despacho up`, name another with --data-dir, or set DESPACHO_REDIS_URL."
        )
    return settings.model_copy(update={"redis_url": socket_url(state.socket)})


def _create(api_keys: ApiKeys, given: argparse.Namespace) -> int:
    scopes = tuple(given.scopes or DEFAULT_SCOPES)
    record, secret = api_keys.create(given.name, given.tenant, scopes, _expiry(given.expires_in_days))
    print(f"Key {record.key_id} of tenant {record.tenant}, shown only now: {secret}")
    return 0


def _list(api_keys: ApiKeys, _given: argparse.Namespace) -> int:
    print(COLUMNS.format("KEY", "NAME", "TENANT", "SCOPES", "EXPIRES", "LAST USED", "STATE"))
    for key in api_keys.list():
        print(_row(key))
    return 0


def _revoke(api_keys: ApiKeys, given: argparse.Namespace) -> int:
    if not api_keys.revoke(given.key_id):
        print(f"despacho: there is no key {given.key_id}; `despacho keys list` shows them.", file=sys.stderr)
        return 1
    print(f"Key {given.key_id} is revoked.")
    return 0


ACTIONS: dict[str, Callable[[ApiKeys, argparse.Namespace], int]] = {
    "create": _create,
    "list": _list,
    "revoke": _revoke,
}


def _row(key: ApiKey) -> str:
    state = "revoked" if key.revoked else "valid"
    moments = (_shown(key.expires_at), _shown(key.last_used_at))
    return COLUMNS.format(key.key_id, key.name, key.tenant, " ".join(key.scopes), *moments, state)


def _shown(moment: dt.datetime | None) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%MZ") if moment else "never"


def _expiry(days: float | None) -> dt.datetime | None:
    return None if days is None else dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
