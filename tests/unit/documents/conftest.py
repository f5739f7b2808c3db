"""One engine for all tests of this folder, and short ways to put a file through it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.engines import ReadDocument, Report, SourceDocument
from actors.engines.documents.limits import Limits
from actors.engines.documents.local import LocalDocuments
from tasks.payloads import DocumentOptions

TODAY = dt.date(2025, 3, 10)
Analyze = Callable[..., ReadDocument]


@pytest.fixture(scope="session")
def engine() -> Iterator[LocalDocuments]:
    engine = LocalDocuments(Limits(seconds=60), keep=1)
    yield engine
    engine.close()


@pytest.fixture
def analyze(engine: LocalDocuments, tmp_path: Path) -> Analyze:
    """Put bytes through the engine; the stored file's name tells nothing, as a blob's does not."""

    def run(
        data: bytes,
        filename: str = "arquivo",
        report: Report | None = None,
        by: LocalDocuments | None = None,
        media_type: str = "application/octet-stream",
        **options: object,
    ) -> ReadDocument:
        path = tmp_path / "blob"
        path.write_bytes(data)
        source = SourceDocument("doc-1", path, filename, media_type)
        settings = DocumentOptions.model_validate(options)
        return (by or engine).analyze(source, settings, TODAY, report or (lambda _percent, _sentence: None))

    return run
