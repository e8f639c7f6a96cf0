"""Runs done again from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg

from junctor.language import ids


def blueprint(name: str, value: str) -> str:
    placed = [
        ("gateway:CustomWebHook", {}),
        (
            "util:SetVariables",
            {"scope": "roundtrip", "variables": [{"name": "v", "value": value}]},
        ),
    ]
    flow = [
        {"id": number, "module": module, "version": 1, "parameters": {}, "mapper": mapper}
        for number, (module, mapper) in enumerate(placed, start=1)
    ]
    return json.dumps({"name": name, "flow": flow, "metadata": {"version": 1}})


def recorded(junctor: Any, folder: Path, name: str, *numbers: str) -> list[str]:
    """A scenario whose runs stop where a number is none; the runs' ids."""
    file = folder / f"{name}.json"
    file.write_text(blueprint(name, "{{parseNumber(1.n)}}"))
    assert junctor("import", str(file), "--yes").code == 0
    runs = []
    for number in numbers:
        given = folder / "given.json"
        given.write_text(json.dumps({"n": number}))
        runs.append(junctor("run", "once", name, "--input", str(given), "--json").json["id"])
    return runs


def test_a_stopped_run_is_looked_into_edited_and_goes_on(junctor: Any, tmp_path: Path) -> None:
    (run,) = recorded(junctor, tmp_path, "Edited", "none")
    said = junctor("run", run)
    assert said.code == 0, said.err
    assert "Stopped at module 2 util:SetVariables" in said.out
    assert "junctor run retry" in said.out
    shown = junctor("run", "show", run, "--json").json
    first = junctor("run", "show", run, "--limit", "1")
    assert "the first 1 of about 2 operations" in " ".join(first.out.split())
    assert "--limit 0" not in junctor("run", "show", run, "--limit", "0").out
    assert len(junctor("run", "show", run, "--limit", "1", "--json").json["operations_list"]) == 1
    (bundle,) = shown["stopped"]["bundles"]
    assert (bundle["module"], bundle["bundle"]["n"]) == (1, "none")
    assert junctor("run", "retry", run, "--set", "n=5").code == 2
    going = junctor("run", "retry", run, "--set", "1.n=5", "--json")
    assert going.code == 0, going.err
    assert (going.json["state"], going.json["edited"]) == ("waiting", True)
    assert "only an incomplete one" in junctor("run", "retry", run, "--set", "1.n=6").err
    assert junctor("run", "discard", run).code == 0


def test_bundles_come_from_a_file_too(junctor: Any, tmp_path: Path) -> None:
    (run,) = recorded(junctor, tmp_path, "Filed", "none")
    file = tmp_path / "edits.json"
    file.write_text("[]")
    assert "{module: bundle}" in junctor("run", "retry", run, "--edit", str(file)).err
    file.write_text('{"1": {"n": "7"}}')
    going = junctor("run", "retry", run, "--edit", str(file))
    assert going.code == 0, going.err
    assert f"It goes on: {run}" in going.out


def test_a_replay_is_dry_or_a_run_of_its_own(junctor: Any, tmp_path: Path) -> None:
    (run,) = recorded(junctor, tmp_path, "Replayed", "5")
    same = junctor("run", "replay", run, "--dry")
    assert same.code == 0, same.err
    assert "nothing goes another way" in same.out
    assert "no version" in junctor("run", "replay", run, "--version", "old", "--dry").err
    made = junctor("run", "replay", run, "--json").json
    assert (made["origin"], made["trigger"], made["state"]) == (run, "replay", "waiting")
    late = junctor("run", "replay", run, "--compare", "--timeout", "0.1")
    assert "has not ended" in late.err


def test_a_replay_of_what_is_not_kept_says_why(
    junctor: Any, tmp_path: Path, database_url: str
) -> None:
    (run,) = recorded(junctor, tmp_path, "Wiped", "5")
    with psycopg.connect(database_url, autocommit=True) as db:
        given = (ids.read("run", run),)
        db.execute("delete from segments where run_id = %s", given)
        db.execute("update runs set wiped_at = '2026-05-04 03:02Z' where id = %s", given)
    for verb in (["replay", run], ["replay", run, "--dry"], ["retry", run, "--from", "1"]):
        said = junctor("run", *verb)
        assert said.code == 1
        assert "was confidential: its journal was removed on 2026-05-04 03:02" in said.err
        assert "--open" in said.err


def drafted(url: str, text: str) -> str:
    """Version 2 of the scenario called *Tested*, its draft; the scenario's id."""
    with psycopg.connect(url, autocommit=True) as db:
        (row,) = db.execute(
            "with s as (update scenarios set draft = 2 where name = 'Tested' returning *)"
            " insert into scenario_versions (organization_id, scenario_id, version, blueprint,"
            " created_by) select organization_id, id, 2, %s, 't' from s returning scenario_id",
            (text,),
        ).fetchall()
    return ids.show("scn", row[0])


def test_a_backtest_says_which_runs_go_another_way(
    junctor: Any, tmp_path: Path, database_url: str
) -> None:
    runs = recorded(junctor, tmp_path, "Tested", "5", "6")
    assert "0 go another way" in junctor("backtest", "Tested").out
    scenario = drafted(database_url, blueprint("Tested", "{{if(1.n = 5; 50; parseNumber(1.n))}}"))
    said = junctor("backtest", "Tested", "--last", "10")
    assert said.code == 1, said.out
    assert "2 runs on version 2: 1 go another way (output 1)." in said.out
    made = junctor("backtest", scenario, "--json").json
    assert [each["run"] for each in made["changed"]] == [runs[0]]
    assert made["changed"][0]["changes"][0]["after"] == {"v": 50}


def test_many_are_counted_before_anything_is_done(junctor: Any, tmp_path: Path) -> None:
    runs = recorded(junctor, tmp_path, "Many", "a", "b", "c")
    said = junctor("runs", "--scenario", "Many", "--json")
    assert said.code == 0, said
    found = said.json["runs"]
    assert {each["id"] for each in found} == set(runs)
    assert "3 runs; --all does it" in junctor("runs", "retry", "--scenario", "Many").out
    none = junctor("runs", "retry", "--scenario", "Many", "--error", "Other", "--json").json
    assert none == {"matching": 0, "done": 0}
    assert "no time" in junctor("runs", "discard", "--since", "soon").err
    assert "3 runs; --all" in junctor("runs", "retry", "--scenario", "Many", "--since", "2d").out
    assert "1 of 1 runs are given up" in junctor("runs", "discard", runs[0]).out
    future = junctor("runs", "retry", "--scenario", "Many", "--since", "2999-01-01", "--json")
    assert future.json["matching"] == 0
    none = junctor("runs", "discard", "--scenario", "", "--all")  # a variable that is not set
    assert (none.code, "There is no scenario ''" in none.err) == (1, True)
    assert "2 of 2 runs go on" in junctor("runs", "retry", "--scenario", "Many", "--all").out
