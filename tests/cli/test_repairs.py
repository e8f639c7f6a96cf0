"""`junctor run settle` and `junctor scenarios backfill`: what they refuse, and how they say it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from junctor.app.cli.settle import show_settled
from junctor.app.settling import Found
from junctor.language import ids
from tests.durability.kit import new_id

BLUEPRINT = {
    "name": "Plain",
    "flow": [
        {
            "id": 1,
            "module": "gateway:CustomWebHook",
            "version": 1,
            "parameters": {},
            "mapper": {},
        }
    ],
    "metadata": {"version": 1},
}


def test_a_trigger_without_a_backfill_says_so(junctor: Any, tmp_path: Path) -> None:
    file = tmp_path / "plain.json"
    file.write_text(json.dumps(BLUEPRINT))
    assert junctor("import", str(file), "--yes").code == 0
    assert junctor("activate", "Plain").code == 0
    said = junctor("scenarios", "backfill", "Plain")
    assert said.code == 1
    assert "can fetch what it missed" in said.err
    said = junctor("scenarios", "backfill", "Plain", "--since", "yesterday")
    assert said.code == 2
    assert "'yesterday' is no date" in said.err


def test_a_hook_that_is_off_is_not_said_to_be_registered(junctor: Any, tmp_path: Path) -> None:
    file = tmp_path / "off.json"
    file.write_text(json.dumps({**BLUEPRINT, "name": "Off"}))
    assert junctor("import", str(file), "--yes").code == 0
    assert "what comes in waits" not in junctor("activate", "Off").out
    said = junctor("deactivate", "Off").out
    assert "keeps its address, and what comes in waits" in " ".join(said.split())
    assert "registered" not in said


def test_a_run_is_settled_in_one_way(junctor: Any) -> None:
    run = ids.show("run", new_id())
    assert junctor("run", "settle", run).code == 1
    assert "Choose one" in junctor("run", "settle", run, "--done", "--probe").err
    assert "goes with --done" in junctor("run", "settle", run, "--bundle", "{}").err
    assert "JSON object" in junctor("run", "settle", run, "--done", "--bundle", "[1]").err


@pytest.mark.parametrize("verdict", ["done", "not-done", "unknown"])
def test_a_verdict_is_said_with_its_reason(verdict: Any, capsys: Any) -> None:
    show_settled(None, Found(verdict, "as was said"), as_json=False)
    out = capsys.readouterr().out
    assert "as was said" in out
    assert ("unknown" in out) == (verdict == "unknown")
