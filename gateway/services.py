"""What the routes work with, built once per process from the settings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from gateway.bridge import Bridge
from gateway.json_web_tokens import TokenVerifier
from gateway.rate_limits import RateLimits
from gateway.record_reads import RecordReads
from gateway.shared_reads import SharedReads
from tasks.alerts import AlertBoard
from tasks.api_keys import Identities
from tasks.audit_book import AuditBook
from tasks.blobs import Blobs, blobs_of
from tasks.breakers import Breakers
from tasks.bulk_moves import BulkMoves
from tasks.cases import CaseStore
from tasks.connection import connect_async
from tasks.cursors import Cursors
from tasks.dead_letters import DeadLetters
from tasks.erasure import Erasure
from tasks.gradual_replays import ReplayDesk
from tasks.lines import LineReads
from tasks.payload_reads import PayloadReads
from tasks.rate_counts import RateCounts
from tasks.reader import Reader
from tasks.reports import ReportShelf
from tasks.schedules import Schedules
from tasks.service import TaskService
from tasks.settings import Settings
from tasks.similar import SimilarCases

READS_AT_ONCE = 16
"""Logs that are read for streams at a time: a quarter of the pool, the rest is for everybody else."""


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    tasks: TaskService
    identities: Identities
    tokens: TokenVerifier | None
    limits: RateLimits
    requests: Counter[tuple[str, str]]
    """Responses of this process, by method and status."""
    reports: ReportShelf
    schedules: Schedules
    breakers: Breakers
    alerts: AlertBoard
    blobs: Blobs
    cursors: Cursors
    bridge: Bridge
    reads: SharedReads
    records: RecordReads
    similar: SimilarCases
    erasure: Erasure
    dead_letters: DeadLetters
    replays: ReplayDesk
    bulk_moves: BulkMoves
    payloads: PayloadReads
    lines: LineReads

    @property
    def reader(self) -> Reader:
        return self.tasks.reader

    @property
    def cases(self) -> CaseStore:
        return self.tasks.cases

    @property
    def audit(self) -> AuditBook:
        return self.tasks.audit

    @classmethod
    def build(cls, settings: Settings) -> Services:
        client = connect_async(settings)
        identities = Identities(client, settings)
        tasks, blobs = TaskService(client, settings), blobs_of(settings)
        similar = SimilarCases(client, settings, case_keys=tasks.case_keys)

        def forget_case(tenant: str, case_id: str) -> None:
            tasks.ring.forget((tenant, case_id))
            similar.forget(tenant, case_id)

        return cls(
            settings=settings,
            tasks=tasks,
            identities=identities,
            tokens=TokenVerifier.of(settings),
            requests=Counter(),
            limits=RateLimits(RateCounts(client, settings), settings),
            reports=ReportShelf(client, settings),
            schedules=Schedules(tasks, settings),
            breakers=Breakers(client, settings),
            alerts=AlertBoard(client, settings),
            blobs=blobs,
            cursors=Cursors(client, settings),
            bridge=Bridge(settings, identities, forget_case),
            reads=SharedReads(READS_AT_ONCE),
            records=RecordReads(tasks.reader),
            similar=similar,
            erasure=tasks.erasure(blobs),
            dead_letters=DeadLetters(tasks, blobs),
            replays=ReplayDesk(tasks, settings),
            bulk_moves=BulkMoves(tasks),
            payloads=PayloadReads(client, settings, tasks.case_keys),
            lines=LineReads(client, settings, tasks.case_keys),
        )

    async def close(self) -> None:
        await self.bridge.close()
        await self.limits.close()
        await self.tasks.close()


def services(connection: HTTPConnection) -> Services:
    found = connection.app.state.services
    assert isinstance(found, Services)
    return found
