from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from actors.engines.embeddings.local import LocalEmbeddings
from actors.engines.http.exchange import Exchange, Provider
from actors.engines.triage.local import LocalTriage
from tests.unit.providers.fake import FakeProvider

KEY = "sk-never-shown"
Exchanges = Callable[..., Exchange]


@pytest.fixture(scope="session")
def encoder() -> LocalEmbeddings:
    return LocalEmbeddings()


@pytest.fixture(scope="session")
def local(encoder: LocalEmbeddings) -> LocalTriage:
    return LocalTriage(encoder)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("actors.engines.http.exchange.FIRST_WAIT_S", 0.01)
    fake = FakeProvider()
    yield fake
    fake.close()


@pytest.fixture
def exchange(fake: FakeProvider) -> Exchanges:
    def make(timeout_s: float = 10, url: str | None = None) -> Exchange:
        provider = Provider(url or fake.url, "some-model", SecretStr(KEY), timeout_s, "DESPACHO_LLM_")
        return Exchange(provider, meter=lambda _model, usage: fake.metered.append(usage))

    return make
