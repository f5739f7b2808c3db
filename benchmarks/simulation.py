"""What a larger Despacho would do: its queues simulated, fed with what one task costs on this machine.

    python -m benchmarks --parts costs --peers despacho --save costs.json
    python -m benchmarks.simulation costs.json --text docs/scaling.txt --plot docs/scaling.svg

Gateways, servers and worker processes are stations that serve one after another; tasks come as a Poisson process from
a fixed seed, so that the same costs give the same table. Networks, disks and what varies within one kind of task are
not in it. The first table holds it against the machine on which the costs were measured.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.figures import CostFigures, Report
from benchmarks.measures import percentile
from benchmarks.scaling_plot import Line, draw_lines

GATEWAY_US = 202.0
"""CPU of a gateway for one submit over HTTP: benchmarks/results.txt."""

CALLS = {"no-op": 2, "triage": 6}
"""Calls of a run, as `INFO commandstats` counts them: the fetch, each report of progress, the end."""

CORES = 2
PROCESSES, THREADS = 2, 8
HEADROOM = 0.6
"""How much of a core may be used where there is to be room for bursts."""

SLICE_US = 250.0
"""How long one burst holds a core that others wait for."""

TASKS = 12_000
WARM_UP = 0.2
KEEPS_UP = 0.97
SHORTEST_TOLD_MS = 5.0
MULTIPLES = (1, 2, 5, 10, 20, 50, 100, 200)
SERVERS = (1, 2, 4, 8, 16)
SEED = 20_261_125

Then = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Costs:
    """µs of CPU for one task: at the gateway, at the server for the submit and for the run, at the worker; and of the
    server for each second of a worker process. A run asks the server in so many `calls`, and works between them."""

    gateway_us: float
    submit_us: float
    run_us: float
    worker_us: float
    idle_us: float
    calls: int = 2

    @classmethod
    def of(cls, kind: str, rounds: Sequence[CostFigures], reads: int = 1) -> Costs:
        """The medians, with so many reads of the status per task."""

        def value(name: str) -> float:
            return median(getattr(figures, name) for figures in rounds)

        return cls(
            gateway_us=GATEWAY_US * (1 + reads),
            submit_us=value("submit_us") + reads * value("read_us"),
            run_us=value("run_us"),
            worker_us=value("worker_us"),
            idle_us=value("idle_us"),
            calls=CALLS[kind],
        )

    @property
    def server_us(self) -> float:
        return self.submit_us + self.run_us

    def load_of_one_machine(self) -> float:
        """Tasks a second that keep its cores busy to the headroom, everything on it."""
        return HEADROOM * CORES / (self.gateway_us + self.server_us + self.worker_us) * 1e6


@dataclass(frozen=True, slots=True)
class Plant:
    """How much there is of each. Where `cores` are given all share them; else each server, gateway and process has
    one. What else such a machine does makes everything take `slower` times as long."""

    gateways: int
    servers: int
    processes: int
    threads: int = THREADS
    cores: int | None = None
    slower: float = 1.0

    @classmethod
    def for_load(cls, per_s: float, costs: Costs, servers: int) -> Plant:
        """As many gateways and workers as leave the headroom, each server with as many workers of its own."""
        gateways = math.ceil(per_s * costs.gateway_us / 1e6 / HEADROOM)
        processes = math.ceil(per_s * costs.worker_us / 1e6 / HEADROOM / servers) * servers
        return cls(gateways=gateways, servers=servers, processes=processes)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a load: tasks done a second, times from submit to end, how busy the busiest were
    (0 to 1), and after how many seconds all was over."""

    offered_per_s: float
    done_per_s: float
    p50_ms: float
    p95_ms: float
    gateway_busy: float
    server_busy: float
    worker_busy: float
    over_s: float

    @property
    def keeps_up(self) -> bool:
        return self.done_per_s >= KEEPS_UP * self.offered_per_s


class Events:
    """The clock of a simulation, in µs: what comes next happens next."""

    def __init__(self) -> None:
        self.now = 0.0
        self._coming: list[tuple[float, int, Then]] = []
        self._number = 0

    def after(self, duration: float, then: Then) -> None:
        self._number += 1
        heapq.heappush(self._coming, (self.now + duration, self._number, then))

    def run(self) -> None:
        while self._coming:
            self.now, _, then = heapq.heappop(self._coming)
            then()


class Station:
    """Serves in the order of arrival, so many at once as it has places. Where it stands on `cores`, being served
    takes turns there with all others."""

    def __init__(self, events: Events, places: int = 1, cores: Station | None = None) -> None:
        self._events = events
        self._free = places
        self._places = places
        self._cores = cores
        self._waiting: deque[tuple[float, Then]] = deque()
        self._used = 0.0

    def serve(self, duration: float, then: Then) -> None:
        self._waiting.append((duration, then))
        self._begin()

    def busy(self, of: float) -> float:
        """The share of this time in which it served."""
        return self._used / of / self._places

    def _begin(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            duration, then = self._waiting.popleft()
            self._used += duration
            self._go_on(duration, then)

    def _go_on(self, left: float, then: Then) -> None:
        if self._cores is None:
            self._events.after(left, lambda: self._end(then))
        elif left <= SLICE_US:
            self._cores.serve(left, lambda: self._end(then))
        else:
            self._cores.serve(SLICE_US, lambda: self._go_on(left - SLICE_US, then))

    def _end(self, then: Then) -> None:
        self._free += 1
        then()
        self._begin()


class Shard:
    """One server and the workers on it. A worker takes one task a thread, and computes one at a time."""

    def __init__(
        self, events: Events, plant: Plant, costs: Costs, cores: Station | None, chance: random.Random
    ) -> None:
        processes = plant.processes // plant.servers
        # Heartbeats and the like take their share of the server, whatever comes.
        free = 1 - processes * costs.idle_us / 1e6
        self._submit_us = costs.submit_us * plant.slower / free
        self._chance = chance
        self._calls = costs.calls
        self._call_us = costs.run_us * plant.slower / free / costs.calls
        self._work_us = costs.worker_us * plant.slower / (costs.calls - 1)
        self.server = Station(events, 1, cores)
        self.processes = [Station(events, 1, cores) for _ in range(processes)]
        self._free = [plant.threads] * processes
        self._lane: deque[Then] = deque()

    def take(self, then: Then) -> None:
        """A task is submitted; `then` when it has ended."""
        self.server.serve(self._submit_us, lambda: self._queue(then))

    def _queue(self, then: Then) -> None:
        self._lane.append(then)
        self._fetch()

    def _fetch(self) -> None:
        """The bell wakes all that have a free thread, and who is first is chance: also one that computes already."""
        if not self._lane:
            return
        able = [number for number, free in enumerate(self._free) if free]
        if able:
            number = self._chance.choice(able)
            self._free[number] -= 1
            self._run(number, self._lane.popleft())

    def _run(self, number: int, then: Then) -> None:
        def end() -> None:
            self._free[number] += 1
            then()
            self._fetch()

        def call(left: int) -> None:
            self.server.serve(self._call_us, (lambda: work(left - 1)) if left > 1 else end)

        def work(left: int) -> None:
            self.processes[number].serve(self._work_us, lambda: call(left))

        call(self._calls)


def simulate(per_s: float, costs: Costs, plant: Plant, tasks: int = TASKS, seed: int = SEED) -> Outcome:
    """So many tasks that come at this rate, each to a server by chance (as tenants are spread over them)."""
    chance, events = random.Random(seed), Events()
    cores = Station(events, plant.cores) if plant.cores else None
    gateways = Station(events, plant.gateways, cores)
    shards = [Shard(events, plant, costs, cores, chance) for _ in range(plant.servers)]
    times: list[tuple[float, float]] = []

    def come(left: int) -> None:
        came, shard = events.now, chance.choice(shards)
        gateways.serve(
            costs.gateway_us * plant.slower, lambda: shard.take(lambda: times.append((came, events.now - came)))
        )
        if left > 1:
            events.after(chance.expovariate(per_s) * 1e6, lambda: come(left - 1))

    come(tasks)
    events.run()
    return _outcome(per_s, times, events.now, gateways, shards)


def drain(costs: Costs, plant: Plant, tasks: int = TASKS) -> float:
    """Tasks a second where all were queued before and nobody submits meanwhile."""
    queued = replace(costs, gateway_us=0.0, submit_us=0.0)
    return tasks / simulate(1e9, queued, plant, tasks).over_s


def _outcome(
    per_s: float, times: Sequence[tuple[float, float]], until: float, gateways: Station, shards: Sequence[Shard]
) -> Outcome:
    last_came = max(came for came, _ in times)
    done = sum(1 for came, took in times if last_came * WARM_UP <= came + took <= last_came)
    settled = [took / 1e3 for came, took in times if came >= last_came * WARM_UP]
    return Outcome(
        offered_per_s=per_s,
        # Of what can't be kept up with most is done when nothing comes any more.
        done_per_s=max(done / (last_came * (1 - WARM_UP)), len(times) / until) * 1e6,
        p50_ms=percentile(settled, 50) or 0.0,
        p95_ms=percentile(settled, 95) or 0.0,
        gateway_busy=gateways.busy(until),
        server_busy=max(shard.server.busy(until) for shard in shards),
        worker_busy=max(process.busy(until) for shard in shards for process in shard.processes),
        over_s=until / 1e6,
    )


# --------------------------------------------------------------------------------------------------- the tables


def checked(report: Report) -> str:
    """The simulation beside what was measured in the quietest round, with as much other work as there was in it."""
    lines = [f"{'At this machine':22}{'measured':>12}{'simulated':>12}{'ratio':>8}"]
    for kind, rounds in report.costs.items():
        for what, unit, measured, simulated in _comparisons(kind, rounds):
            ratio = f"{simulated / measured:8.2f}" if measured else ""
            lines.append(f"{kind + ', ' + what:22}{measured:>8.4g} {unit:3}{simulated:>8.4g} {unit:3}{ratio}")
    return "\n".join(lines)


def _comparisons(kind: str, rounds: Sequence[CostFigures]) -> list[tuple[str, str, float, float]]:
    found = min(rounds, key=lambda figures: figures.others_percent)
    costs = Costs.of(kind, [found], reads=0)
    plant = Plant(1, 1, PROCESSES, cores=CORES, slower=1 / (1 - found.others_percent / 100))
    steady = simulate(found.steady_per_s, costs, plant, 4_000)
    drained = ("drain", "/s", found.drain_per_s, drain(costs, plant, 4_000))
    ends = [
        ("end p50", "ms", found.end_p50_ms, steady.p50_ms),
        ("end p95", "ms", found.end_p95_ms, steady.p95_ms),
    ]
    # The ledger tells whole ms.
    return [drained, *(ends if found.end_p50_ms >= SHORTEST_TOLD_MS else [])]


def grown(kind: str, costs: Costs, multiples: Sequence[int] = (1, 10, 100)) -> str:
    """Each load with the fewest servers of a few that keep up, and with one."""
    base = costs.load_of_one_machine()
    lines = [
        f"{kind}: one machine's load is {base:,.0f} tasks/s",
        f"{'load':>6}{'tasks/s':>9}{'servers':>9}{'gateways':>10}{'workers':>9}{'done/s':>9}{'p50 ms':>8}"
        f"{'p95 ms':>10}{'server busy':>13}",
    ]
    for multiple in multiples:
        for servers in _worth_showing(base * multiple, costs):
            plant = Plant.for_load(base * multiple, costs, servers)
            found = simulate(base * multiple, costs, plant)
            late = f"{found.p95_ms:>10.1f}" if found.keeps_up else f"{'grows':>10}"
            lines.append(
                f"{multiple:>5}x{found.offered_per_s:>9,.0f}{servers:>9}{plant.gateways:>10}{plant.processes:>9}"
                f"{found.done_per_s:>9,.0f}{found.p50_ms:>8.1f}{late}{found.server_busy:>12.0%}"
            )
    return "\n".join(lines)


def _worth_showing(per_s: float, costs: Costs) -> list[int]:
    return sorted({1, math.ceil(per_s * costs.server_us / 1e6 / HEADROOM)})


def lines_of(costs: Costs) -> list[Line]:
    """p95 over the load, a line per number of servers, each up to where it no longer keeps up."""
    base, lines = costs.load_of_one_machine(), []
    for servers in SERVERS:
        points: list[tuple[float, float]] = []
        wall: float | None = None
        for multiple in MULTIPLES:
            found = simulate(base * multiple, costs, Plant.for_load(base * multiple, costs, servers))
            if not found.keeps_up:
                wall = multiple
                break
            points.append((multiple, found.p95_ms))
        lines.append(Line(f"{servers} server{'s' if servers > 1 else ''}", points, wall))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description="Despacho at larger loads.")
    parser.add_argument("costs", type=Path, help="the figures that `--parts costs --save` has kept")
    parser.add_argument("--text", type=Path, help="write the tables to this file")
    parser.add_argument("--plot", type=Path, help="write the plot as SVG to this file")
    options = parser.parse_args()
    report = Report.from_json(json.loads(options.costs.read_text(encoding="utf-8")))
    costs = {kind: Costs.of(kind, rounds) for kind, rounds in report.costs.items()}
    text = "\n\n".join([checked(report), *(grown(kind, found) for kind, found in costs.items())]) + "\n"
    print(text, end="")
    if options.text:
        options.text.write_text(text, encoding="utf-8")
    if options.plot and "triage" in costs:
        options.plot.write_text(draw_lines(lines_of(costs["triage"])), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
