"""The console's words: each in both languages, with the same values, and none that no page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "gateway" / "console_files"
ENTRY = re.compile(r'^  ("[\w.]+"): \[(".*"), (".*")\],$', re.MULTILINE)


def entries() -> dict[str, tuple[str, str]]:
    source = (FOLDER / "assets/js/texts.js").read_text()
    table = source.partition("const ENTRIES = {\n")[2].partition("\n};")[0]
    found = {json.loads(key): (json.loads(pt), json.loads(en)) for key, pt, en in ENTRY.findall(table)}
    lines = [line for line in table.splitlines() if line]
    assert len(found) == len(lines), "an entry is given twice, or has not two languages"
    return found


def sources() -> str:
    scripts = [path for path in (FOLDER / "assets/js").rglob("*.js") if path.name != "texts.js"]
    return "\n".join(path.read_text() for path in [*scripts, *FOLDER.glob("*.html")])


def test_each_entry_has_both_languages_with_the_same_values() -> None:
    for key, (portuguese, english) in entries().items():
        assert portuguese.strip(), key
        assert english.strip(), key
        assert sorted(re.findall(r"\{\w+\}", portuguese)) == sorted(re.findall(r"\{\w+\}", english)), key


def test_what_is_said_is_in_the_dictionary_and_nothing_else_is() -> None:
    source, known = sources(), entries()
    said = set(re.findall(r'text\("([\w.]+)"', source)) | set(re.findall(r'data-(?:text|label)="([\w.]+)"', source))
    families = set(re.findall(r"text\(`([\w.]+)\$\{", source))
    families |= {f"{kind}." for kind in re.findall(r'nameOf\("(\w+)"', source)}

    assert said <= known.keys()
    literal = set(re.findall(r'"([\w]+\.[\w.]+)"', source))
    unused = {key for key in known if key not in said | literal and not key.startswith(tuple(families))}
    assert unused == set()
    for family in families:
        assert any(key.startswith(family) for key in known), family


def test_every_reason_why_a_task_waits_has_a_name() -> None:
    source = (FOLDER.parents[1] / "tasks" / "explanation.py").read_text()
    reasons = set(re.findall(r'Reason\(\s*"(\w+)"', source))

    assert reasons
    assert {f"reason.{reason}" for reason in reasons} <= entries().keys()
