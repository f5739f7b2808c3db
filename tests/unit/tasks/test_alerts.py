"""Rules of alerts as they are written, and what becomes of an alert over time."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.main import main
from tasks.alert_measures import Sample
from tasks.alert_rules import DEFAULTS, KINDS, UNITS, Rule, load_rules, parse_rules
from tasks.alerts import Alert, following, steps
from tasks.errors import InvalidInput, SettingsError
from tasks.settings import Settings
from tests.documentation import DOCUMENTATION

S = 1_000
RATE = Rule(name="rate", kind="failure_rate", threshold=20, clear=10, for_s=60, clear_for_s=60)


def test_the_readme_tells_the_default_rules_and_its_example_is_one(tmp_path: Path) -> None:
    told = re.findall(r"^\| `([a-z-]+)` \| `(\w+)` \| (.+) \| (\d+) s \| (\w+) \|$", DOCUMENTATION, re.MULTILINE)
    meant = []
    for rule in parse_rules(DEFAULTS).rules:
        window = f" in {rule.window_s} s" if rule.kind in ("failure_rate", "dead_letters_growing") else ""
        threshold = f"{rule.threshold:g} {UNITS[rule.kind]}{window}"
        meant.append((rule.name, rule.kind, threshold, str(rule.for_s), rule.severity))
    assert told == meant
    assert {kind for _, kind, *_ in meant} == set(KINDS)
    (example,) = re.findall(r"```toml\n(every_s.*?)```", DOCUMENTATION, re.DOTALL)
    assert parse_rules(example).rules[0].name == "triage-fails"


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("[[rule]]\nname = 'a'\nkind = 'memory'", "rule 'a'.threshold", "Field required"),
        ("[[rule]]\nname = 'a'\nkind = 'memory'\nthreshold = '5'", "rule 'a'.threshold", "number"),
        ("[[rule]]\nname = 'a'\nkind = 'disk'\nthreshold = 5", "rule 'a'.kind", "Input should be"),
        ("[[rule]]\nname = 'a'\nkind = 'memory'\nthreshold = 5\ncolor = 'x'", "rule 'a'.color", "not permitted"),
        ("[[rule]]\nname = 'a'\nkind = 'oldest_waiting'\nthreshold = 5", "rule 'a'.priority", "is one of"),
        ("[[rule]]\nname = 'a'\nkind = 'memory'\nthreshold = 5\nclear = 6", "rule 'a'.clear", "bad side"),
        ("[[rule]]\nkind = 'memory'\nthreshold = nan", "rule number 1.name", "Field required"),
        ("every_s = 0\n[[rule]]\nname = 'a'\nkind = 'memory'\nthreshold = 5", "every_s", "whole number"),
        ("rule = 3", "rule", "1 to 100 tables"),
        ("ruls = 3", "ruls", "is unknown"),
        ("= =", "file", "is not TOML"),
        ("x = " + "[" * 100_000, "file", "is not TOML"),
    ],
)
def test_a_wrong_rule_is_named_with_its_field(text: str, field: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_rules(text)
    assert message in {fault.field: fault.message for fault in refused.value.errors}[field]


@given(st.text(max_size=200))
def test_any_text_is_rules_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        assert parse_rules(text + "\n").rules


def test_the_command_checks_a_file_and_a_wrong_one_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, wrong = tmp_path / "good.toml", tmp_path / "wrong.toml"
    good.write_text(DEFAULTS)
    wrong.write_text("[[rule]]\nname = 'a'\nkind = 'memory'\n[[rule]]\nname = 'b'\nkind = 'x'\nthreshold = 1")

    assert main(["alerts", "check", str(good)]) == 0
    assert "12 rules, evaluated every 60 s." in capsys.readouterr().out
    assert main(["alerts", "check", str(wrong)]) == 1
    said = capsys.readouterr().err
    assert "rule 'a'.threshold" in said
    assert "rule 'b'.kind" in said
    assert main(["alerts", "check", str(tmp_path / "none.toml")]) == 1
    with pytest.raises(SettingsError, match=r"DESPACHO_ALERTS_FILE: rule 'a'.threshold"):
        load_rules(Settings(alerts_file=wrong))


def states(rule: Rule, *values: float, every_s: int = 30) -> list[str]:
    """What becomes of an alert that is measured so, once in `every_s`."""
    alert: Alert | None = None
    told = []
    for number, value in enumerate(values):
        alert = following(rule, alert, Sample(value), number * every_s * S)
        told.append("-" if alert is None else alert.state)
    return told


def test_one_that_passes_before_its_time_is_told_to_nobody() -> None:
    assert states(RATE, 25, 25, 5, 25, 25, 25) == ["pending", "pending", "-", "pending", "pending", "firing"]


def test_one_that_swings_around_its_threshold_is_told_once() -> None:
    # Under the threshold but not under `clear`; under `clear` but not for long enough; then over.
    swinging = states(RATE, 25, 25, 25, 19, 21, 15, 5, 25, 5, 5, 5, 5)
    assert swinging == ["pending"] * 2 + ["firing"] * 8 + ["resolved"] * 2


def test_workers_are_bad_below_the_threshold() -> None:
    rule = Rule(name="w", kind="no_worker", threshold=1, clear_for_s=0)
    assert states(rule, 2, 0, 0, 1, 0) == ["-", "firing", "firing", "resolved", "firing"]


def test_the_value_that_fired_is_told_and_what_is_not_measured_any_more_ends() -> None:
    rule = Rule(name="d", kind="dead_letters_growing", threshold=10, clear_for_s=0)
    ((key, fired),) = steps([rule], {"d": [Sample(12, {"queue": "q"})]}, {}, 0)
    assert fired is not None
    ((_, more),) = steps([rule], {"d": [Sample(40, {"queue": "q"})]}, {key: fired}, 60 * S)
    assert more is not None
    assert (more.value, more.as_json()["value"], more.state) == (40, 12, "firing")

    ((_, gone),) = steps([rule], {"d": []}, {key: more}, 120 * S)
    ((_, unruled),) = steps([], {}, {key: more}, 120 * S)

    for ended in (gone, unruled):
        assert ended is not None
        assert (ended.state, ended.resolved_at, ended.notice_id != fired.notice_id) == ("resolved", 120 * S, True)
    assert gone is not None
    assert list(steps([rule], {"d": []}, {key: gone}, 121 * S)) == []
    assert list(steps([rule], {"d": []}, {key: gone}, 26 * 3_600 * S)) == [(key, None)]


def test_of_one_rule_no_more_than_some_are_told() -> None:
    many = [Sample(n, {"queue": f"q{n}"}) for n in range(10, 300)]
    rule = Rule(name="d", kind="dead_letters_growing", threshold=10)
    told = [alert for _, alert in steps([rule], {"d": many}, {}, 0) if alert]
    assert len(told) == 50
    assert min(alert.value for alert in told) == 250
