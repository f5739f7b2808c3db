"""Turns the counters that the scripts keep, one hash per minute, into the figures of the API.

A counter's field is `queue/task name/what[/which]`: which bucket of a duration, which area and urgency, which fault.
A duration lies in one of four buckets per doubling, so a percentile is the upper edge of a bucket: at most 19 % above
the true value.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BUCKETS_PER_DOUBLING = 4
PERCENTILES = (50, 95, 99)
CACHE_COUNTS = ("cache_hits", "cache_misses")
"""How much was known from before, and how much had to be made, where a cache was asked."""
_COUNTED = ("succeeded", "failed", "cancelled", "retried", "prompt_tokens", "completion_tokens", *CACHE_COUNTS)


@dataclass(slots=True)
class Figures:
    """What happened in a window, to one queue or to one type of task."""

    counts: Counter[str] = field(default_factory=Counter)
    wait: Counter[int] = field(default_factory=Counter)
    run: Counter[int] = field(default_factory=Counter)
    triaged: Counter[str] = field(default_factory=Counter)
    """By area and urgency: `saude.high`."""
    faults: Counter[str] = field(default_factory=Counter)
    """What failed, by fingerprint and type of the error with a blank between them; the first may be empty."""

    def add(self, what: str, which: str, count: int) -> None:
        if what == "wait":
            self.wait[int(which)] += count
        elif what == "run":
            self.run[int(which)] += count
        elif what == "triaged":
            self.triaged[which] += count
        elif what == "fault":
            self.faults[which] += count
        else:
            self.counts[what] += count

    def merge(self, other: Figures) -> None:
        """Add what another one counted."""
        for name in ("counts", "wait", "run", "triaged", "faults"):
            getattr(self, name).update(getattr(other, name))

    def as_json(self) -> dict[str, Any]:
        return {
            **{name: self.counts[name] for name in _COUNTED},
            "wait_ms": percentiles(self.wait),
            "run_ms": percentiles(self.run),
        }


def merged(all_figures: Iterable[Figures]) -> Figures:
    """These figures as one."""
    whole = Figures()
    for figures in all_figures:
        whole.counts.update(figures.counts)
        whole.wait.update(figures.wait)
        whole.run.update(figures.run)
    return whole


def percentiles(buckets: Mapping[int, int]) -> dict[str, float | None]:
    """`p50`, `p95` and `p99` in ms; `None` where nothing was counted."""
    return {f"p{share}": _percentile(buckets, share) for share in PERCENTILES}


def _percentile(buckets: Mapping[int, int], share: int) -> float | None:
    total = sum(buckets.values())
    wanted, seen = total * share / 100, 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= wanted:
            return round(upper_edge_ms(bucket), 1)
    return None


def mean(buckets: Mapping[int, int]) -> float:
    """The mean in ms, from the middles of the buckets; there must be something in them."""
    return sum_ms(buckets) / sum(buckets.values())


def sum_ms(buckets: Mapping[int, int]) -> float:
    """The sum in ms, from the middles of the buckets."""
    middles = ((2 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING) - 1) * count for bucket, count in buckets.items())
    return float(sum(middles))


def aggregate(minutes: Iterable[Mapping[bytes, bytes]]) -> tuple[dict[str, Figures], dict[str, Figures]]:
    """The figures by queue and by task name over the hashes of some minutes."""
    queues: dict[str, Figures] = defaultdict(Figures)
    names: dict[str, Figures] = defaultdict(Figures)
    for minute in minutes:
        for raw, count in minute.items():
            queue, name, what, bucket = [*raw.decode().split("/"), ""][:4]
            queues[queue].add(what, bucket, int(count))
            names[name].add(what, bucket, int(count))
    return dict(queues), dict(names)


HASHES_A_FOLD = 20
"""As many as the script of the totals looks at in one call, so that nobody waits for it."""


def totals_told(answer: Sequence[Any]) -> list[Mapping[bytes, bytes]] | None:
    """The hashes whose sum is all ever counted, as `total.lua` told them; `None` while there is more to fold."""
    over, *hashes = answer
    if not over:
        return None
    told: list[Mapping[bytes, bytes]] = [dict(zip(some[::2], some[1::2], strict=True)) for some in hashes]
    return [{name: count for name, count in some.items() if name != b"from"} for some in told]


def by_task(hashes: Iterable[Mapping[bytes, bytes]]) -> dict[tuple[str, str], Figures]:
    """The figures by queue and task name."""
    found: dict[tuple[str, str], Figures] = defaultdict(Figures)
    for some in hashes:
        for raw, count in some.items():
            queue, name, what, bucket = [*raw.decode().split("/"), ""][:4]
            found[queue, name].add(what, bucket, int(count))
    return dict(found)


def upper_edge_ms(bucket: int) -> float:
    """What is in a bucket lies below this."""
    return float(2 ** ((bucket + 1) / BUCKETS_PER_DOUBLING)) - 1


def ended(figures: Iterable[Figures]) -> int:
    """How many tasks came to an end."""
    return sum(f.counts[end] for f in figures for end in ("succeeded", "failed", "cancelled"))
