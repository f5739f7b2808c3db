"""A backup of what runs, and a restore into an empty place: nothing lost, nothing that was erased come back."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import redis

from actors import batch
from actors.backup import run_backup
from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from middleware.broker import build_broker
from middleware.run import Run
from middleware.worker import LaneWorker
from tasks import archive
from tasks.archive import BackupFailed, finished
from tasks.audit_chain import Trails
from tasks.backup import MADE_ANEW, OF_THE_MOMENT, READ_BY_NAME, READ_LAST, back_up, last_backup, prune
from tasks.backup_stores import BackupStore, FolderStore
from tasks.blobs import FolderBlobs
from tasks.catalog import CATALOG, Catalog
from tasks.erasure_ledger import ErasureLedger
from tasks.ids import new_id
from tasks.inspection import Inspection
from tasks.keys import KEYS, Keys
from tasks.ledger import Ledger
from tasks.lifecycle import State
from tasks.master_key import check_master_key, new_master_key
from tasks.payloads import BatchCaseResult
from tasks.record import Task
from tasks.restore import Restored, checked, restore
from tasks.service import TaskService
from tasks.settings import Settings
from tasks.submission import Order, check
from tasks.task_limits import TaskLimits
from tests.conftest import wait_until
from tests.integration.conftest import Client, quick_triage
from tests.integration.stories import PLAIN, a_task, begun, fetched, ledger_for, log
from tests.stored import dumped

KEPT_DAYS = 14
MARKER = "Quimera-7714"


def emptied(client: redis.Redis, settings: Settings, tmp_path: Path) -> Settings:
    """The server without anything, and a data directory with the master key alone."""
    client.flushall()
    new = tmp_path / "new"
    new.mkdir(exist_ok=True)
    (new / "master.key").write_bytes((settings.data_dir / "master.key").read_bytes())
    return settings.model_copy(update={"data_dir": new})


def restored(client: redis.Redis, settings: Settings, store: BackupStore, name: str) -> Restored:
    return restore(client, settings, store, name, checked(store, name, settings))


def ids_of(client: redis.Redis) -> list[str]:
    prefix = Keys("despacho").of("task", id="")
    return [name.decode().removeprefix(prefix) for name in client.scan_iter(match=f"{prefix}*", count=1_000)]


def told(task: Task) -> dict[str, Any]:
    return {**task.as_json(), "log": task.log, "wait_ms": None, "run_ms": None}


def all_is_well(ledger: Ledger) -> None:
    assert Inspection(ledger, 0.0).run(mend=False).confirmed == ()


def test_everything_that_stands_somewhere_comes_back_there(
    client: redis.Redis, settings: Settings, tmp_path: Path
) -> None:
    ledger = ledger_for(client, settings)
    check_master_key(client, settings)
    queued, running, failed, done = (a_task(kwargs={"text": MARKER}) for _ in range(4))
    delayed = a_task(countdown_s=3_600.0)
    ledger.submit([done])
    held = begun(ledger, done)
    ledger.keep_lines(held, 1, 1, b"bGluZXM=")
    ledger.succeed(held, json.dumps({"ok": True}))
    ledger.submit([failed])
    ledger.fail(begun(ledger, failed), {"type": "Boom", "message": "no", "at": 1})
    ledger.submit([running])
    begun(ledger, running)
    ledger.submit([queued])
    ledger.submit([delayed])
    before = {task.task_id: task for task in ledger.tasks([t.task_id for t in (queued, delayed, failed, done)])}
    ttl_before = client.pexpiretime(ledger.keys.of("task", id=done.task_id))

    store = FolderStore(tmp_path / "store")
    name, manifest = back_up(client, settings, store, KEPT_DAYS)
    told_of_it = last_backup(client, settings)
    new = emptied(client, settings, tmp_path)
    came = restored(client, new, store, name)

    ledger = ledger_for(client, new)
    assert manifest.counts["task"] >= 5
    assert told_of_it is not None
    assert told_of_it["ok"] is True
    assert (came.tasks, came.recovered) == (5, 1)
    after = {task.task_id: task for task in ledger.tasks(list(before))}
    assert {id_: told(task) for id_, task in after.items()} == {id_: told(task) for id_, task in before.items()}
    assert client.pexpiretime(ledger.keys.of("task", id=done.task_id)) == ttl_before
    assert client.hget(ledger.keys.of("task", id=done.task_id), "lines") == b"1.1.1 bGluZXM="
    # The run that was cut off is told of, and its task stands before the one that came after it.
    assert log(ledger, running.task_id) == ["queued", "running", "recovered"]
    assert client.zscore(ledger.keys.of("delayed"), delayed.task_id) == before[delayed.task_id].eta_ms
    assert client.zrange(ledger.keys.of("dead", lane="demo.normal"), 0, -1) == [failed.task_id.encode()]
    all_is_well(ledger)
    ledger.requeue(failed.task_id)
    began = [started.hold.task_id for started in fetched(ledger)]
    assert began == [running.task_id, queued.task_id, failed.task_id]


def test_what_was_limited_takes_no_slot_after_a_restore(
    client: redis.Redis, settings: Settings, tmp_path: Path
) -> None:
    # Given a run that takes the only slot of its type, of its case, and a rate for the day; another waits for it
    limits = TaskLimits(rate="1/day", concurrency=1, per_case=1)
    limited = Catalog([replace(PLAIN, limits=limits)])
    ledger = Ledger(client, settings, limited)
    check_master_key(client, settings)
    running, waiting = (a_task(kwargs={"case_id": "c-1"}) for _ in range(2))
    ledger.submit([running, waiting])
    assert [started.hold.task_id for started in fetched(ledger)] == [running.task_id]

    # When all is restored elsewhere
    store = FolderStore(tmp_path / "store")
    name, _ = back_up(client, settings, store, KEPT_DAYS)
    new = emptied(client, settings, tmp_path)
    restored(client, new, store, name)

    # Then both wait in their lane, the slot is free, and the other one comes after it
    ledger = Ledger(client, new, limited)
    all_is_well(ledger)
    (again,) = fetched(ledger)
    assert again.hold.task_id == running.task_id
    assert ledger.tasks([waiting.task_id])[0].limiter == "case"


def quick_case(run: Run, payload: Any, tools: Toolbox) -> BatchCaseResult:
    sleep(0.005)
    return BatchCaseResult(case_id=payload.case_id)


@contextmanager
def working(settings: Settings) -> Iterator[Ledger]:
    """A worker whose work is quick, with real batches."""
    broker = build_broker(settings)
    tools = Toolbox(broker.ledger, settings)
    for declared in (
        Declared("triage.process_async", quick_triage),
        Declared("batch.process_cases", batch.process_cases),
        Declared("batch.process_case", quick_case),
    ):
        declare(broker, declared, tools)
    worker = LaneWorker(broker, 4)
    worker.start()
    try:
        yield broker.ledger
    finally:
        worker.drain(0)


def submit_on_and_on(ledger: Ledger, acknowledged: list[str], stop: threading.Event) -> None:
    while not stop.is_set():
        number = len(acknowledged)
        order = Order("triage.process_async", [f"case-{number}"], {"user_message": "oi"}, task_id=None)
        if number % 10 == 0:
            order = Order("batch.process_cases", [[f"b-{number}-{i}" for i in range(CASES)], ["triage"]])
        acknowledged.extend(ledger.submit([check(order, ledger.catalog)]).task_ids)
        sleep(0.004)


CASES = 12


def test_a_backup_under_traffic_loses_nothing_and_contradicts_itself_nowhere(
    client: redis.Redis, settings: Settings, tmp_path: Path
) -> None:
    check_master_key(client, settings)
    store = FolderStore(tmp_path / "store")
    acknowledged: list[str] = []
    stop = threading.Event()
    with working(settings) as ledger:
        submitter = threading.Thread(target=submit_on_and_on, args=(ledger, acknowledged, stop))
        submitter.start()
        wait_until(lambda: len(acknowledged) > 100, "work is under way")
        before = list(acknowledged)
        ended = {task.task_id: task.status for task in ledger.tasks(before) if task.status.final}
        name, _ = back_up(client, settings, store, KEPT_DAYS, lambda _: sleep(0.05))
        later = len(acknowledged) - len(before)
        stop.set()
        submitter.join()
    assert later > 0

    new = emptied(client, settings, tmp_path)
    came = restored(client, new, store, name)

    ledger = Ledger(client, new)
    tasks = {task.task_id: task for task in ledger.tasks(ids_of(client))}
    assert set(before) <= set(tasks)
    assert len(tasks) == came.tasks
    assert ended.items() <= {id_: task.status for id_, task in tasks.items()}.items()
    all_is_well(ledger)
    assert not [task for task in tasks.values() if task.status is State.RUNNING and not task.awaiting]
    trails = Trails(client, new)
    assert not [tenant for tenant in trails.tenants() if trails.verify(tenant).broken]
    # And all of it comes to its end.
    with working(new):
        wait_until(lambda: all(t.status.final for t in ledger.tasks(list(tasks))), "all has ended", timeout_s=60)
    for task in ledger.tasks(list(tasks)):
        assert task.status is State.SUCCEEDED
        assert task.children is None or task.children.succeeded == task.children.total == CASES
    all_is_well(ledger)


def put(api: Client, case_id: str) -> str:
    """A case with a document; returns the document's id."""
    turns = [{"role": "client", "content": f"{MARKER} {case_id}"}]
    assert api.put(f"/api/cases/{case_id}", json={"conversation_history": turns}).status_code in (200, 201)
    files = {"file": ("a.txt", f"{MARKER} {case_id}".encode(), "text/plain")}
    answer = api.post("/api/documents", files=files, data={"case_id": case_id})
    assert answer.status_code == 201
    return str(answer.json()["document_id"])


def opened(settings: Settings, tenant: str, case_id: str) -> Any:
    async def read() -> Any:
        async with service_of(settings) as service:
            return await service.cases.get(tenant, case_id)

    return asyncio.run(read())


def erase(settings: Settings, tenant: str, case_id: str) -> None:
    async def run() -> None:
        async with service_of(settings) as service:
            await service.erasure(FolderBlobs(settings.data_dir / "blobs")).erase(tenant, case_id)

    asyncio.run(run())


@asynccontextmanager
async def service_of(settings: Settings) -> AsyncIterator[TaskService]:
    service = TaskService.connect(settings)
    try:
        yield service
    finally:
        await service.close()


def test_a_case_that_was_erased_after_the_backup_stays_erased(
    api: Client, client: redis.Redis, settings: Settings, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "store")
    for case_id in ("kept:1", "erased:1", "erased:2"):
        put(api, case_id)
    name, manifest = back_up(client, settings, store, KEPT_DAYS)
    assert api.delete("/api/cases/erased:1").status_code == 200
    # The next backup tells the folder of it; where that is set, the erasure itself does.
    back_up(client, settings, store, KEPT_DAYS)
    erase(settings.model_copy(update={"backup_to": str(tmp_path / "store")}), "acme", "erased:2")
    assert ErasureLedger(store).since(manifest.began_ms) == {("acme", "erased:1"), ("acme", "erased:2")}

    new = emptied(client, settings, tmp_path)
    came = restored(client, new, store, name)

    assert came.erased == 2
    assert opened(new, "acme", "kept:1") is not None
    keys = Keys("despacho")
    for case_id in ("erased:1", "erased:2"):
        for kind in ("case", "case_key", "case_documents", "by_case"):
            assert not client.exists(keys.of(kind, tenant="acme", case=case_id)), kind
    files = [path for path in (new.data_dir / "blobs").rglob("*") if path.is_file()]
    assert len(files) == 1
    assert MARKER.encode() not in dumped(client)
    secret = (settings.data_dir / "master.key").read_bytes().strip()
    for path in (tmp_path / "store").rglob("*.gz"):
        assert secret not in path.read_bytes()


def test_nothing_is_restored_where_it_would_do_harm(client: redis.Redis, settings: Settings, tmp_path: Path) -> None:
    ledger = ledger_for(client, settings)
    check_master_key(client, settings)
    ledger.submit([a_task() for _ in range(10)])
    store = FolderStore(tmp_path / "store")
    name, _ = back_up(client, settings, store, KEPT_DAYS)

    with pytest.raises(BackupFailed, match="already holds an installation"):
        restored(client, settings, store, name)
    new = emptied(client, settings, tmp_path)
    with pytest.raises(BackupFailed, match="there is no master key"):
        checked(store, name, new.model_copy(update={"data_dir": tmp_path / "nowhere"}))
    assert not (tmp_path / "nowhere").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "master.key").write_text(new_master_key())
    with pytest.raises(BackupFailed, match="DESPACHO_MASTER_KEY"):
        checked(store, name, new.model_copy(update={"data_dir": other}))
    (new.data_dir / "blobs").mkdir()
    (new.data_dir / "blobs" / "x").write_bytes(b"x")
    with pytest.raises(BackupFailed, match="holds files"):
        checked(store, name, new)
    (new.data_dir / "blobs" / "x").unlink()

    folder = tmp_path / "store" / name
    part = next(folder.glob("records-*"))
    whole = part.read_bytes()
    part.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BackupFailed, match="changed or damaged"):
        checked(store, name, new)
    part.write_bytes(whole)
    manifest = folder / archive.MANIFEST
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**told, "format": 99, "version": "9.0"}))
    with pytest.raises(BackupFailed, match=r"Use Despacho 9\.0 or newer"):
        checked(store, name, new)
    for broken in ("{", "[]", '{"format": 1, "parts": 3}', json.dumps({**told, "counts": {"task": "many"}})):
        manifest.write_text(broken)
        with pytest.raises(BackupFailed, match="can't be read"):
            checked(store, name, new)
    manifest.write_text(json.dumps({**told, "counts": {"task": 11}}))
    with pytest.raises(BackupFailed, match="its manifest says otherwise"):
        checked(store, name, new)
    manifest.unlink()
    with pytest.raises(BackupFailed, match="no finished backup"):
        checked(store, name, new)
    assert not list(client.scan_iter())


def test_a_backup_that_fails_leaves_nothing_and_says_so(
    client: redis.Redis, settings: Settings, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "store")
    ledger = ledger_for(client, settings)
    ledger.submit([a_task()])
    back_up(client, settings, store, KEPT_DAYS)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(BackupFailed, match="No space left"):
        back_up(client, settings, store, KEPT_DAYS, full)

    assert len(list((tmp_path / "store").iterdir())) == len(finished(store)) == 1
    told = last_backup(client, settings)
    assert told is not None
    assert told["ok"] is False
    assert "No space left" in told["error"]
    (wrong_place := tmp_path / "file").write_text("")
    with pytest.raises(BackupFailed):
        back_up(client, settings, FolderStore(wrong_place), KEPT_DAYS)


def test_old_backups_go_but_never_the_last(client: redis.Redis, settings: Settings, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    ledger = ErasureLedger(store)
    for _ in range(3):
        back_up(client, settings, store, KEPT_DAYS)
    first, second, third = finished(store)
    ledger.note("acme", "case-1", archive.Manifest.read(store, second).began_ms - 1)

    prune(store, settings.namespace, archive.Manifest.read(store, second).began_ms)
    assert finished(store) == [second, third]
    assert ledger.since(0) == set()
    prune(store, settings.namespace, 2**53)
    assert finished(store) == [third]
    assert not (tmp_path / "store" / first).exists()


def at_night(settings: Settings) -> None:
    """A worker runs the task that the schedule sends."""
    broker = build_broker(settings)
    declare(broker, Declared("backup.run", run_backup), Toolbox(broker.ledger, settings))
    worker = LaneWorker(broker, 1)
    worker.start()
    try:
        order = Order("backup.run", internal=True, task_id=new_id())
        (task_id,) = broker.ledger.submit([check(order, CATALOG)]).task_ids
        wait_until(lambda: broker.ledger.tasks([task_id])[0].status is State.SUCCEEDED, "it is done")
    finally:
        worker.drain(0)


def test_the_nightly_backup_goes_where_it_is_set_to(client: redis.Redis, settings: Settings, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    at_night(settings)
    assert last_backup(client, settings) is None
    at_night(settings.model_copy(update={"backup_to": str(tmp_path / "store")}))
    assert len(finished(store)) == 1


def test_what_is_no_backup_of_ours_is_no_key_that_has_gone() -> None:
    assert {key.name for key in KEYS} >= MADE_ANEW | OF_THE_MOMENT | READ_BY_NAME | READ_LAST
