"""`despacho alerts`: checks a file of rules before it is put to use. It needs no server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

LINE = "{:<20} {:<22} {:<9} {:>10} {}"


def alerts(given: argparse.Namespace) -> int:
    """Say what the rules are, or all that is wrong with them; returns the exit code: 0 good, 1 wrong."""
    from tasks.alert_rules import UNITS, read_rules
    from tasks.errors import InvalidInput

    try:
        found = read_rules(Path(given.file))
    except InvalidInput as wrong:
        for fault in wrong.errors:
            print(f"despacho: {fault.field}: {fault.message}", file=sys.stderr)
        return 1
    for rule in found.rules:
        print(LINE.format(rule.name, rule.kind, rule.severity, f"{rule.threshold:g}", UNITS[rule.kind]))
    print(f"{len(found.rules)} rules, evaluated every {found.every_s} s.")
    return 0
