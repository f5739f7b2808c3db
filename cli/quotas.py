"""`despacho quotas`: tenants that may have more tasks waiting than others, or fewer."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from cli.keys import located
from cli.reach import check_reachable
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.quotas import Quotas

COLUMNS = "{:<64} {}"


def quotas(given: argparse.Namespace, settings: Settings) -> int:
    """Do what `given.action` says; returns the exit code. Raises `SettingsError` if no server answers, and
    `InvalidInput` for a tenant or a quota that is not allowed."""
    from tasks.connection import connect
    from tasks.quotas import Quotas

    server = located(settings)
    check_reachable(server)
    with connect(server) as client:
        return ACTIONS[given.action](Quotas(client, server), given)


def _set(known: Quotas, given: argparse.Namespace) -> int:
    known.set(given.tenant, given.quota)
    print(f"At most {given.quota} tasks of {given.tenant} may wait.")
    return 0


def _unset(known: Quotas, given: argparse.Namespace) -> int:
    if not known.unset(given.tenant):
        print(f"despacho: {given.tenant} has no quota of its own.", file=sys.stderr)
        return 1
    print(f"{given.tenant} has the quota of all again.")
    return 0


def _list(known: Quotas, _given: argparse.Namespace) -> int:
    print(COLUMNS.format("TENANT", "QUOTA"))
    for tenant, quota in known.list().items():
        print(COLUMNS.format(tenant, quota))
    return 0


ACTIONS: dict[str, Callable[[Quotas, argparse.Namespace], int]] = {"set": _set, "unset": _unset, "list": _list}
