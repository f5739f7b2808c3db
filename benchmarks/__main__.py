"""The command: `python -m benchmarks` measures everything; `--quick` takes a look in two minutes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.bars import bars, missed
from benchmarks.child import end_on_sigterm
from benchmarks.figures import Report
from benchmarks.peers import MODULES
from benchmarks.plan import QUICK, Plan
from benchmarks.plot import draw
from benchmarks.readme import write_into
from benchmarks.run import PARTS, run
from benchmarks.table import render


def main() -> int:
    options = _options()
    end_on_sigterm()
    plan = _plan(options)
    report = _load(options.load) if options.load else run(_parts(options), options.peers, plan)
    found = bars(report)
    text = "\n".join([render(report, plan), "", "", "Bars", *map(str, found)])
    print(text if options.check else render(report, plan))
    _write(options, report, text)
    return 1 if options.check and missed(found) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers and no recovery: not a measurement")
    parser.add_argument("--rounds", type=int, help="rounds, each over all peers")
    parser.add_argument("--tasks", type=int, help="tasks to drain per round")
    parser.add_argument("--seconds", type=int, help="how long each endpoint is under wrk")
    parser.add_argument("--records", type=int, help="finished tasks in the large store")
    parser.add_argument("--patience", type=float, help="s after which a recovery is given up")
    parser.add_argument("--recovery", action="store_true", help="kill and restart workers in a quick run, too")
    parser.add_argument("--parts", type=_names(PARTS), help=f"only some of {','.join(PARTS)}")
    parser.add_argument("--peers", type=_names(tuple(MODULES)), default=list(MODULES), help="only some of the peers")
    parser.add_argument("--check", action="store_true", help="say which bars are met; exit code 1 where one is not")
    parser.add_argument("--text", type=Path, help="write the tables to this file")
    parser.add_argument("--plot", type=Path, help="write bars as SVG to this file")
    parser.add_argument("--readme", type=Path, help="put the short table into this file, between its marks")
    parser.add_argument("--save", type=Path, help="keep the figures in this file, as JSON")
    parser.add_argument("--load", type=Path, help="show the figures of such a file; nothing is measured")
    return parser.parse_args()


def _names(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"no such name: {', '.join(unknown)}; there are: {', '.join(known)}")
        return names

    return parse


def _plan(options: argparse.Namespace) -> Plan:
    given = {
        "rounds": options.rounds,
        "recoveries": options.rounds,
        "drain": options.tasks,
        "http_s": options.seconds,
        "records": options.records,
        "patience_s": options.patience,
    }
    plan = QUICK if options.quick else Plan()
    return replace(plan, **{name: value for name, value in given.items() if value is not None})


def _parts(options: argparse.Namespace) -> list[str]:
    if options.parts:
        return list(options.parts)
    return [part for part in PARTS if part != "recovery" or options.recovery or not options.quick]


def _load(path: Path) -> Report:
    return Report.from_json(json.loads(path.read_text(encoding="utf-8")))


def _write(options: argparse.Namespace, report: Report, text: str) -> None:
    if options.save:
        options.save.write_text(json.dumps(asdict(report)), encoding="utf-8")
    if options.text:
        options.text.write_text(text + "\n", encoding="utf-8")
    if options.plot:
        options.plot.write_text(draw(report), encoding="utf-8")
    if options.readme:
        write_into(options.readme, report)


if __name__ == "__main__":
    sys.exit(main())
