"""Every example in the README is run, as it stands there, against a running service."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.service import RunningService

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def blocks(label: str) -> list[str]:
    return re.findall(rf"^```{label}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_two_commands_are_there() -> None:
    assert blocks("sh run") == ["pip install uv && uv run despacho up\n"]
    assert blocks("sh test") == ["pip install uv && uv run --group test pytest -n 2 --dist loadgroup\n"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
def test_the_examples_do_what_they_say(tmp_path: Path) -> None:
    with RunningService(tmp_path / "despacho-data") as service:
        script = "set -eu\n" + "\necho\n".join(blocks("sh try")).replace("http://127.0.0.1:8000", service.url)
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        from_python = run_client_example(tmp_path, service.url)

    assert from_python.returncode == 0, from_python.stderr
    told = from_python.stdout.splitlines()
    assert told[:2] == ["succeeded consumidor", "queued 0.0"]
    assert told[-3:-1] == ["succeeded 100.0", "case-21 succeeded"]
    assert "/problems/invalid-input (FieldError(field='priority'" in told[-1]
    assert done.returncode == 0, done.stderr
    assert "event: succeeded" in done.stdout
    assert "event: end" in done.stdout
    records = [json.loads(line) for line in json_lines(done.stdout)]
    lines = [record for record in records if "n" in record]
    results = [record["result"] for record in records if record.get("status") == "succeeded" and "n" not in record]
    assert all(record.get("status", "succeeded") == "succeeded" for record in records), done.stdout
    triages = [result for result in results if "urgency" in result]
    assert [triage["urgency"] for triage in triages] == ["high", "critical"]
    assert [triage["area"] for triage in triages] == ["trabalhista", "saude"]
    assert any(result.get("documents", [{}])[0].get("document_type") == "procuracao" for result in results)
    assert any(result.get("dimensions") == 512 for result in results)
    assert any(result.get("succeeded") == 2 for result in results)
    assert {line["case_id"]: line["result"]["triage"]["area"] for line in lines} == {
        "case-18": "saude",
        "case-19": "bancario",
    }


def run_client_example(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    (program,) = blocks("python client")
    program = program.replace("http://127.0.0.1:8000", url)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def json_lines(output: str) -> list[str]:
    """The JSON documents that curl printed, one after the other without line breaks between them."""
    text = re.sub(r"^(id|event|data|retry|:).*$", "", output, flags=re.MULTILINE)
    decoder, found, at = json.JSONDecoder(), [], 0
    while (start := text.find("{", at)) >= 0:
        _, at = decoder.raw_decode(text, start)
        found.append(text[start:at])
    return found


def test_the_python_example_is_python() -> None:
    (example,) = blocks("python")

    ast.parse(f"async def example():\n{''.join(f'    {line}' for line in example.splitlines(keepends=True))}")
