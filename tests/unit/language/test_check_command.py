"""`junctor check` as people and programs call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from junctor.app.cli.check import register
from junctor.language.connector import ModuleDef

FLOW = [
    {"id": 1, "module": "util:SetVariables", "version": 1, "mapper": {}},
    {"id": 2, "module": "crm:add", "version": 1, "mapper": {}},
]


def known(name: str) -> ModuleDef | None:
    if name != "util:SetVariables":
        return None
    return ModuleDef(
        connector="util",
        name="SetVariables",
        label="Set",
        kind="set_variables",
        function=known,
        schema=dict,
    )


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    register(app, known)

    @app.command("other")
    def other() -> None:
        """A second command, so that Typer keeps the names."""

    result = CliRunner().invoke(app, ["check", *arguments])
    return result.exit_code, result.output


@pytest.fixture
def good(tmp_path: Path) -> str:
    file = tmp_path / "good.json"
    file.write_text(json.dumps({"name": "Good one", "flow": FLOW}))
    return str(file)


def test_command_prints_json(good: str) -> None:
    code, output = run(good, "--json", "--round-trip")
    (only,) = json.loads(output)["files"]
    assert code == 0
    assert (only["file"], only["ok"]) == (good, True)
    assert only["modules"] == {"total": 2, "runnable": 1}
    assert only["problems"][0].keys() == {"path", "severity", "message"}


def test_command_fails_if_one_file_does(good: str, tmp_path: Path) -> None:
    missing, bad = str(tmp_path / "missing.json"), tmp_path / "bad.json"
    bad.write_bytes(b"[" * 10_000)
    code, output = run(good, missing, str(bad), str(tmp_path), "--json")
    assert code == 1
    assert [file["ok"] for file in json.loads(output)["files"]] == [True, False, False, False]
    assert "Check its name" in json.loads(output)["files"][1]["problems"][0]["message"]


def test_command_speaks_to_people(good: str, tmp_path: Path) -> None:
    code, output = run(good)
    assert code == 0
    assert "1 of 2 modules can run" in output
    assert "Not supported here: 1 module\n    crm  1 x  add" in output
    assert "Traceback" not in output
    (tmp_path / "empty.json").write_bytes(b"")
    code, output = run(str(tmp_path / "empty.json"))
    assert code == 1
    assert output.startswith("✗ ")


def test_a_finding_is_whole_in_a_pipe(tmp_path: Path) -> None:
    file = tmp_path / "cut.json"
    file.write_text('{"name": "cut off in the middle of a tex')
    code, output = run(str(file))
    assert code == 1
    (problem,) = json.loads(run(str(file), "--json")[1])["files"][0]["problems"]
    assert len(problem["message"]) > 76  # more than fits into a line of a terminal here
    assert problem["message"] in output


def test_command_without_files_is_misuse() -> None:
    assert run()[0] == 2
    assert run("--no-such-option")[0] == 2
