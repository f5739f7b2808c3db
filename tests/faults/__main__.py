"""Plays the cases and prints the table of what they left:
`python -m tests.faults [--stock] [--only NAME] [--long] [--markdown]`."""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.faults.arena import CASES, Case, run
from tests.faults.despacho import Despacho
from tests.faults.systems import Scale, System
from tests.faults.table import Row, markdown, text
from tests.faults.verdict import Verdict

PATIENCE_S = {False: 30.0, True: 300.0}


def main() -> int:
    given = _arguments()
    import tests.faults.cases  # noqa: F401

    scale = Scale(given.long, given.patience or PATIENCE_S[given.long])
    wanted = [case for case in CASES.values() if given.only in case.name]
    with ThreadPoolExecutor(given.at_once) as pool:
        runs = [
            (case, _stock(pool, case, scale, given.stock), _start(pool, case, Despacho, scale)) for case in wanted
        ]
        rows = [
            Row(case.fault, stock and _outcome(case, stock), _outcome(case, despacho))
            for case, stock, despacho in runs
        ]
    print((markdown if given.markdown else text)(rows, scale, with_stock=given.stock))
    return 0 if all(isinstance(row.despacho, Verdict) and row.despacho.clean for row in rows) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--stock", action="store_true", help="run stock Dramatiq beside Despacho")
    parser.add_argument("--only", default="", metavar="NAME", help="only the cases whose name holds this")
    parser.add_argument("--long", action="store_true", help="more tasks, Despacho's default timeouts, more patience")
    parser.add_argument("--patience", type=float, metavar="S", help="how long a system may take to recover")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--at-once", type=int, default=2 * (os.cpu_count() or 1), help="cases that run side by side")
    return parser.parse_args()


def _start(pool: ThreadPoolExecutor, case: Case, kind: type[System], scale: Scale) -> Future[Verdict]:
    return pool.submit(run, case, kind, scale)


def _stock(pool: ThreadPoolExecutor, case: Case, scale: Scale, wanted: bool) -> Future[Verdict] | None:
    if not wanted or not case.stock:
        return None
    from tests.faults.stock import Stock

    return _start(pool, case, Stock, scale)


def _outcome(case: Case, future: Future[Verdict]) -> Verdict | str:
    """The verdict; or why the case could not be played to its end."""
    try:
        verdict = future.result()
    except (Exception, pytest.fail.Exception) as error:
        verdict_or_error: Verdict | str = f"{type(error).__name__}: {error}"
    else:
        verdict_or_error = verdict
    print(f"{case.name}: {verdict_or_error}", file=sys.stderr, flush=True)
    return verdict_or_error


if __name__ == "__main__":
    sys.exit(main())
