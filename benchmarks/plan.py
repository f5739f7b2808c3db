"""How much is measured: one value that the command makes and every round is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """Amounts of one run. Those of a round are the same for every peer."""

    rounds: int = 3
    drain: int = 10_000
    pick_ups: int = 20
    single: int = 1_000
    results: int = 300
    idle_s: float = 20.0
    """Long enough for chores that come every few seconds to average out."""
    http_s: int = 10
    recoveries: int = 3
    """Of Despacho, which must hold its bar every time; a rival gets one, because most use up all the patience."""
    patience_s: float = 60.0
    records: int = 1_000_000
    small_records: int = 1_000
    sample: int = 50_000
    """Finished triages over which the size of one record is taken."""
    embeddings: int = 10_000
    similar: int = 50_000
    """Cases of one tenant, as many as are compared exactly."""
    watchers: int = 2_000
    watched_events: int = 100
    """Events that all watchers get; of those on streams of their own, each gets one."""
    costs: int = 1_500
    """Tasks of which the costs are the mean."""
    server_pid: int = 0


QUICK = Plan(
    rounds=1,
    drain=1_500,
    pick_ups=6,
    single=300,
    results=60,
    idle_s=3.0,
    http_s=3,
    records=50_000,
    sample=20_000,
    embeddings=4_000,
    similar=5_000,
    watchers=500,
    watched_events=30,
    costs=600,
)
"""A look, not a measurement."""
