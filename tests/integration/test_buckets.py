"""Backups and blobs in buckets of an S3-compatible store, against a server that speaks it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from cli.main import main
from tasks.api_keys import SCOPES, ApiKeys
from tasks.archive import BackupFailed, finished, verified
from tasks.backup import back_up, last_backup, prune
from tasks.backup_stores import store_of
from tasks.blobs import BucketBlobs, FolderBlobs, blobs_of, results_folder
from tasks.bucket import Bucket, BucketFailed
from tasks.connection import connect
from tasks.erasure_ledger import ErasureLedger
from tasks.errors import SettingsError
from tasks.inspection import Inspection
from tasks.installation import check_installation
from tasks.settings import Settings
from tests.cutting_proxy import CuttingProxy
from tests.integration.conftest import Client, Gateway
from tests.integration.stories import a_task, begun, ledger_for
from tests.integration.test_backup import KEPT_DAYS, MARKER, emptied, erase, opened, put, restored
from tests.s3_server import S3Server, s3_server

LARGE = os.urandom(20 << 20)
"""So much goes up in several parts."""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def settings(settings: Settings, s3: S3Server) -> Settings:
    """Everything large in one bucket, and the backups in another."""
    places = {"blobs": f"{s3.new_bucket()}/of/us", "backup_to": f"{s3.new_bucket()}/nightly"}
    return settings.model_copy(update=s3.settings(**places))


def the_other_side(client: redis.Redis, settings: Settings, s3: S3Server, tmp_path: Path) -> Settings:
    """An empty server, and an empty bucket for the blobs."""
    return emptied(client, settings, tmp_path).model_copy(update={"blobs": s3.new_bucket()})


def test_what_was_destroyed_comes_back_out_of_a_bucket(
    api: Client, client: redis.Redis, settings: Settings, s3: S3Server, tmp_path: Path
) -> None:
    # Given records, a dead letter, a case with documents, one of them large, and a case that is erased later
    ledger, store = ledger_for(client, settings), store_of(settings)
    failed = a_task()
    ledger.submit([failed])
    ledger.fail(begun(ledger, failed), {"type": "Boom", "message": "no", "at": 1})
    document = put(api, "kept:1")
    put(api, "erased:1")
    large = {"file": ("g.bin", LARGE, "application/octet-stream")}
    large_id = api.post("/api/documents", files=large, data={"case_id": "kept:1"}).json()["document_id"]
    assert api.get(f"/api/documents/{large_id}/content").content == LARGE
    part = api.get(f"/api/documents/{large_id}/content", headers={"Range": "bytes=9000000-9000009"})
    assert (part.status_code, part.content) == (206, LARGE[9_000_000:9_000_010])

    # When it is backed up, a case is erased, and everything is lost
    name, manifest = back_up(client, settings, store, KEPT_DAYS)
    erase(settings, "acme", "erased:1")
    assert ErasureLedger(store).since(manifest.began_ms) == {("acme", "erased:1")}
    for folder in ("documents", "texts", "results"):
        blobs_of(settings).delete_folder(folder)
    new = the_other_side(client, settings, s3, tmp_path)
    came = restored(client, new, store, name)

    # Then it is there again, and what was erased is not
    assert (came.tasks, came.erased) == (1, 1)
    assert opened(new, "acme", "kept:1") is not None
    assert len(list(blobs_of(new).all("documents"))) == 2
    assert verified(store, name).counts["file"] == 3
    assert last_backup(client, new) is None
    assert not list((settings.data_dir / "blobs").rglob("*"))
    with pytest.raises(BackupFailed, match="already holds an installation"):
        restored(client, new.model_copy(update={"blobs": s3.new_bucket()}), store, name)
    with pytest.raises(BackupFailed, match="DESPACHO_BLOBS to an empty prefix"):
        restored(client, new, store, name)
    with serving(new) as again:
        assert again.get(f"/api/documents/{large_id}/content").content == LARGE
        assert MARKER in again.get(f"/api/documents/{document}/content").text
        assert again.delete(f"/api/documents/{large_id}").status_code == 204
    assert len(list(blobs_of(new).all("documents"))) == 1


@contextmanager
def serving(settings: Settings) -> Iterator[Client]:
    """A gateway over what was restored."""
    gateway = Gateway(settings)
    gateway.start()
    with connect(settings) as server:
        _, token = ApiKeys(server, settings).create("again", "acme", SCOPES)
    try:
        with Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
            yield client
    finally:
        gateway.stop()


def test_old_backups_leave_the_bucket_and_the_command_lists_the_others(
    client: redis.Redis,
    settings: Settings,
    s3: S3Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = store_of(settings)
    names = [back_up(client, settings, store, KEPT_DAYS)[0] for _ in range(3)]
    assert prune(store, settings.namespace, 2**53) == names[:2]
    assert finished(store) == names[2:]
    for name, value in s3.environment(backup_to=str(settings.backup_to)).items():
        monkeypatch.setenv(name, value)
    assert main(["backup", "list"]) == 0
    assert f"{settings.backup_to}/{names[2]}  20" in capsys.readouterr().out
    assert main(["backup", "verify", f"{settings.backup_to}/{names[2]}"]) == 0
    assert "is whole" in capsys.readouterr().out
    assert main(["restore", f"{settings.backup_to}/{names[0]}"]) == 1
    assert "is no finished backup" in capsys.readouterr().err


def test_a_bucket_that_fails_is_named_with_the_setting_to_look_at(
    client: redis.Redis, settings: Settings, s3: S3Server
) -> None:
    def failure(**changed: object) -> str:
        wrong = settings.model_copy(update=changed)
        with pytest.raises(BucketFailed) as caught:
            back_up(client, wrong, store_of(wrong), KEPT_DAYS)
        told = last_backup(client, settings)
        assert told is not None
        assert (told["ok"], told["error"]) == (False, str(caught.value))
        return str(caught.value)

    assert "no bucket s3://nowhere-1" in failure(backup_to="s3://nowhere-1")
    with s3.checking_keys():
        refused = failure()
    assert "refuses the keys (InvalidAccessKeyId)" in refused
    assert "DESPACHO_S3_SECRET_ACCESS_KEY" in refused
    assert settings.s3_secret_access_key is not None
    assert settings.s3_secret_access_key.get_secret_value() not in refused
    assert "Check DESPACHO_S3_ENDPOINT" in failure(s3_endpoint="http://127.0.0.1:9")


def test_where_the_bucket_is_away_documents_are_unavailable_and_nothing_else(
    api: Client, settings: Settings, s3: S3Server
) -> None:
    document = put(api, "kept:1")
    with serving(settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})) as away:
        answer = away.get(f"/api/documents/{document}/content")
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
        assert away.get("/api/cases/kept:1").status_code == 200
    assert MARKER in api.get(f"/api/documents/{document}/content").text


def test_a_connection_that_is_cut_costs_a_repeat_and_no_backup(
    api: Client, client: redis.Redis, settings: Settings, s3: S3Server, tmp_path: Path
) -> None:
    put(api, "kept:1")
    large = {"file": ("g.bin", LARGE, "application/octet-stream")}
    assert api.post("/api/documents", files=large, data={"case_id": "kept:1"}).status_code == 201
    # Requests whose answer is lost, and the largest part (the fourth that is read), are asked for again.
    with CuttingProxy(s3.port, (0, 0, 0)) as proxy:
        cut = settings.model_copy(update={"s3_endpoint": proxy.url})
        name, _ = back_up(client, cut, store_of(cut), KEPT_DAYS)
        assert proxy.cuts == 3
    with CuttingProxy(s3.port, (*[2**40] * 3, 100_000, 2_000_000)) as proxy:
        cut = settings.model_copy(update={"s3_endpoint": proxy.url})
        verified(store_of(cut), name)
        assert proxy.cuts == 2
    # Where it is cut for good, the backup says so and isn't there.
    with CuttingProxy(s3.port, [0] * 1_000) as proxy:
        cut = settings.model_copy(update={"s3_endpoint": proxy.url})
        with pytest.raises(BucketFailed, match="can't be reached, or broke off"):
            back_up(client, cut, store_of(cut), KEPT_DAYS)
    assert finished(store_of(settings)) == [name]


def test_both_blob_stores_keep_the_same_promises(settings: Settings, s3: S3Server, tmp_path: Path) -> None:
    for blobs in (FolderBlobs(tmp_path / "b"), BucketBlobs(Bucket.of(settings, s3.new_bucket(), "X"))):
        assert blobs.is_empty()
        places = [f"{results_folder('acme', f'task-{number:02}')}/1.json" for number in range(12)]
        for place in places:
            assert blobs.write(place, [b"1", b"2" * 300_000]) == 300_001
        assert blobs.write("documents/acme/ab/empty", []) == 0
        assert blobs.read("documents/acme/ab/empty") == b""
        blobs.write(places[0], [b"other"])
        assert b"".join(blobs.chunks(places[0])) == blobs.read(places[0]) == b"other"
        assert blobs.exists(places[0])
        assert not blobs.exists("results/acme/task-00")
        for gone in ("results/acme/none", "results/acme/task-00"):
            with pytest.raises(OSError):
                list(blobs.chunks(gone))
        with pytest.raises(ValueError):
            blobs.write("results/../x", [b""])

        # Whoever looks at a few of them again and again sees all, and none that is young.
        assert not list(blobs.some_old("results", 3_600, 100))
        seen = {place for _ in range(40) for place in blobs.some_old("results", -5, 5)}
        assert seen == set(places) == set(blobs.all("results"))

        blobs.delete_folders([results_folder("acme", f"task-{number:02}") for number in (1, 3, 5, 77)])
        blobs.delete_folder(results_folder("acme", "task-1"))
        blobs.delete(places[0])
        blobs.delete(places[0])
        assert len(set(blobs.all("results"))) == 8
        assert not blobs.is_empty()


def killed(settings: Settings, point: str, *source: str) -> None:
    """A backup, or the restore of one, in a process that is killed at this point."""
    given = settings.model_dump(exclude_unset=True, exclude_none=True)
    plain = {name: v.get_secret_value() if isinstance(v, SecretStr) else str(v) for name, v in given.items()}
    environment = {f"DESPACHO_{name.upper()}": value for name, value in plain.items()}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.integration.killed_backup", point, *source],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


KILLED_AT = {
    "folder": ("before_the_manifest", "before_the_lists"),
    "bucket": ("after_a_part", "after_a_file"),
}
"""While it is written, and while it comes back."""


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_what_a_kill_leaves_is_no_backup_and_no_installation(
    where: str, client: redis.Redis, settings: Settings, s3: S3Server, tmp_path: Path
) -> None:
    if where == "folder":
        settings = settings.model_copy(update={"blobs": None, "backup_to": str(tmp_path / "store")})
    document = "documents/acme/ab/abcd"
    blobs_of(settings).write(document, [b"bytes"])
    check_installation(client, settings)
    ledger, store = ledger_for(client, settings), store_of(settings)
    ledger.submit([a_task()])
    whole, _ = back_up(client, settings, store, KEPT_DAYS)

    writing, coming_back = KILLED_AT[where]
    # Given a backup that was killed: it is none
    killed(settings, writing)
    (half,) = set(store.folders()) - {whole}
    assert finished(store) == [whole]
    with pytest.raises(BackupFailed, match="is no finished backup"):
        verified(store, half)
    # The next one takes it for one that is being written, and the first that comes a minute later removes it.
    second, _ = back_up(client, settings, store, KEPT_DAYS)
    assert set(store.folders()) == {whole, second, half}
    assert 0 < client.ttl(f"despacho:at_work:{half}") <= 60
    client.delete(f"despacho:at_work:{half}")
    third, _ = back_up(client, settings, store, KEPT_DAYS)
    assert finished(store) == sorted(store.folders()) == [whole, second, third]

    elsewhere = settings.model_copy(update={"blobs": s3.new_bucket()})
    blobs_of(elsewhere).write("documents/x", [b"x"])
    # And a restore that was killed: nothing serves it, and another one begins anew
    new = the_other_side(client, settings, s3, tmp_path)
    if where == "folder":
        new = new.model_copy(update={"blobs": None})
    killed(new, coming_back, store.place(third))
    with pytest.raises(SettingsError, match=f"run `despacho restore {re.escape(store.place(third))}` again"):
        check_installation(client, new)
    with pytest.raises(BackupFailed, match="Wait a minute"):
        restored(client, new, store, third)
    assert 0 < client.ttl("despacho:at_work:restoring") <= 60
    client.delete("despacho:at_work:restoring")
    # Files that aren't that restore's own are left alone.
    blobs_of(elsewhere).write("restoring", [b"of another restore"])
    with pytest.raises(BackupFailed, match="overwrites nothing"):
        restored(client, elsewhere, store, third)
    assert blobs_of(elsewhere).read("documents/x") == b"x"
    killed(new, "before_the_mark_goes", store.place(third))
    client.delete("despacho:at_work:restoring")
    with pytest.raises(BackupFailed, match="the installation is whole, start it"):
        restored(client, new, store, third)
    check_installation(client, new)
    assert list(blobs_of(new).all("documents")) == [document]
    assert not blobs_of(new).exists("restoring")
    assert Inspection(ledger_for(client, new), 0.0).run(mend=False).confirmed == ()
