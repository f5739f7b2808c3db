"""`despacho webhooks`: a tenant's secret, its default address and its disabled ones, from the command line of the
machine, against a server that runs.

What they mean and how they are kept is the business of `tasks.webhooks`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from cli.keys import located
from cli.reach import check_reachable
from tasks.clock import rfc3339
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.webhooks import Secret, Webhooks


def webhooks(given: argparse.Namespace, settings: Settings) -> int:
    """Do what `given.action` says; returns the exit code. Raises `SettingsError` if no server answers,
    and `InvalidInput` for a tenant or an address that is not allowed."""
    from tasks.connection import connect
    from tasks.webhooks import Webhooks

    server = located(settings)
    check_reachable(server)
    with connect(server) as client:
        return ACTIONS[given.action](Webhooks(client, server), given)


def _show(known: Webhooks, given: argparse.Namespace) -> int:
    found = known.read(given.tenant)
    print(f"default address: {found.default_url or 'none'}")
    print(f"secret: {_told(found.secret_id, 'made', found.secret_made_ms)}")
    if found.old_secret_id:
        print(f"secret before it: {_told(found.old_secret_id, 'signs too until', found.old_secret_until_ms)}")
    for url, at_ms in found.disabled:
        print(f"disabled at {rfc3339(at_ms)}: {url}")
    return 0


def _told(secret_id: str | None, what: str, at_ms: int | None) -> str:
    return f"{secret_id}, {what} {rfc3339(at_ms)}" if secret_id else "none"


def _secret(known: Webhooks, given: argparse.Namespace) -> int:
    if given.rotate:
        _shown_once(known.rotate_secret(given.tenant), given.tenant)
        print("The secret before it signs beside it for 24 hours.")
        return 0
    made = known.make_secret(given.tenant)
    if made is not None:
        _shown_once(made, given.tenant)
        return 0
    present = known.read(given.tenant).secret_id
    print(f"Tenant {given.tenant} has the secret {present}, shown when it was made; --rotate makes a new one.")
    return 0


def _shown_once(secret: Secret, tenant: str) -> None:
    print(f"Secret {secret.secret_id} of tenant {tenant}, shown only now: {secret.text}")


def _url(known: Webhooks, given: argparse.Namespace) -> int:
    known.set_default(given.tenant, given.url)
    where = f"go to {given.url} by default" if given.url else "go nowhere by default"
    print(f"Webhooks of tenant {given.tenant} {where}.")
    return 0


def _enable(known: Webhooks, given: argparse.Namespace) -> int:
    if not known.enable(given.tenant, given.url):
        print(f"despacho: {given.url} is not disabled; `despacho webhooks show` tells which are.", file=sys.stderr)
        return 1
    print(f"{given.url} is enabled again.")
    return 0


ACTIONS: dict[str, Callable[[Webhooks, argparse.Namespace], int]] = {
    "show": _show,
    "secret": _secret,
    "url": _url,
    "enable": _enable,
}
