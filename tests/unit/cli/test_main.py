from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from cli.main import _COMMANDS, main, told_in_one_line
from tasks.errors import InvalidInput, SettingsError, Unavailable

ROOT = Path(__file__).resolve().parents[3]


def test_a_wrong_setting_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["up", "--port", "many"])

    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert said.err.startswith("despacho: DESPACHO_PORT is wrong")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [(SettingsError("a"), 2), (InvalidInput.of("tenant", "a"), 2), (Unavailable("a"), 1)],
)
def test_an_error_of_ours_is_told_without_a_traceback(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> int:
        raise error

    assert told_in_one_line(fail) == code
    assert capsys.readouterr().err == f"despacho: {error}\n"


def test_an_error_that_nobody_expected_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        told_in_one_line(lambda: 1 // 0)


@pytest.mark.parametrize("arguments", [[], ["down"], ["up", "--prot", "8000"], ["keys"], ["keys", "create"]])
def test_a_wrong_command_line_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)

    assert left.value.code == 2


def test_version_and_help_need_no_library(capsys: pytest.CaptureFixture[str]) -> None:
    code = "import sys; from cli.main import parser; parser().format_help(); print('pydantic' in sys.modules)"
    said = subprocess.run((sys.executable, "-c", code), cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert said == "False\n"
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("despacho ")


@pytest.mark.parametrize("command", sorted(_COMMANDS))
def test_each_command_has_its_function(command: str) -> None:
    module, name = _COMMANDS[command]
    assert callable(getattr(import_module(module), name))
