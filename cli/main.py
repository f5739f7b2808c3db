"""The `despacho` command: its arguments, and which module does what they say.

Whatever a command needs is imported when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module, metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.settings import Settings

OK = 0
FAILED = 1
WRONG_USE = 2

LONGEST_TERM_DAYS = 36_500

FLAGS = {
    "host": "address that the gateway listens on",
    "port": "port that the gateway listens on; 0 lets the machine pick one",
    "data_dir": "directory of the documents, the results, the logs and the embedded server's file",
    "workers": "auto: as many worker processes as the age of the oldest waiting task asks for; fixed: --processes",
    "processes": "worker processes",
    "threads": "threads in one worker process",
    "redis_url": "a Redis or Valkey to use instead of the embedded one "
    "(with a password in it, use DESPACHO_REDIS_URL: command lines can be read by others)",
}
"""The settings that can be given as flags; all can be given in the environment, as DESPACHO_<NAME>."""

COMMANDS = {
    "up": ("run everything on this machine", tuple(FLAGS)),
    "gateway": ("run the HTTP gateway alone", ("host", "port", "data_dir", "redis_url")),
    "worker": ("run one worker process alone", ("threads", "data_dir", "redis_url")),
    "scheduler": ("run the scheduler alone", ("data_dir", "redis_url")),
}

EVALUATED = ("triage", "documents", "entities", "extraction")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 done, 1 failed, 2 wrong arguments or settings."""
    given = parser().parse_args(arguments)
    return told_in_one_line(lambda: _run(given))


def told_in_one_line(run: Callable[[], int]) -> int:
    """The exit code of `run`; an error of ours becomes one line on stderr and a code."""
    from tasks.errors import DespachoError, InvalidInput, SettingsError

    try:
        return run()
    except (SettingsError, InvalidInput) as error:
        return _fail(error, WRONG_USE)
    except DespachoError as error:
        return _fail(error, FAILED)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="despacho", description="The background engine of a legal-intake service.")
    top.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (purpose, flags) in COMMANDS.items():
        _add_flags(commands.add_parser(name, help=purpose, description=purpose), flags)
    _add_keys(commands.add_parser("keys", help="make, list and revoke API keys"))
    _add_master_key(commands.add_parser("master-key", help="put the keys of cases under a new master key"))
    _add_receipt(commands.add_parser("verify-receipt", help="check the receipt of an erasure"))
    _add_quotas(commands.add_parser("quotas", help="how many tasks of a tenant may wait"))
    _add_audit(commands.add_parser("audit", help="check the audit trails"))
    _add_webhooks(commands.add_parser("webhooks", help="set where the ends of tasks are told, and what signs it"))
    _add_alerts(commands.add_parser("alerts", help="check the rules of alerts"))
    _add_doctor(commands.add_parser("doctor", help="find what has gone astray, and mend it"))
    _add_backup(commands.add_parser("backup", help="back everything up while it runs, or verify a backup"))
    _add_restore(commands.add_parser("restore", help="put a backup into an empty installation"))
    _add_evaluate(commands.add_parser("evaluate", help="measure the engines on labelled examples"))
    return top


def _add_flags(command: argparse.ArgumentParser, flags: Sequence[str]) -> None:
    for name in flags:
        command.add_argument(f"--{name.replace('_', '-')}", help=FLAGS[name], metavar=name.upper())


def _add_keys(keys: argparse.ArgumentParser) -> None:
    actions = keys.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a key and print its secret, once")
    create.add_argument("name", help="what the key is for")
    create.add_argument("--tenant", default="default", help="whose tasks the key reaches (%(default)s)")
    create.add_argument(
        "--scope",
        action="append",
        dest="scopes",
        metavar="SCOPE",
        help="a right of the key; repeat it for several (tasks:read, tasks:write and tasks:payload)",
    )
    create.add_argument("--expires-in-days", type=_days, metavar="DAYS", help="let it expire (never)")
    shown = actions.add_parser("list", help="show all keys, without their secrets")
    revoke = actions.add_parser("revoke", help="make a key useless from now on")
    revoke.add_argument("key_id", help="the id that `list` shows")
    for action in (create, shown, revoke):
        _add_flags(action, ("data_dir", "redis_url"))


def _add_master_key(master_key: argparse.ArgumentParser) -> None:
    actions = master_key.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="print a new master key")
    rewrap = actions.add_parser("rewrap", help="put the keys of all cases under the first of the keys that are set")
    for action in (new, rewrap):
        _add_flags(action, ("data_dir", "redis_url"))


def _add_receipt(receipt: argparse.ArgumentParser) -> None:
    receipt.add_argument("receipt", metavar="RECEIPT.json", help="what the erasure answered with")
    _add_flags(receipt, ("data_dir",))


def _add_quotas(quotas: argparse.ArgumentParser) -> None:
    actions = quotas.add_subparsers(dest="action", required=True, metavar="ACTION")
    chosen = actions.add_parser("set", help="give a tenant a quota of its own")
    chosen.add_argument("tenant")
    chosen.add_argument("quota", type=int, help="how many of its tasks may wait; 0 stops its submits")
    unset = actions.add_parser("unset", help="give a tenant the quota of all again (DESPACHO_TENANT_QUOTA)")
    unset.add_argument("tenant")
    shown = actions.add_parser("list", help="show the tenants that have a quota of their own")
    for action in (chosen, unset, shown):
        _add_flags(action, ("data_dir", "redis_url"))


def _add_audit(audit: argparse.ArgumentParser) -> None:
    actions = audit.add_subparsers(dest="action", required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="follow the chains; exit code 1 where one is broken")
    verify.add_argument("--tenant", help="only the trail of this tenant")
    verify.add_argument(
        "--head",
        type=_head,
        metavar="NUMBER:HASH",
        help="an end that was noted earlier: check that the trail of --tenant still holds it",
    )
    _add_flags(verify, ("data_dir", "redis_url"))


def _head(given: str) -> tuple[int, str]:
    found = re.fullmatch(r"(\d{1,15}):([0-9a-f]{64})", given)
    if found is None:
        raise argparse.ArgumentTypeError("must be a number, a colon and the 64 digits of a hash")
    return int(found[1]), found[2]


def _add_webhooks(webhooks: argparse.ArgumentParser) -> None:
    actions = webhooks.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="show what is set, without secrets")
    secret = actions.add_parser("secret", help="make the secret that signs, and print it, once")
    secret.add_argument("--rotate", action="store_true", help="make a new one; the present one signs for 24 h more")
    url = actions.add_parser("url", help="set where the ends of tasks are told that name no address of their own")
    wanted = url.add_mutually_exclusive_group(required=True)
    wanted.add_argument("url", nargs="?", metavar="URL", help="an https address")
    wanted.add_argument("--none", action="store_true", help="nowhere")
    enable = actions.add_parser("enable", help="send again to an address whose server had answered 410 Gone")
    enable.add_argument("url", metavar="URL", help="as `show` tells it")
    for action in (show, secret, url, enable):
        action.add_argument("--tenant", default="default", help="whose webhooks (%(default)s)")
        _add_flags(action, ("data_dir", "redis_url"))


def _add_alerts(alerts: argparse.ArgumentParser) -> None:
    actions = alerts.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="say what the rules of a file are, or what is wrong with them")
    check.add_argument("file", metavar="FILE", help="the rules, as DESPACHO_ALERTS_FILE would name them")


def _add_doctor(doctor: argparse.ArgumentParser) -> None:
    doctor.add_argument("--fix", action="store_true", help="put right what is found; without it, only say so")
    _add_flags(doctor, ("data_dir", "redis_url"))


PLACE = "where the backups are: a folder or s3://bucket/prefix (DESPACHO_BACKUP_TO)"
ONE_BACKUP = "one backup, as `despacho backup list` shows it"


def _add_backup(backup: argparse.ArgumentParser) -> None:
    backup.add_argument("--to", metavar="PLACE", help=PLACE)
    backup.add_argument("--keep-days", type=_whole_days, metavar="N", help="remove those that are older")
    _add_flags(backup, ("data_dir", "redis_url"))
    actions = backup.add_subparsers(dest="action", metavar="ACTION")
    verify = actions.add_parser("verify", help="check a backup against its checksums")
    verify.add_argument("source", metavar="FROM", help=ONE_BACKUP)
    listed = actions.add_parser("list", help="the backups that are there, the oldest first")
    listed.add_argument("--to", metavar="PLACE", default=argparse.SUPPRESS, help=PLACE)


def _add_restore(restore: argparse.ArgumentParser) -> None:
    restore.add_argument("source", metavar="FROM", help=ONE_BACKUP)
    _add_flags(restore, ("data_dir", "redis_url"))


def _whole_days(given: str) -> int:
    days = int(given)
    if not 1 <= days <= LONGEST_TERM_DAYS:
        raise argparse.ArgumentTypeError(f"must be 1 to {LONGEST_TERM_DAYS}")
    return days


def _add_evaluate(evaluate: argparse.ArgumentParser) -> None:
    evaluate.add_argument("gold", metavar="GOLD.jsonl", help="the labelled examples, one JSON object a line")
    evaluate.add_argument("--task", choices=EVALUATED, help="what they are for (told by their fields)")
    evaluate.add_argument(
        "--label", action="append", dest="labels", metavar="LABEL", help="score this entity type; repeat it (all)"
    )
    evaluate.add_argument("--html", metavar="PAGE.html", help="write a page with the matrix as a picture as well")
    evaluate.add_argument("--answers", metavar="OUT.jsonl", help="write what the engine answered, a line an example")


def _days(given: str) -> float:
    days = float(given)
    if not 0 < days <= LONGEST_TERM_DAYS:
        raise argparse.ArgumentTypeError(f"must be more than 0 and at most {LONGEST_TERM_DAYS}")
    return days


_COMMANDS = {
    "keys": ("cli.keys", "keys"),
    "quotas": ("cli.quotas", "quotas"),
    "audit": ("cli.audit", "audit"),
    "webhooks": ("cli.webhooks", "webhooks"),
    "doctor": ("cli.doctor", "doctor"),
    "backup": ("cli.backup", "backup"),
    "restore": ("cli.backup", "restore"),
    "master-key": ("cli.privacy", "master_key"),
    "verify-receipt": ("cli.privacy", "verify_receipt"),
    "evaluate": ("cli.evaluate", "evaluate"),
}
"""The function of each command that takes arguments of its own, and its module."""


def _run(given: argparse.Namespace) -> int:
    from tasks.settings import Settings

    if given.command == "alerts":
        from cli.alerts import alerts

        return alerts(given)
    settings = Settings.load(**{name: getattr(given, name, None) for name in FLAGS})
    if given.command in _COMMANDS:
        module, name = _COMMANDS[given.command]
        # Only what this command needs is loaded.
        return int(getattr(import_module(module), name)(given, settings))
    return _RUNNERS[given.command](settings)


def _up(settings: Settings) -> int:
    from cli.up import up

    return up(settings)


def _gateway(settings: Settings) -> int:
    _log_to_stderr(settings)
    from gateway.serve import main as serve

    return serve(settings)


def _worker(settings: Settings) -> int:
    _log_to_stderr(settings)
    from actors.worker import main as work

    return work(settings)


def _scheduler(settings: Settings) -> int:
    _log_to_stderr(settings)
    from actors.scheduler import main as schedule

    return schedule(settings)


def _log_to_stderr(settings: Settings) -> None:
    """Where a container's logs are looked for; under `despacho up` it is the process's own file."""
    from cli.logs import log_to_stderr

    log_to_stderr(settings.log_level, settings.log_format)


_RUNNERS = {"up": _up, "gateway": _gateway, "worker": _worker, "scheduler": _scheduler}


def _fail(error: Exception, code: int) -> int:
    print(f"despacho: {error}", file=sys.stderr)
    return code


def _version() -> str:
    try:
        return metadata.version("despacho")
    except metadata.PackageNotFoundError:
        return "(a checkout that is not installed)"


if __name__ == "__main__":
    sys.exit(main())
