"""`GET /metrics`: what Prometheus scrapes. Its figures are those of the ledger, over all tenants and processes, so
that any gateway tells the same and a restart loses nothing; only requests and watchers are this process's own. No
tenant is named, and nothing of a payload.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.auth import needs
from gateway.services import services
from tasks.api_keys import Identity
from tasks.reader import Worker
from tasks.statistics import BUCKETS_PER_DOUBLING, CACHE_COUNTS, Figures, sum_ms, upper_edge_ms

DOUBLINGS = 22
"""The last edge of a histogram is some 70 minutes; what took longer is above all of them."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
_TASK = ("queue", "task")

ByTask = Mapping[tuple[str, str], Figures]


class CountedRequests:
    """Counts the responses of this process by method and status, into a counter that it is given."""

    def __init__(self, app: ASGIApp, counts: Counter[tuple[str, str]]) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "other"

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._counts[method, str(message["status"])] += 1
            await send(message)

        await self._app(scope, receive, send_counted)


class _Told(Collector):
    """Metrics that are gathered already."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


@needs("ops:read")
async def metrics(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    known = services(request)
    reader = known.reader
    totals = await known.tasks.totals()
    queues = {queue: await reader.queue(queue, Figures()) for queue in known.tasks.catalog.queues}
    told = [
        *_counters(totals),
        *_durations(totals),
        *_queues(queues),
        *_workers(await reader.workers()),
        *_watched(*await known.alerts.watched()),
        *_memory(*await reader.memory()),
        *_process(known.requests, known.bridge.watching),
    ]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(told))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _counters(totals: ByTask) -> Iterable[Metric]:
    ended = CounterMetricFamily("despacho_tasks_ended", "Tasks that came to an end.", labels=[*_TASK, "status"])
    retries = CounterMetricFamily("despacho_task_retries", "Runs that failed and were put off.", labels=_TASK)
    tokens = CounterMetricFamily("despacho_provider_tokens", "As providers counted.", labels=[*_TASK, "kind"])
    lookups = CounterMetricFamily("despacho_cache_lookups", "Looks into a cache.", labels=[*_TASK, "outcome"])
    for (queue, name), figures in sorted(totals.items()):
        for status in ("succeeded", "failed", "cancelled"):
            ended.add_metric([queue, name, status], figures.counts[status])
        retries.add_metric([queue, name], figures.counts["retried"])
        for kind in ("prompt", "completion"):
            tokens.add_metric([queue, name, kind], figures.counts[f"{kind}_tokens"])
        for count in CACHE_COUNTS:
            lookups.add_metric([queue, name, count.removeprefix("cache_")], figures.counts[count])
    return ended, retries, tokens, lookups


def _durations(totals: ByTask) -> Iterable[Metric]:
    wait = HistogramMetricFamily("despacho_task_wait_seconds", "How long a task waited for a run.", labels=_TASK)
    run = HistogramMetricFamily("despacho_task_run_seconds", "How long the last run of a task took.", labels=_TASK)
    for labels, figures in sorted(totals.items()):
        for family, buckets in ((wait, figures.wait), (run, figures.run)):
            family.add_metric(labels, _cumulative(buckets), sum_ms(buckets) / 1_000)
    return wait, run


def _cumulative(buckets: Mapping[int, int]) -> list[tuple[str, float]]:
    """One edge per doubling, from 1 ms on: the ledger's buckets are finer, and each of its edges is one of theirs."""
    told = []
    for last in range(BUCKETS_PER_DOUBLING - 1, DOUBLINGS * BUCKETS_PER_DOUBLING, BUCKETS_PER_DOUBLING):
        below = sum(count for bucket, count in buckets.items() if bucket <= last)
        told.append((str(upper_edge_ms(last) / 1_000), float(below)))
    return [*told, ("+Inf", float(sum(buckets.values())))]


def _queues(queues: Mapping[str, Mapping[str, Any]]) -> Iterable[Metric]:
    waiting = GaugeMetricFamily("despacho_waiting_tasks", "Tasks that wait in a lane.", labels=["queue", "priority"])
    for queue, stands in queues.items():
        for priority, count in stands["waiting"].items():
            waiting.add_metric([queue, priority], count)
    yield waiting
    for name, meaning, value in (
        ("scheduled_tasks", "Tasks that wait for their time, retries too.", "scheduled"),
        ("running_tasks", "Tasks that run.", "running"),
        ("dead_letters", "Tasks that failed for good and are kept.", "dead"),
        ("queue_paused", "1 where the queue is paused.", "paused"),
    ):
        family = GaugeMetricFamily(f"despacho_{name}", meaning, labels=["queue"])
        for queue, stands in queues.items():
            family.add_metric([queue], float(stands[value]))
        yield family
    oldest = GaugeMetricFamily(
        "despacho_oldest_waiting_seconds", "How long the oldest waiting task has waited; 0: none.", labels=["queue"]
    )
    for queue, stands in queues.items():
        oldest.add_metric([queue], (stands["oldest_waiting_ms"] or 0) / 1_000)
    yield oldest
    takeable = [stands["oldest_waiting_ms"] or 0 for stands in queues.values() if not stands["paused"]]
    yield GaugeMetricFamily(
        "despacho_oldest_takeable_seconds",
        "How long the oldest task has waited that a worker could take now, paused queues left out; 0: none.",
        max(takeable, default=0) / 1_000,
    )


def _workers(workers: Iterable[Worker]) -> Iterable[Metric]:
    living = list(workers)
    yield GaugeMetricFamily("despacho_workers", "Worker processes that live.", len(living))
    yield GaugeMetricFamily("despacho_worker_threads", "Their threads.", sum(worker.threads for worker in living))
    yield GaugeMetricFamily("despacho_busy_threads", "Those that hold a task.", sum(worker.busy for worker in living))


def _watched(schedulers: int, evaluated_s: float) -> Iterable[Metric]:
    yield GaugeMetricFamily("despacho_schedulers", "Scheduler processes that live.", schedulers)
    yield GaugeMetricFamily(
        "despacho_alerts_evaluated_timestamp_seconds",
        "When the rules of alerts were evaluated; 0: never.",
        evaluated_s,
    )


def _memory(used: int, most: int) -> Iterable[Metric]:
    yield GaugeMetricFamily("despacho_redis_memory_bytes", "What the Redis server uses.", used)
    yield GaugeMetricFamily("despacho_redis_memory_limit_bytes", "What it may use; 0: no limit.", most)


def _process(requests: Mapping[tuple[str, str], int], watching: int) -> Iterable[Metric]:
    responses = CounterMetricFamily(
        "despacho_http_responses", "Responses of this gateway process.", labels=["method", "status"]
    )
    for labels, count in sorted(requests.items()):
        responses.add_metric(labels, count)
    yield responses
    yield GaugeMetricFamily("despacho_stream_watchers", "Live streams of this gateway process.", watching)


ROUTES = [Route("/metrics", metrics, methods=["GET"])]
