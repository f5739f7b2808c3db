"""`despacho master-key` and `despacho verify-receipt`: what the owner of the master key does by hand.

What a master key is, and what a receipt says, is the business of `tasks.master_key` and `tasks.erasure`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from cli.keys import located
from cli.reach import check_reachable
from tasks.errors import InvalidInput
from tasks.settings import Settings


def master_key(given: argparse.Namespace, settings: Settings) -> int:
    """Print a new key, or put the keys of all cases under the first one that is set. Returns 0. Raises
    `SettingsError` if no server answers, or a key is missing."""
    from tasks.connection import connect
    from tasks.master_key import load_vault, new_master_key, rewrap_all
    from tasks.webhooks import Webhooks

    if given.action == "new":
        print(new_master_key())
        return 0
    server = located(settings)
    check_reachable(server)
    with connect(server) as client:
        print(f"{rewrap_all(client, server)} keys of cases were put under the present master key.")
        if moved := Webhooks(client, server, load_vault(server)).reseal():
            print(f"{moved} secrets of webhooks were, too.")
    return 0


def verify_receipt(given: argparse.Namespace, settings: Settings) -> int:
    """Say whether one of the master keys that are set signed this receipt; returns 0 if so, else 1."""
    from tasks.erasure import is_genuine
    from tasks.master_key import load_vault

    receipt = _read(Path(given.receipt))
    if not is_genuine(receipt, load_vault(settings)):
        print("despacho: this receipt was not signed here, or was changed.", file=sys.stderr)
        return 1
    print(f"Genuine: case {receipt['case_id']} of tenant {receipt['tenant']} was erased at {receipt['erased_at']}.")
    return 0


def _read(path: Path) -> dict[str, Any]:
    try:
        receipt = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidInput.of("RECEIPT.json", f"{path} can't be read as JSON ({type(error).__name__})") from None
    if not isinstance(receipt, dict):
        raise InvalidInput.of("RECEIPT.json", "must be one JSON object")
    return receipt
