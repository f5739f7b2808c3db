"""Nothing lost, nothing twice, nothing stranded, whatever is killed, stopped or cut."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

import pytest

from tests.faults.arena import CASES
from tests.faults.verdict import Verdict


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_task_ends_well_once(name: str, verdicts: Mapping[str, Future[Verdict]]) -> None:
    verdict = verdicts[name].result()

    assert verdict.clean, verdict
    if CASES[name].reruns:
        assert verdict.run_again, "the fault hit nothing"
