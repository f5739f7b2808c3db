"""The limits that are in force, by type of task: those of the settings, or else of the catalog. The scripts get them
with every call that may begin a run: they are those of the worker that makes it."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.catalog import Catalog
from tasks.record import compact_json
from tasks.settings import Settings
from tasks.task_limits import UNLIMITED, TaskLimits


def limits_of(settings: Settings, catalog: Catalog) -> dict[str, TaskLimits]:
    """Of every type that is limited. A type that the settings name has their limits alone."""
    named = {name: settings.limits.get(name, spec.limits) for name, spec in catalog.specs.items()}
    return {name: limits for name, limits in named.items() if limits != UNLIMITED}


def encode_limits(limits: Mapping[str, TaskLimits], ageing_s: float) -> str:
    """In the form of `lua/limits.lua`; empty where nothing is limited."""
    if not limits:
        return ""
    of = {name: _told(of_type) for name, of_type in sorted(limits.items())}
    return compact_json({"ageing": int(ageing_s * 1_000), "of": of})


def _told(limits: TaskLimits) -> dict[str, float]:
    told = {"gap": limits.gap_ms, "at_once": limits.concurrency, "of_case": limits.per_case}
    return {name: value for name, value in told.items() if value is not None}
