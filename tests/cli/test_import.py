"""`junctor import` and `junctor scenarios bind`: questions, options, bad files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from junctor.app.cli import mapping
from tests.api.shapes import bad_blueprints, blueprint
from tests.api.test_import import shape


def saved(tmp_path: Path, document: Any) -> str:
    file = tmp_path / "b.json"
    file.write_text(json.dumps(document))
    return str(file)


def add(junctor: Any, name: str) -> None:
    said = junctor(
        "connections", "add", "toky", "--name", name, "--set", f"api_key={'k' * 20}", "--no-test"
    )
    assert said.code == 0, said.err


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Somebody at a terminal, who gives these answers in turn; None takes what is offered."""
    said: list[Any] = []

    def prompt(_text: str, default: Any = None, **_rest: Any) -> Any:
        answer = said.pop(0)
        return default if answer is None else answer

    monkeypatch.setattr(mapping, "asks", lambda **rest: not rest["yes"] and not rest["as_json"])
    monkeypatch.setattr(typer, "prompt", prompt)
    return said


def test_options_map_and_bind_changes_it_later(junctor: Any, tmp_path: Path) -> None:
    add(junctor, "First one")
    add(junctor, "Second one")
    file = saved(tmp_path, shape("By options"))
    made = junctor("import", file, "--map", "account:toky:My Toky=Second one", "--create", "--json")
    assert made.code == 0, made.out
    chosen = {each["kind"]: each for each in made.json["requirements"]}
    assert chosen["connection"]["chosen"]["name"] == "Second one"
    assert chosen["structure"]["create"] == "Person"
    said = junctor("scenarios", "bind", "By options", "--map", "3=First one", "--json")
    assert (said.code, said.json["draft"]) == (0, 2)
    shown = junctor("scenarios", "bind", "By options")
    assert shown.code == 0
    assert "module 1 (toky:listAgents) → connection 'Second one'" in shown.out
    assert "module 3 (toky:listAgents) → connection 'First one'" in shown.out
    assert "module 2 (json:ParseJSON) → data structure 'Person'" in shown.out
    taken = junctor("scenarios", "bind", "By options", "--map", "3=", "--json")
    assert any("Module 3 (toky:listAgents) needs" in line for line in taken.json["missing"])
    refused = junctor("activate", "By options")
    assert refused.code == 1
    assert "junctor scenarios bind 'By options' --map 3=NAME" in refused.err
    wrong = junctor("scenarios", "bind", "By options", "--connection", "3=Nobody")
    assert wrong.code == 1
    assert "no 'toky' connection called 'Nobody'" in wrong.err
    listed = junctor("scenarios", "--json").json["scenarios"]
    assert "By options" in [each["name"] for each in listed]


def test_somebody_at_a_terminal_is_asked(junctor: Any, tmp_path: Path, asked: list[Any]) -> None:
    add(junctor, "Asked for")
    file = saved(tmp_path, shape("By answers"))
    asked += ["99", "asked FOR", "n", "Shape of mine"]
    said = junctor("import", file)
    assert said.code == 0, said.err
    assert asked == []
    assert "There is no such choice." in said.out
    assert "it was 'My Toky'" in said.out
    assert "→ connection 'Asked for'" in said.out
    assert "→ a new data structure 'Shape of mine'" in said.out
    asked += ["-", None]
    said = junctor("scenarios", "bind", "By answers")
    assert said.code == 0, said.err
    assert "data structure 'Shape of mine'" in said.out
    assert "need a connection of 'toky'" in said.out


def test_a_connection_can_be_made_on_the_way(
    junctor: Any, tmp_path: Path, asked: list[Any]
) -> None:
    file = saved(tmp_path, {"name": "New account", "flow": [shape()["flow"][0]]})
    asked += ["n", "Made just now", "k" * 20]
    said = junctor("import", file)
    assert said.code == 0, said.err
    assert "→ connection 'Made just now' (its last test failed)" in said.out


def test_nobody_is_asked_in_a_script(junctor: Any, tmp_path: Path) -> None:
    said = junctor("import", saved(tmp_path, blueprint("Quiet")), "--yes")
    assert said.code == 0
    assert "Start it with" in said.out


@pytest.mark.parametrize("name", bad_blueprints())
def test_bad_files_get_a_report(junctor: Any, tmp_path: Path, name: str) -> None:
    data, said = bad_blueprints()[name]
    file = tmp_path / "bad.json"
    file.write_bytes(data)
    before = len(junctor("scenarios", "--json").json["scenarios"])
    checked = junctor("check", str(file), "--json")
    (report,) = checked.json["files"]
    assert "Traceback" not in checked.out + checked.err
    assert all(problem["path"].startswith("$") for problem in report["problems"])
    made = junctor("import", str(file), "--json")
    assert "Traceback" not in made.out + made.err
    if said is None:
        assert checked.code == 1
        assert made.code == 0, made.out
    else:
        assert made.code == 1
        assert said in made.json["error"]["message"]
        assert "our bug" not in made.out
        assert len(junctor("scenarios", "--json").json["scenarios"]) == before
