"""`despacho audit verify`: follows the chains of the audit trails and names the first link that does not hold.

How entries are chained is the business of `tasks.audit`.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cli.keys import located
from cli.reach import check_reachable
from tasks.errors import InvalidInput
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.audit_chain import Verdict


def audit(given: argparse.Namespace, settings: Settings) -> int:
    """Chain what is noted and check the trails; returns 0 when all hold and 1 where one is broken. Raises
    `SettingsError` if no server answers, and `InvalidInput` for a head without its tenant."""
    from tasks.audit import Head
    from tasks.audit_chain import Trails
    from tasks.connection import connect
    from tasks.ledger import Ledger
    from tasks.redis_faults import redis_faults

    if given.head and not given.tenant:
        raise InvalidInput.of("--head", "is the end of one trail; say whose with --tenant")
    server = located(settings)
    check_reachable(server)
    known = Head(given.head[0], 0, given.head[1]) if given.head else None
    with connect(server) as client, redis_faults():
        ledger, trails = Ledger(client, server), Trails(client, server)
        while ledger.extend_audit():
            pass
        tenants = [given.tenant] if given.tenant else trails.tenants()
        verdicts = [trails.verify(tenant, known) for tenant in tenants]
    for verdict in verdicts:
        print(line(verdict))
    return 1 if any(verdict.broken for verdict in verdicts) else 0


def line(verdict: Verdict) -> str:
    """What came of one trail; its end is to be noted where nobody who can change the trail can change it."""
    if verdict.broken is not None:
        where = f"entry {verdict.broken.seq}: {verdict.broken.reason}"
        return f"{verdict.tenant}: BROKEN at {where} ({verdict.checked} before it hold)"
    end = f"{verdict.head.seq}:{verdict.head.hash}"
    return f"{verdict.tenant}: {verdict.checked} entries hold; the trail ends with {end}"
