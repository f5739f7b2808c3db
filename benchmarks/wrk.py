"""Runs wrk, which sends POST requests as fast as they are answered, and reads what it counted."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ANSWERS_WITHIN_S = 10
_SCRIPT = """
wrk.method = "POST"
wrk.body = [==[{body}]==]
{headers}
done = function(summary, latency)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format('\\n{{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "failed": %d}}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk counted. `failed` are answers of 400 and above, broken connections and timeouts."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int

    @property
    def per_s(self) -> float:
        return self.requests / self.seconds


def is_installed() -> bool:
    return shutil.which("wrk") is not None


def load(url: str, body: str, headers: Mapping[str, str], *, connections: int, seconds: int, folder: Path) -> Load:
    """So many connections on two threads, for so long."""
    lines = (f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items())
    script = folder / "post.lua"
    script.write_text(_SCRIPT.format(body=body, headers="\n".join(lines)), encoding="utf-8")
    size = ["-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{ANSWERS_WITHIN_S}s"]
    ended = subprocess.run(
        ["wrk", *size, "-s", str(script), url], capture_output=True, text=True, check=True, timeout=seconds + 30
    )
    return Load(**json.loads(ended.stdout.splitlines()[-1]))
