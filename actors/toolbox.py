"""What actors work with: the engines, the cases, the blob store, the ledger. Built once per process.

An engine is made when it is first needed, or ahead of time by `warm`, so that no client waits for a model.
"""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from zoneinfo import ZoneInfo

from actors.engines import DocumentEngine, EmbeddingEngine, TriageEngine
from tasks.blobs import FolderBlobs
from tasks.cases import CaseFile
from tasks.ledger import Ledger
from tasks.settings import Settings


class Toolbox:
    """The tools of one worker process; all of them may be used from several threads."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self.ledger = ledger
        self.settings = settings
        self.cases = CaseFile(ledger.client, settings)
        self.blobs = FolderBlobs(settings.data_dir / "blobs")

    @cached_property
    def embeddings(self) -> EmbeddingEngine:
        from actors.engines.embeddings.local import LocalEmbeddings

        return LocalEmbeddings()

    @cached_property
    def triage(self) -> TriageEngine:
        from actors.engines.triage.local import LocalTriage

        return LocalTriage(self.embeddings)

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
        self.embeddings.embed(["pronto"], _unheard)

    def today(self) -> dt.date:
        """The present day where the clients live."""
        return dt.datetime.now(ZoneInfo(self.settings.time_zone)).date()


def _unheard(percent: float, message: str) -> None:
    """Progress that nobody watches."""
