"""`despacho doctor`: says what has gone astray in a server that runs, and with `--fix` puts it right.

What can go astray, and how it is found and mended, is the business of `tasks.inspection`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import groupby

from cli.keys import located
from cli.reach import check_reachable
from tasks.inspection import Find, Findings, Inspection, Kind, pause_for
from tasks.settings import Settings

SHOWN = 3

WORDS = {
    Kind.ACKS: ("held by workers that are gone", "given back"),
    Kind.MESSAGE: ("messages without a record", "dropped"),
    Kind.STRAY: ("ids in a lane without a record", "dropped"),
    Kind.MEMBER: ("listed without a record", "struck off"),
    Kind.MISFILED: ("listed under a status that isn't theirs", "listed anew"),
    Kind.UNINDEXED: ("not listed under their status", "listed anew"),
    Kind.ABANDONED: ("running on a worker that is gone", "queued again"),
    Kind.UNHELD: ("running, but not among what their worker holds", "put back into its hold"),
    Kind.LOST: ("queued, but in no lane or without a message", "queued again"),
    Kind.UNDELAYED: ("waiting for their time, but not among the delayed", "delayed again"),
    Kind.UNWOKEN: ("parents whose children have all ended", "woken"),
    Kind.STALLED: ("parents of which only held children are left", "the next child was queued"),
    Kind.ORPHANED: ("held children of a parent that has ended", "cancelled"),
    Kind.UNCHECKED: ("queued in a lane too long to be looked through", ""),
}
"""What is said of each kind: what it is, and what `--fix` did about it."""


def doctor(given: argparse.Namespace, settings: Settings) -> int:
    """Inspect the server; returns 0 when all is well and 1 when something was found, also when it was mended.
    Raises `SettingsError` if no server answers, and `Unavailable` if it goes away meanwhile."""
    from tasks.connection import connect
    from tasks.ledger import Ledger

    server = located(settings)
    check_reachable(server)
    with connect(server) as client:
        inspection = Inspection(Ledger(client, server), pause_for(server.heartbeat_timeout_s))
        findings = inspection.run(mend=given.fix)
    for line in report(findings, mended=given.fix):
        print(line)
    return 1 if findings.confirmed else 0


def report(findings: Findings, *, mended: bool) -> list[str]:
    """One line for each kind of find, and a last one that says how all is."""
    lines = _lines(findings.confirmed, mended=mended) + _lines(findings.unchecked, mended=False)
    return [*lines, _conclusion(len(findings.confirmed), mended=mended)]


def _lines(finds: Iterable[Find], *, mended: bool) -> list[str]:
    return [_line(kind, list(some), mended=mended) for kind, some in groupby(finds, key=lambda find: find.kind)]


def _line(kind: Kind, finds: list[Find], *, mended: bool) -> str:
    what, done = WORDS[kind]
    ids = ", ".join(ascii(find.subject)[1:-1] for find in finds[:SHOWN])
    more = ", ..." if len(finds) > SHOWN else ""
    return f"{len(finds)} {what}{': ' + done if mended else ''} ({ids}{more})"


def _conclusion(count: int, *, mended: bool) -> str:
    if count == 0:
        return "All is well."
    if mended:
        return f"{count} found and mended."
    return f"{count} found. `despacho doctor --fix` puts them right."
