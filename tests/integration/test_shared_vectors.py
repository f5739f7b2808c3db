"""Vectors that workers share: who finds them, what bounds them, and what is left of them when their case goes."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import redis

from actors import embeddings
from actors.declare import Declared, declare
from actors.engines.embeddings.cache import Cached, VectorCache
from actors.sharing import SharedByRuns
from actors.toolbox import Toolbox
from middleware.broker import build_broker
from middleware.run import current_run
from middleware.worker import LaneWorker
from tasks.keys import Keys
from tasks.settings import Settings
from tasks.shared_vectors import SharedVectors
from tests.integration.conftest import Client
from tests.unit.embeddings.stand_ins import Engine

KEYS = Keys("despacho")
STORY = "Fui demitida e não me pagaram nada."
MOST = 5


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"embeddings_shared": MOST, "retention_s": 3_600})


@pytest.fixture
def engine(client: redis.Redis, settings: Settings) -> Iterator[Engine]:
    """One that counts what it is asked, behind a memory of one vector: what is found again was shared."""
    broker = build_broker(settings)
    tools, engine = Toolbox(broker.ledger, settings), Engine()
    shared = SharedByRuns(broker.ledger, SharedVectors(broker.ledger, settings))
    tools.embeddings = Cached(engine, VectorCache(1), lambda: (run := current_run()) and run.tenant, shared)
    declare(broker, Declared("embeddings.generate_async", embeddings.generate), tools)
    worker = LaneWorker(broker, 1)
    worker.start()
    yield engine
    worker.drain(0)


def embedded(api: Client, **kwargs: object) -> object:
    task_id = api.submit("embeddings.generate_async", args=[], kwargs=kwargs)
    return api.until(task_id, "succeeded")["result"]["embeddings"]


def put(api: Client, case_id: str, text: str = STORY) -> None:
    api.put(f"/api/cases/{case_id}", json={"conversation_history": [{"role": "client", "content": text}]})


def kept(client: redis.Redis, tenant: str = "acme") -> list[bytes]:
    return list(client.scan_iter(KEYS.of("shared_vector", tenant=tenant, digest="*")))


def test_a_tenant_pays_once_for_a_text_and_an_erased_case_leaves_nothing(
    api: Client, other_tenant: Client, engine: Engine, client: redis.Redis, settings: Settings
) -> None:
    for case_id in ("case-1", "case-2"):
        put(api, case_id)
    put(other_tenant, "case-1")
    first = embedded(api, case_id="case-1")
    embedded(api, texts=["outro"])

    assert embedded(api, case_id="case-2") == first
    assert engine.calls == [[STORY], ["outro"]]
    figures = api.get("/api/tasks/stats").json()["tasks"]["embeddings.generate_async"]
    assert (figures["cache_hits"], figures["cache_misses"]) == (1, 2)
    embedded(other_tenant, case_id="case-1")
    assert engine.calls[2:] == [[STORY]]
    ttls = sorted(client.ttl(name) for name in kept(client))
    assert 0 < ttls[0] <= settings.retention_s < ttls[1] <= settings.result_cache_s
    for name in ("shared_vectors:acme", "vectors_of_case:acme:case-1"):
        assert 0 < client.ttl(f"despacho:{name}") <= settings.result_cache_s

    assert api.delete("/api/cases/case-1").status_code == 200

    assert len(kept(client)) == client.zcard(KEYS.of("shared_vectors", tenant="acme")) == 1
    assert not client.exists(KEYS.of("vectors_of_case", tenant="acme", case="case-1"))
    assert len(kept(client, other_tenant_name(client))) == 1
    embedded(api, texts=["mais"])
    embedded(api, case_id="case-2")
    assert engine.calls[3:] == [["mais"], [STORY]]


def other_tenant_name(client: redis.Redis) -> str:
    (name,) = {tenant.decode() for tenant in client.smembers(KEYS.of("tenants"))} - {"acme"}
    return name


def test_the_oldest_go_when_a_tenant_has_too_many(api: Client, engine: Engine, client: redis.Redis) -> None:
    for number in range(3):
        embedded(api, texts=[f"{number} {letter}" for letter in "abc"])

    assert len(kept(client)) == client.zcard(KEYS.of("shared_vectors", tenant="acme")) == MOST


def test_what_was_spoilt_is_made_anew_and_said(
    api: Client, engine: Engine, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    put(api, "case-1")
    first = embedded(api, case_id="case-1")
    (name,) = kept(client)
    client.setrange(name, client.strlen(name) - 1, b"\0\0")
    embedded(api, texts=["outro"])

    with caplog.at_level(logging.WARNING):
        assert embedded(api, case_id="case-1") == first

    assert engine.calls == [[STORY], ["outro"], [STORY]]
    assert "a vector that is shared can't be opened" in caplog.text
    assert STORY not in caplog.text


def test_what_is_made_while_its_case_is_erased_is_not_kept(
    api: Client, client: redis.Redis, settings: Settings
) -> None:
    put(api, "case-1")
    ledger = build_broker(settings).ledger
    ledger.case_keys.ask([("acme", "case-1")])
    known = ledger.ring.known(("acme", "case-1"))
    assert known is not None
    api.delete("/api/cases/case-1")

    assert ledger.share_vectors("acme", "case-1", known.wrapped, MOST, 60, ["digest", b"sealed"]) == 0
    SharedVectors(ledger, settings).keep("acme", "case-1", "m", {STORY: b"1234"})
    assert kept(client) == []


def test_the_text_of_documents_is_not_shared(api: Client, engine: Engine, client: redis.Redis) -> None:
    embedded(api, texts=["um"])
    before = kept(client)
    files = {"file": ("a.txt", STORY.encode(), "text/plain")}
    document_id = api.post("/api/documents", files=files, data={"case_id": "case-1"}).json()["document_id"]
    embedded(api, document_ids=[document_id])

    assert kept(client) == before
