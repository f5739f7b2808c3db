from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cli.child import Stage
from cli.program import ROOT, environment, program
from tasks.settings import Settings

SECRET = "redis://:s3cret@10.0.0.7:6379/0"


def test_as_many_workers_as_set_one_scheduler_and_one_gateway(tmp_path: Path) -> None:
    specs = program(Settings.load(processes=3), tmp_path)

    assert [spec.name for spec in specs] == ["worker-1", "worker-2", "worker-3", "scheduler", "gateway"]
    assert [spec.stage for spec in specs] == [Stage.WORK] * 3 + [Stage.FRONT] * 2


def test_no_secret_is_on_a_command_line(tmp_path: Path) -> None:
    specs = program(Settings.load(redis_url=SECRET), tmp_path)

    assert all("s3cret" not in word for spec in specs for word in spec.command)
    assert all(spec.env["DESPACHO_REDIS_URL"] == SECRET for spec in specs)


def test_a_child_reads_the_settings_that_its_parent_has(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Settings.load(port=9_000, host="::1", threads=3, data_dir=Path("/with a space"), redis_url=SECRET)

    for name, value in environment(given).items():
        monkeypatch.setenv(name, value)

    assert Settings.load() == given


def test_workers_may_drain_before_they_are_killed(tmp_path: Path) -> None:
    settings = Settings.load(drain_timeout_s=30)

    graces = {spec.grace_s for spec in program(settings, tmp_path) if spec.stage is Stage.WORK}

    assert graces == {34.0}


def test_a_stop_takes_a_quarter_of_a_minute_at_most(tmp_path: Path) -> None:
    specs = program(Settings.load(), tmp_path)
    longest = {stage: max(s.grace_s for s in specs if s.stage is stage) for stage in (Stage.WORK, Stage.FRONT)}

    assert sum(longest.values()) + 2.0 <= 15


def test_a_folder_of_the_same_name_in_the_users_directory_is_not_taken_for_ours(tmp_path: Path) -> None:
    assert all("-P" in spec.command for spec in program(Settings.load(), tmp_path))


def test_a_checkout_is_found_by_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")

    assert environment(Settings.load())["PYTHONPATH"] == f"{ROOT}:/elsewhere"


def test_an_installed_package_needs_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/usr/local/bin", *sys.path])
    monkeypatch.delenv("PYTHONPATH", raising=False)

    assert "PYTHONPATH" not in environment(Settings.load())


def test_workers_of_one_machine_share_no_port_for_probes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DESPACHO_PROBE_PORT", "8081")

    workers = [spec for spec in program(Settings.load(), tmp_path) if spec.stage is Stage.WORK]

    assert all("DESPACHO_PROBE_PORT" not in spec.env for spec in workers)
    assert all(spec.silence_s for spec in workers)


def test_with_auto_there_are_as_few_workers_as_may_be(tmp_path: Path) -> None:
    specs = program(Settings.load(workers="auto", min_processes=3), tmp_path)

    assert [spec.name for spec in specs if spec.stage is Stage.WORK] == ["worker-1", "worker-2", "worker-3"]
