"""`junctor pause`, `resume`, `drain`, `versions`, `queues`, `status`, `run stop` and `run skip`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_hooks import triggered


@pytest.fixture
def scenario(junctor: Any, tmp_path: Path) -> str:
    """An active scenario with two versions; its name."""
    file = tmp_path / "s.json"
    name = tmp_path.name
    file.write_text(json.dumps(triggered("gateway:CustomWebHook")))
    made = junctor("import", str(file), "--name", name, "--json")
    assert made.code == 0, made.err
    assert junctor("activate", name).code == 0
    return name


def test_a_scenario_is_held_and_goes_on(junctor: Any, scenario: str) -> None:
    assert "is paused: what comes in is kept. Nothing waits." in junctor("pause", scenario).out
    assert junctor("pause", scenario, "--json").json["paused_at"]
    assert "1 active" in junctor("status").out
    assert any(" paused " in line for line in junctor("scenarios").out.splitlines())
    assert "goes on. Nothing waits." in junctor("resume", scenario).out
    assert junctor("pause", scenario).code == 0
    assert "is active." in junctor("activate", scenario).out
    assert not any(" paused " in line for line in junctor("scenarios").out.splitlines())
    drained = junctor("drain", scenario, "--wait", "--json").json
    assert (drained["active"], drained["draining_at"]) == (False, None)
    refused = junctor("pause", scenario)
    assert (refused.code, "is not active: activate it first" in refused.err) == (1, True)


def test_versions_are_listed_compared_and_restored(junctor: Any, scenario: str) -> None:
    assert "do the same" in junctor("versions", "compare", scenario, "1", "1").out
    back = junctor("versions", "restore", scenario, "1", "--json").json
    assert (back["version"], back["of"], back["published"]) == (2, 1, False)
    listed = junctor("versions", "list", scenario, "--json").json["versions"]
    assert [(each["version"], each["is"]) for each in listed] == [
        (2, ["draft"]),
        (1, ["published"]),
    ]
    assert "draft" in junctor("versions", "list", scenario).out
    assert junctor("versions", "compare", scenario, "--json").json["same"]
    assert junctor("versions", "restore", scenario, "1", "--publish").code == 0
    assert junctor("versions", "compare", scenario, "1", "9").code == 1


def test_a_changed_blueprint_is_saved_as_the_draft(
    junctor: Any, scenario: str, tmp_path: Path
) -> None:
    file = tmp_path / "changed.json"
    made = triggered("gateway:CustomWebHook")
    made["flow"].append({**made["flow"][-1], "id": 77})
    file.write_text(json.dumps(made))
    said = junctor("scenarios", "save", scenario, str(file))
    assert said.code == 0, said.err
    assert "Version 2 of" in said.out
    assert "module 77" in junctor("versions", "compare", scenario).out
    saved = junctor("scenarios", "save", scenario, str(file), "--json").json
    assert (saved["draft"], saved["published"], saved["missing"]) == (3, 1, [])


def test_what_waits_and_how_all_does(junctor: Any) -> None:
    assert junctor("queues", "--json").json == {"queues": [], "more": False}
    assert junctor("queues", "--blocked").code == 0
    found = junctor("status", "--json").json
    assert found["queues"]["deliveries"] == 0
    assert "Database    PostgreSQL" in junctor("status").out


def test_a_run_that_is_not_there_is_not_stopped(junctor: Any) -> None:
    unknown = "run_01jz0000000000000000000000"
    for verb in ("stop", "skip"):
        said = junctor("run", verb, unknown)
        assert (said.code, "was not found" in said.err) == (1, True), said.err
