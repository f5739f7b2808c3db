"""The same bytes are read once: what is found again, by whom, and what is left of it when its case goes."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from actors import documents
from actors.declare import Declared, declare
from actors.engines import ReadDocument, Report, SourceDocument
from actors.toolbox import Toolbox
from middleware.broker import build_broker
from middleware.worker import LaneWorker
from tasks.analyses import QUESTIONS_AT_MOST
from tasks.blobs import FolderBlobs, analysis_place, read_places, text_place
from tasks.cases import text_about
from tasks.keys import Keys
from tasks.payloads import AnalyzedDocument, DocumentOptions
from tasks.settings import Settings
from tests.integration.conftest import Client

KEYS = Keys("despacho")
STORY = "Procuração de Maria, que mora em Campinas."
BROKEN = "quebrado"


class CountingReader:
    """Reads plain text, counts how often, and does what the test wants while it reads."""

    name = "counting"

    def __init__(self) -> None:
        self.version = "1"
        self.read = 0
        self.meanwhile: Any = lambda: None

    def analyze(
        self, source: SourceDocument, options: DocumentOptions, reference_date: dt.date, report: Report
    ) -> ReadDocument:
        self.read += 1
        text = source.path.read_text()
        self.meanwhile()
        error = "unreadable: the file is broken" if text == BROKEN else None
        summary = f"{self.read} {options.max_pages} {reference_date}"
        return ReadDocument(AnalyzedDocument(document_id=source.document_id, summary=summary, error=error), text)


@pytest.fixture
def tools(client: redis.Redis, settings: Settings) -> Iterator[Toolbox]:
    """Those of a worker, which runs."""
    broker = build_broker(settings)
    tools = Toolbox(broker.ledger, settings)
    tools.documents = CountingReader()
    declare(broker, Declared("documents.analyze_async", documents.analyze), tools)
    worker = LaneWorker(broker, 1)
    worker.start()
    yield tools
    worker.drain(0)


@pytest.fixture
def reader(tools: Toolbox) -> CountingReader:
    assert isinstance(tools.documents, CountingReader)
    return tools.documents


def upload(api: Client, case_id: str, text: str = STORY, name: str = "a.txt") -> str:
    files = {"file": (name, text.encode(), "text/plain")}
    answer = api.post("/api/documents", files=files, data={"case_id": case_id})
    return str(answer.json()["document_id"])


def analysed(api: Client, case_id: str, document_id: str, **options: Any) -> dict[str, Any]:
    task_id = api.submit("documents.analyze_async", args=[case_id, [document_id]], kwargs={"options": options})
    (document,) = api.until(task_id, "succeeded")["result"]["documents"]
    return dict(document)


def counted(api: Client) -> tuple[int, int]:
    figures = api.get("/api/tasks/stats").json()["tasks"]["documents.analyze_async"]
    return figures["cache_hits"], figures["cache_misses"]


def test_the_same_bytes_are_read_once_in_a_tenant_and_outlive_the_case_they_were_read_in(
    api: Client, other_tenant: Client, reader: CountingReader, client: redis.Redis, settings: Settings
) -> None:
    first, second = upload(api, "case-1"), upload(api, "case-2")
    read = analysed(api, "case-1", first)
    blobs = FolderBlobs(settings.data_dir / "blobs")
    (pointers,) = client.scan_iter(KEYS.of("analysed", tenant="acme", digest="*"))
    assert 0 < client.ttl(pointers) <= settings.result_cache_s

    taken_over, again = analysed(api, "case-2", second), analysed(api, "case-1", first)

    assert again == read
    assert taken_over == {**read, "document_id": second, "text_url": f"/api/documents/{second}/text"}
    assert (reader.read, counted(api)) == (1, (2, 1))
    assert api.delete("/api/cases/case-1").status_code == 200
    assert not any(blobs.exists(place) for place in read_places("acme", first))
    assert not client.exists(pointers)
    assert api.get(f"/api/documents/{second}/text").text == STORY
    assert analysed(api, "case-2", second) == taken_over
    theirs = upload(other_tenant, "case-2")
    analysed(other_tenant, "case-2", theirs)
    assert (reader.read, counted(other_tenant)) == (2, (0, 1))
    assert api.delete(f"/api/documents/{second}").status_code == 204
    assert not any(blobs.exists(place) for place in read_places("acme", second))


def test_another_question_or_engine_is_another_answer(
    api: Client, reader: CountingReader, client: redis.Redis
) -> None:
    document_id, same_day = upload(api, "case-1"), {"reference_date": "2026-11-24"}
    analysed(api, "case-1", document_id, **same_day)

    analysed(api, "case-1", document_id, reference_date="2026-11-25")
    analysed(api, "case-1", document_id, max_pages=3, **same_day)
    analysed(api, "case-1", document_id, ocr=False, **same_day)
    analysed(api, "case-1", upload(api, "case-2", name="a.eml"), **same_day)
    reader.version = "2"
    analysed(api, "case-1", document_id, **same_day)
    assert reader.read == 6
    analysed(api, "case-1", document_id, **same_day)
    assert reader.read == 6

    for pages in range(1, QUESTIONS_AT_MOST + 3):
        analysed(api, "case-1", document_id, max_pages=pages)
    (pointers,) = client.scan_iter(KEYS.of("analysed", tenant="acme", digest="*"))
    assert client.hlen(pointers) <= QUESTIONS_AT_MOST


def reread_in_another_way(tools: Toolbox, document_id: str) -> None:
    """What is left of a run that was killed between the text and the analysis."""
    document = tools.cases.document("acme", document_id)
    key = tools.cases.keys.of("acme", "case-1")
    assert document is not None
    assert key is not None
    tools.blobs.write(text_place("acme", document_id), key.seal_file([b"x"], *text_about("acme", document)))


@pytest.mark.parametrize("spoilt", ["cut off", "not ours", "text of another run", "text gone"])
def test_what_can_not_be_used_is_read_anew(
    api: Client,
    tools: Toolbox,
    reader: CountingReader,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    spoilt: str,
) -> None:
    blobs = FolderBlobs(settings.data_dir / "blobs")
    document_id, other = upload(api, "case-1"), upload(api, "case-1", "Outro texto.")
    read = analysed(api, "case-1", document_id)
    analysed(api, "case-1", other)
    kept, text = analysis_place("acme", document_id), text_place("acme", document_id)
    spoil = {
        "cut off": lambda: blobs.write(kept, [blobs.read(kept)[:-20]]),
        "not ours": lambda: blobs.write(kept, [blobs.read(analysis_place("acme", other))]),
        "text gone": lambda: blobs.delete(text),
        "text of another run": lambda: reread_in_another_way(tools, document_id),
    }
    with caplog.at_level(logging.WARNING):
        spoil[spoilt]()

        again = analysed(api, "case-1", document_id)

    assert again["summary"] != read["summary"]
    assert reader.read == 3
    assert api.get(f"/api/documents/{document_id}/text").text == STORY
    if spoilt in ("cut off", "not ours"):
        assert f"what was read of document {document_id} before can't be used" in caplog.text
    assert STORY not in caplog.text


def test_a_document_that_could_not_be_read_is_tried_again(api: Client, reader: CountingReader) -> None:
    document_id = upload(api, "case-1", BROKEN)

    assert all(analysed(api, "case-1", document_id)["error"] for _ in range(2))

    assert reader.read == 2


def test_what_is_read_while_its_case_is_erased_is_not_kept(
    api: Client, reader: CountingReader, client: redis.Redis, settings: Settings
) -> None:
    document_id = upload(api, "case-1")
    # Of no case that is erased, so that the run goes on to its end.
    reader.meanwhile = lambda: api.delete(f"/api/documents/{document_id}")

    analysed(api, "case-2", document_id)

    blobs = FolderBlobs(settings.data_dir / "blobs")
    assert not any(blobs.exists(place) for place in read_places("acme", document_id))
    assert not list(client.scan_iter(KEYS.of("analysed", tenant="*", digest="*")))


class TestWithoutACache:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"result_cache_s": 0})

    def test_everything_is_read_and_nothing_kept(
        self, api: Client, reader: CountingReader, client: redis.Redis, settings: Settings
    ) -> None:
        document_id = upload(api, "case-1")

        for _ in range(2):
            analysed(api, "case-1", document_id)

        assert (reader.read, counted(api)) == (2, (0, 0))
        assert not FolderBlobs(settings.data_dir / "blobs").exists(analysis_place("acme", document_id))
        assert not list(client.scan_iter(KEYS.of("analysed", tenant="*", digest="*")))
