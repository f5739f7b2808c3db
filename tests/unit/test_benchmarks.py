"""What the benchmarks make of their figures: bars, tables, and the README's part."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.bars import bars, missed
from benchmarks.figures import HttpFigures, QueueFigures, RecoveryFigures, Report, SizeFigures
from benchmarks.plot import draw
from benchmarks.readme import BEGIN, END, write_into


def queue(drain_per_s: float) -> QueueFigures:
    return QueueFigures(
        drain_per_s=drain_per_s,
        worker_us=400,
        server_us=100,
        commands=20,
        idle_round_trips=0.4,
        idle_commands=1.5,
        pick_up_ms=[1.0, 1.5],
        submit_ms=[0.2],
        bulk_per_s=20_000,
        result_ms=[2.0],
        others_percent=0,
    )


def http(per_s: float, failed: int = 0) -> HttpFigures:
    return HttpFigures(per_s, p50_ms=5, p99_ms=20, server_us=200, failed=failed, bulk_per_s=None)


def names_of_missed(report: Report) -> set[str]:
    return {bar.name for bar in missed(bars(report))}


def test_a_bar_counts_the_median_of_the_rounds() -> None:
    ours, theirs = [queue(5_000), queue(400), queue(6_000)], [queue(1_000)]

    assert "drain by Celery's" not in names_of_missed(Report(queue={"despacho": ours, "celery": theirs}))
    slower = Report(queue={"despacho": ours[:2], "celery": theirs})
    assert "drain by Celery's" in names_of_missed(slower)


def test_what_was_not_measured_is_not_missed() -> None:
    assert names_of_missed(Report()) == set()
    assert names_of_missed(Report(queue={"despacho": [queue(5_000)]})) == set()


def test_the_better_of_the_endpoints_over_celery_is_the_rival() -> None:
    endpoints = {"despacho": [http(4_000)], "fastapi+celery def": [http(600)], "fastapi+celery async": [http(1_400)]}

    assert names_of_missed(Report(http=endpoints)) == {"HTTP submit by FastAPI + Celery's"}


def test_a_request_that_failed_misses_a_bar() -> None:
    assert names_of_missed(Report(http={"starlette+dramatiq": [http(3_000, failed=1)]}))


@pytest.mark.parametrize(
    ("rounds", "is_missed"),
    [
        ([RecoveryFigures(18, 0, 0), RecoveryFigures(20, 0, 0)], False),
        ([RecoveryFigures(18, 0, 0), RecoveryFigures(26, 0, 0)], True),
        ([RecoveryFigures(18, 0, 0), RecoveryFigures(None, 3, 0)], True),
    ],
)
def test_recovery_must_pass_every_time(rounds: list[RecoveryFigures], is_missed: bool) -> None:
    found = names_of_missed(Report(recovery={"despacho": rounds}))

    assert ("recovery, the longest of all" in found) is is_missed


def test_a_large_store_may_be_a_little_slower_than_a_small_one() -> None:
    small, large = SizeFigures(1, 10, 10, 0.2), SizeFigures(1.2, 12, 14, 0.2)

    found = names_of_missed(Report(size={"1,000 records": [small], "50,000 records": [large]}))

    assert found == {"page of succeeded, many records by few"}


def test_only_the_part_between_the_marks_is_written(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    write_into(readme, Report(queue={"despacho": [queue(3_000)], "celery": [queue(500)], "saq": [queue(2_000)]}))

    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| measure")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "| Drain of no-ops | 3,000 tasks/s | 2,000 tasks/s (saq) | 1.50 |" in text


def test_a_readme_without_a_place_for_it_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing here\n")

    with pytest.raises(ValueError, match="lacks"):
        write_into(readme, Report())

    assert readme.read_text() == "nothing here\n"


def test_the_picture_shows_who_was_measured_and_who_was_not_done_in_time() -> None:
    recovery = {"despacho": [RecoveryFigures(18, 0, 0)], "celery": [RecoveryFigures(None, 8, 0)]}

    picture = ElementTree.fromstring(draw(Report(recovery=recovery)))

    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [
        "All done after kill -9 of all workers",
        "s, less is better",
        "despacho",
        "18",
        "celery",
        "not in time",
    ]


def test_kept_figures_can_be_shown_again() -> None:
    report = Report(queue={"despacho": [queue(3_000)]}, http={"despacho": [http(4_000)]}, machine="a machine")

    assert Report.from_json(asdict(report)) == report
