"""The command: `python -m benchmarks [--rounds 3] [--quick] [--peers despacho,celery] [--plot FILE.svg]`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import redis

from benchmarks.marks import FOLDER
from benchmarks.one_round import Figures, Plan
from benchmarks.peers import MODULES, NAME, REDIS_URL
from benchmarks.processes import server
from benchmarks.table import machine, render

QUICK = Plan(drain=1_500, pick_ups=6, single=300, results=60, idle_s=1.0)
ROUND_WITHIN_S = 600


def main() -> None:
    options = _options()
    plan = QUICK if options.quick else Plan(drain=options.tasks)
    print(machine(), file=sys.stderr)
    found = _run(options.peers, options.rounds, plan)
    print(render(found, plan))
    if options.plot:
        from benchmarks.plot import draw

        options.plot.write_text(draw(found), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each over all peers")
    parser.add_argument("--tasks", type=int, default=Plan().drain, help="tasks to drain per round")
    parser.add_argument("--quick", action="store_true", help="small numbers: a look, not a measurement")
    parser.add_argument("--peers", type=_peers, default=list(MODULES), help="names, separated by commas")
    parser.add_argument("--plot", type=Path, help="write bars as SVG to this file")
    return parser.parse_args()


def _peers(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(MODULES):
        raise argparse.ArgumentTypeError(f"no such peer: {', '.join(unknown)}; there are: {', '.join(MODULES)}")
    return names


def _run(peers: list[str], rounds: int, plan: Plan) -> dict[str, list[Figures]]:
    found: dict[str, list[Figures]] = {name: [] for name in peers}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, server(Path(folder)) as (pid, port):
        plan = replace(plan, server_pid=pid)
        for number in range(rounds):
            # Rotated, so that no peer always follows the same other.
            for name in peers[number % len(peers) :] + peers[: number % len(peers)]:
                print(f"round {number + 1}: {name}", file=sys.stderr)
                figures = _round(name, port, plan, Path(folder) / f"{number}-{name}")
                if figures is not None:
                    found[name].append(figures)
    return found


def _round(name: str, port: int, plan: Plan, folder: Path) -> Figures | None:
    """One peer's round in a process of its own and a database of its own, empty at the start."""
    url = f"redis://127.0.0.1:{port}/{list(MODULES).index(name)}"
    redis.Redis.from_url(url).flushall()
    marks = folder / "marks"
    marks.mkdir(parents=True)
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.one_round", json.dumps(asdict(plan))],
        env=os.environ | {REDIS_URL: url, NAME: name, FOLDER: str(marks)},
        stdout=subprocess.PIPE,
        timeout=ROUND_WITHIN_S,
        check=False,
    )
    if ended.returncode:
        print(f"{name} did not get through; its workers said:\n{_tail(folder / 'workers.log')}", file=sys.stderr)
        return None
    return Figures(**json.loads(ended.stdout.splitlines()[-1]))


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2_000:] if log.exists() else ""


if __name__ == "__main__":
    main()
