"""The cases are played side by side, most of their time being waits; each test looks at its own verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

import tests.faults.cases  # noqa: F401
from tests.faults.arena import CASES, run
from tests.faults.despacho import Despacho
from tests.faults.systems import Scale
from tests.faults.verdict import Verdict

SIDE_BY_SIDE = 4
PATIENCE_S = {False: 60.0, True: 300.0}


@pytest.fixture(scope="session")
def verdicts(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Verdict]]]:
    """What each of the wanted cases comes to."""
    is_long = bool(request.config.getoption("--long"))
    wanted = {item.callspec.params["name"] for item in request.session.items if "verdicts" in item.fixturenames}  # type: ignore[attr-defined]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        scale = Scale(is_long, PATIENCE_S[is_long])
        yield {name: pool.submit(run, case, Despacho, scale) for name, case in CASES.items() if name in wanted}
        pool.shutdown(cancel_futures=True)
