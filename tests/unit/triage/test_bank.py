from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from actors.engines.triage import bank, lexicon, rules
from actors.engines.triage.folding import fold_lightly
from actors.engines.triage.lexicon import AREAS
from tasks.payloads import Urgency


def test_every_area_and_level_is_told_often_enough() -> None:
    stories = bank.narratives()
    by_area = Counter(n.area for n in stories if n.urgency and not n.situation.startswith("urgency_"))
    by_level = Counter(n.urgency for n in stories if n.situation.startswith("urgency_"))
    assert min(by_area[area] for area in AREAS) >= 60
    assert min(by_level[level] for level in get_args(Urgency)) >= 150


def test_no_narrative_is_told_twice() -> None:
    told = Counter("|".join(t.content for t in n.turns) for n in bank.narratives())
    assert [text for text, times in told.items() if times > 1 and len(text) > 12] == []


def test_what_is_no_case_is_never_urgent() -> None:
    assert {n.urgency for n in bank.narratives() if n.area == "indefinido"} == {"low"}


def test_a_file_is_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(
        "# note\narea: civel\ndate: 2026-01-02\n== loan\n"
        "M+familia oi | A: Olá | ele me deve\nL e eu devo\n== ?\nH só eu\n"
    )
    first, second, third = bank.narratives(tmp_path)
    assert (first.area, first.secondary, first.urgency) == ("civel", "familia", "medium")
    assert [t.by_client for t in first.turns] == [True, False, True]
    assert first.situation == second.situation != third.situation
    assert third.reference_date.isoformat() == "2026-01-02"


def test_a_wrong_label_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("area: civel\nQ texto\n")
    with pytest.raises(ValueError, match=r"x\.txt:2"):
        bank.narratives(tmp_path)


def test_the_fingerprint_follows_every_file(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("area: civel\nL texto\n")
    before = bank.fingerprint(tmp_path)
    (tmp_path / "lexicon.txt").write_text("[civel]\ndivida\n")
    assert bank.fingerprint(tmp_path) != before


def test_the_lexicon_is_folded_and_knows_every_area() -> None:
    terms = lexicon.load()
    spelled = [*terms.exact, *terms.stems]
    assert [t for t in spelled if fold_lightly(t) != t and "-" not in t] == []
    assert {area for areas in terms.exact.values() for area in areas} == set(range(len(AREAS)))


def test_a_stem_stands_for_every_ending(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("[penal]\nprenderam, amea*\n[saude]\nplano de saude\n")
    terms = lexicon.load(tmp_path / "l.txt")
    score = terms.score(["ele", "ameacou", "e", "ameaca", "o", "plano", "de", "saude"])
    assert score[AREAS.index("penal")] == pytest.approx(0.693, abs=1e-3)
    assert score[AREAS.index("saude")] == pytest.approx(0.693, abs=1e-3)


def test_every_rule_compiles_and_has_a_known_name() -> None:
    assert {rule.name for rule in rules.PATTERNS} >= {"C2", "C3", "C4", "C5", "A1", "A2", "A3", "A4"}
    assert all("{" not in piece.name for piece in rules.pieces())
