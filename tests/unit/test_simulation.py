"""The simulation behind docs/scaling.md: where theory knows the answer it finds that one; the page shows its own."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from statistics import mean
from xml.etree import ElementTree

import pytest

from benchmarks.figures import Report
from benchmarks.scaling_plot import Line, draw_lines
from benchmarks.simulation import HEADROOM, Costs, Events, Plant, Station, checked, drain, grown, simulate

ROOT = Path(__file__).parents[2]
COSTS = Costs(gateway_us=400, submit_us=170, run_us=800, worker_us=8_000, idle_us=600)


@pytest.mark.parametrize("busy", [0.3, 0.6, 0.8])
def test_a_single_station_waits_as_pollaczek_and_khinchine_say(busy: float) -> None:
    chance, events, took = random.Random(7), Events(), list[float]()
    station, service = Station(events), 100.0

    def come(left: int) -> None:
        came = events.now
        station.serve(service, lambda: took.append(events.now - came))
        if left:
            events.after(chance.expovariate(busy / service), lambda: come(left - 1))

    come(40_000)
    events.run()

    waited = busy * service / (2 * (1 - busy))
    assert mean(took) - service == pytest.approx(waited, rel=0.06)
    assert station.busy(events.now) == pytest.approx(busy, rel=0.02)


def test_one_machine_drains_as_fast_as_its_cores_allow() -> None:
    plant = Plant(gateways=1, servers=1, processes=2, cores=2)

    assert drain(COSTS, plant, 800) == pytest.approx(2e6 / (COSTS.run_us + COSTS.worker_us), rel=0.02)
    assert drain(COSTS, replace(plant, slower=2), 800) == pytest.approx(drain(COSTS, plant, 800) / 2, rel=0.02)
    # A worker computes one task at a time, whatever threads and cores there are.
    assert drain(COSTS, replace(plant, processes=1, cores=8), 800) < 1e6 / COSTS.worker_us


def test_a_server_is_the_wall_and_another_one_moves_it() -> None:
    per_s = 1.5e6 / COSTS.server_us

    one, four = (simulate(per_s, COSTS, Plant.for_load(per_s, COSTS, servers), 4_000) for servers in (1, 4))

    assert not one.keeps_up
    assert one.server_busy > 0.95
    assert one.done_per_s < per_s * 0.75
    assert four.keeps_up
    assert four.server_busy < HEADROOM
    assert four.p95_ms < one.p95_ms / 10
    again = simulate(per_s, COSTS, Plant.for_load(per_s, COSTS, 4), 4_000)
    assert again == four


def test_the_page_shows_what_these_costs_give() -> None:
    report = Report.from_json(json.loads((ROOT / "benchmarks" / "costs.json").read_text()))
    shown = (ROOT / "docs" / "scaling.txt").read_text()

    assert checked(report) in shown
    assert grown("triage", Costs.of("triage", report.costs["triage"]), [1]) in shown
    page = (ROOT / "docs" / "scaling.md").read_text()
    assert shown.strip() in page


def test_every_line_has_its_name_and_ends_at_its_wall() -> None:
    lines = [Line("1 server", [(1, 20.0), (2, 22.0)], 5), Line("2 servers", [(1, 20.0), (200, 500.0)], None)]

    picture = ElementTree.fromstring(draw_lines(lines))

    svg = "{http://www.w3.org/2000/svg}"
    texts = [element.text for element in picture.iter(f"{svg}text")]
    assert {"1 server", "2 servers", "1x", "200x"} <= set(texts)
    assert len(list(picture.iter(f"{svg}polyline"))) == 2
    assert len(list(picture.iter(f"{svg}path"))) == 1
