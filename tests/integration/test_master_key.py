"""The master key over its life: which Redis it belongs to, a new one, and what older releases wrote without any."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis

from cli.main import main
from middleware.worker import LaneWorker
from tasks.errors import SettingsError
from tasks.keys import Keys
from tasks.ledger import Appetite, Ledger
from tasks.master_key import check_master_key, load_vault, new_master_key, rewrap_all
from tasks.sealing import SealBroken, is_sealed
from tasks.settings import Settings
from tasks.submission import Order, check
from tasks.webhooks import Webhooks
from tests.integration.conftest import Client
from tests.stored import dumped

KEYS = Keys("despacho")
NAME = KEYS.of("case_key", tenant="default", case="case-1")


def with_keys(settings: Settings, *keys: str) -> Settings:
    return Settings(redis_url=settings.redis_url, data_dir=settings.data_dir, master_key=",".join(keys))  # type: ignore


def submit(client: redis.Redis, settings: Settings) -> str:
    ledger = Ledger(client, settings)
    order = Order("triage.process_async", ["case-1"], {"user_message": "olá"}, metadata={"note": "olá"})
    return ledger.submit([check(order, ledger.catalog)]).task_ids[0]


def test_a_process_with_another_master_key_is_refused(client: redis.Redis, settings: Settings) -> None:
    old, new, foreign = new_master_key(), new_master_key(), new_master_key()
    check_master_key(client, with_keys(settings, old))
    check_master_key(client, with_keys(settings, old))

    with pytest.raises(SettingsError) as told:
        check_master_key(client, with_keys(settings, foreign))

    assert foreign not in str(told.value)
    assert "DESPACHO_MASTER_KEY" in str(told.value)
    check_master_key(client, with_keys(settings, new, old))
    check_master_key(client, with_keys(settings, new))
    with pytest.raises(SettingsError):
        check_master_key(client, with_keys(settings, old))


def test_the_keys_of_cases_come_under_a_new_master_key(
    client: redis.Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = new_master_key(), new_master_key()
    task_id = submit(client, with_keys(settings, old))
    with pytest.raises(SettingsError):
        rewrap_all(client, with_keys(settings, new))
    monkeypatch.setenv("DESPACHO_MASTER_KEY", f"{new},{old}")

    at = ["--redis-url", settings.redis_url]
    assert main(["master-key", "rewrap", *at]) == 0
    assert capsys.readouterr().out.startswith("1 keys")
    assert main(["master-key", "rewrap", *at]) == 0
    assert capsys.readouterr().out.startswith("0 keys")

    assert client.ttl(NAME) > 0
    ledger = Ledger(client, with_keys(settings, new))
    assert ledger.tasks([task_id])[0].metadata == {"note": "olá"}
    (started,) = ledger.fetch(Appetite("w", ledger.catalog.queues, 1))
    assert started.payload["user_message"] == "olá"


def test_the_secrets_of_webhooks_come_under_a_new_master_key(
    client: redis.Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = new_master_key(), new_master_key()
    webhooks = Webhooks(client, with_keys(settings, old))
    first, second = webhooks.make_secret("acme"), webhooks.rotate_secret("acme")
    in_clear = "whsec_" + "A" * 43 + "="
    client.hset("despacho:webhook_secret:older", mapping={"id": "x", "secret": in_clear, "made": "1"})
    assert first is not None
    held = dumped(client)
    assert not [secret for secret in (first, second) if secret.text.removeprefix("whsec_").encode() in held]
    assert Webhooks(client, settings, load_vault(with_keys(settings, new))).secrets("acme") == []
    with pytest.raises(SettingsError):
        Webhooks(client, settings, load_vault(with_keys(settings, new))).reseal()
    monkeypatch.setenv("DESPACHO_MASTER_KEY", f"{new},{old}")

    at = ["--redis-url", settings.redis_url]
    assert main(["master-key", "rewrap", *at]) == 0
    assert "3 secrets" in capsys.readouterr().out
    assert main(["master-key", "rewrap", *at]) == 0
    assert "secrets" not in capsys.readouterr().out

    moved = Webhooks(client, settings, load_vault(with_keys(settings, new)))
    assert moved.secrets("acme") == [second, first]
    assert [secret.text for secret in moved.secrets("older")] == [in_clear]
    assert in_clear.removeprefix("whsec_").encode() not in dumped(client)
    assert client.ttl("despacho:webhook_old_secret:acme") > 0


def test_a_new_key_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["master-key", "new"]) == 0
    printed = capsys.readouterr().out.strip()
    assert load_vault(Settings(master_key=printed)).master  # type: ignore[arg-type]


def test_a_receipt_is_checked_by_command(
    api: Client, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put("/api/cases/case-1", json={"conversation_history": []})
    receipt = api.delete("/api/cases/case-1").json()
    file, at = tmp_path / "receipt.json", ["--data-dir", str(settings.data_dir)]

    file.write_text(json.dumps(receipt, indent=2))
    assert main(["verify-receipt", str(file), *at]) == 0
    assert "case-1" in capsys.readouterr().out
    file.write_text(json.dumps(receipt | {"case_id": "case-2"}))
    assert main(["verify-receipt", str(file), *at]) == 1
    for nonsense in ("[]", "{", "{}"):
        file.write_text(nonsense)
        assert main(["verify-receipt", str(file), *at]) in (1, 2)


# ------------------------------------------------------------------------------------ without any of it


def test_what_an_older_release_wrote_in_clear_is_still_read(
    api: Client, worker: LaneWorker, client: redis.Redis, settings: Settings
) -> None:
    talk = [{"role": "client", "content": "Bom dia"}]
    fields = {"conversation": json.dumps(talk), "metadata": '{"a":1}', "updated": "1", "version": "v"}
    client.hset(KEYS.of("case", tenant="acme", case="old"), mapping=fields)  # type: ignore[arg-type]
    client.expire(KEYS.of("case", tenant="acme", case="old"), 1_000)
    task_id = api.submit(args=["old"], kwargs={}, countdown=3_600, metadata={"b": 2})
    task = KEYS.of("task", id=task_id)
    client.hset(task, mapping={"payload": '{"case_id":"old"}', "metadata": '{"b":2}'})
    client.delete(KEYS.of("case_key", tenant="acme", case="old"))
    client.zadd(KEYS.of("delayed"), {task_id: 1})
    client.publish(KEYS.of("bell"), "delayed")

    record = api.until(task_id, "succeeded")

    assert record["metadata"] == {"b": 2}
    assert record["result"]["case_id"] == "old"
    assert is_sealed(client.hget(task, "result"))  # type: ignore[arg-type]
    case = api.get("/api/cases/old").json()
    assert (case["conversation_history"], case["metadata"]) == (talk, {"a": 1})
    assert case["results"]["triage"]["result"]["case_id"] == "old"
    assert api.delete("/api/cases/old").json()["counts"]["tasks"] == 1


def test_a_task_whose_key_is_gone_is_a_dead_letter_and_hinders_nobody(
    client: redis.Redis, settings: Settings
) -> None:
    ledger = Ledger(client, settings)
    task_id = submit(client, settings)
    client.delete(NAME)
    other = ledger.submit([check(Order("embeddings.generate_async", kwargs={"texts": ["a"]}), ledger.catalog)])

    begun = ledger.fetch(Appetite("w", ledger.catalog.queues, 10))

    assert [run.hold.task_id for run in begun] == list(other.task_ids)
    (lost,) = ledger.tasks([task_id])
    assert lost.error is not None
    assert (lost.status, lost.error["type"], lost.metadata) == ("failed", "UnreadableRecord", {})


def test_a_sealed_value_of_one_task_is_refused_in_another(client: redis.Redis, settings: Settings) -> None:
    ledger = Ledger(client, settings)
    first, second = submit(client, settings), submit(client, settings)
    stolen = client.hget(KEYS.of("task", id=first), "payload")
    assert stolen is not None
    client.hset(KEYS.of("task", id=second), "payload", stolen)  # type: ignore[arg-type]

    begun = ledger.fetch(Appetite("w", ledger.catalog.queues, 10))

    assert [run.hold.task_id for run in begun] == [first]
    assert issubclass(SealBroken, ValueError)
