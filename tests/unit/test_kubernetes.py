"""The manifests name only what there is: commands, settings, ports, paths, keys of the Secret; and they give a worker
the time that its drain takes. Metrics are checked where there is a gateway (tests/integration/test_metrics.py)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from actors import worker as worker_body
from cli.main import parser
from cli.program import WORKER_MARGIN_S
from cli.scaling import FULL_SHARE
from gateway.operations import ROUTES
from tasks.settings import PREFIX, Settings

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
GIVEN_BY_HAND = {"despacho": {"valkey-password", "master-key"}, "despacho-scaler": {"token"}}


def listed() -> list[str]:
    return list(yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"])


def manifests() -> list[dict[str, Any]]:
    return [each for name in listed() for each in yaml.safe_load_all((FOLDER / name).read_text())]


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = named("Deployment", name)["spec"]["template"]["spec"]
    return spec


def container(name: str) -> dict[str, Any]:
    (only,) = pod(name)["containers"]
    return dict(only)


def settings_of(name: str) -> dict[str, str]:
    """What a part reads from its environment, secrets made up."""
    shared = {key for each in container(name)["envFrom"] for key in [each["configMapRef"]["name"]]}
    assert shared == {"despacho"}
    config: dict[str, str] = dict(named("ConfigMap", "despacho")["data"])
    for variable in container(name)["env"]:
        config[variable["name"]] = variable.get("value", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    return {name: value for name, value in config.items() if name.startswith(PREFIX)}


def all_of(key: str, node: Any) -> Iterator[Any]:
    """Every value that stands under this key, however deep."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from all_of(key, value)
    elif isinstance(node, list):
        for value in node:
            yield from all_of(key, value)


def test_every_file_is_listed_and_every_manifest_whole() -> None:
    assert sorted([*listed(), "kustomization.yaml"]) == sorted(path.name for path in FOLDER.glob("*.yaml"))
    for each in manifests():
        assert {"apiVersion", "kind", "metadata"} <= each.keys()
    for part in ("gateway", "worker", "scheduler"):
        labels = named("Deployment", part)["spec"]["template"]["metadata"]["labels"]
        assert named("Deployment", part)["spec"]["selector"]["matchLabels"] == labels
        assert named("PodDisruptionBudget", part)["spec"]["selector"]["matchLabels"] == labels


@pytest.mark.parametrize("part", ["gateway", "worker", "scheduler"])
def test_a_part_starts_with_a_command_and_settings_that_there_are(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program, *arguments = container(part)["command"]
    assert program == "despacho"
    assert parser().parse_args(arguments).command == part

    for name, value in settings_of(part).items():
        assert name.removeprefix(PREFIX).lower() in Settings.model_fields, name
        monkeypatch.setenv(name, value)
    Settings.load()


def test_a_worker_has_more_time_than_its_drain_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    drain_s = float(settings_of("worker")["DESPACHO_DRAIN_TIMEOUT_S"])

    assert pod("worker")["terminationGracePeriodSeconds"] >= drain_s + WORKER_MARGIN_S
    assert "lifecycle" not in container("worker")


def test_probes_ask_for_what_is_answered() -> None:
    served = {route.path for route in ROUTES}
    for part, port, paths in (
        ("gateway", 8000, served),
        ("worker", int(settings_of("worker")["DESPACHO_PROBE_PORT"]), set(worker_body.PROBES)),
    ):
        asked = list(all_of("httpGet", container(part)))
        assert asked
        (opened,) = container(part)["ports"]
        assert opened["containerPort"] == port
        assert {each["port"] for each in asked} == {opened["name"]}
        assert {each["path"] for each in asked} <= paths
    # A gateway goes on taking tasks where no worker does, and the scaler has to reach it.
    assert "/readyz" not in {each["path"] for each in all_of("httpGet", container("gateway"))}
    assert Settings.model_fields["port"].default == 8000


def test_secrets_are_those_that_the_page_makes() -> None:
    page = (FOLDER / "README.md").read_text()
    references = [*all_of("secretKeyRef", manifests()), *next(all_of("secretTargetRef", manifests()))]
    for reference in references:
        assert reference["key"] in GIVEN_BY_HAND[reference["name"]]
        assert re.search(
            rf"secret generic {reference['name']} [^`]*--from-literal={reference['key']}=", page, re.DOTALL
        )
    assert not list(all_of("stringData", manifests()))


def test_the_scaler_asks_the_gateway_and_fills_the_threads() -> None:
    scaled = named("ScaledObject", "worker")["spec"]
    service, namespace = named("Service", "gateway"), named("Namespace", "despacho")["metadata"]["name"]
    (port,) = service["spec"]["ports"]
    threads = int(settings_of("worker")["DESPACHO_THREADS"])

    assert named("Deployment", scaled["scaleTargetRef"]["name"])
    assert 1 <= scaled["minReplicaCount"] <= scaled["fallback"]["replicas"] <= scaled["maxReplicaCount"]
    targets = {}
    for trigger in scaled["triggers"]:
        told = trigger["metadata"]
        assert trigger["type"] == "metrics-api"
        assert told["url"] == f"http://gateway.{namespace}.svc.cluster.local:{port['port']}/metrics"
        assert (told["format"], told["authMode"]) == ("prometheus", "bearer")
        targets[told["valueLocation"]] = float(told["targetValue"])
    assert targets.keys() == {"despacho_oldest_takeable_seconds", "despacho_busy_threads"}
    assert threads / 2 <= targets["despacho_busy_threads"] < threads * FULL_SHARE
