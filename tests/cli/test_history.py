"""`junctor runs --search … --csv`, `junctor retention` and `junctor erase`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import psycopg

from tests.durability import kit


def test_runs_are_filtered_and_written_as_csv(
    junctor: Any, database_url: str, tmp_path: Path
) -> None:
    assert junctor("runs", "--json").json == {"runs": []}
    run = kit.new_id()
    with psycopg.connect(database_url, autocommit=True) as db:
        row = db.execute("select organization_id from organizations").fetchone()
        assert row is not None
        db.execute(
            "insert into runs (organization_id, id, retention, scenario_id, version, state, actor,"
            " started_at, ended_at, name, error, operations, failed_module) values"
            " (%s, %s, 'standard', %s, 1, 'incomplete', 't', now(), now(), '+for Ada',"
            """ '{"type": "ConnectionError", "code": "not_sent", "message": "away"}', 5, 3)""",
            (*row, run, kit.new_id()),
        )
        db.execute(
            "insert into run_texts values (%s, %s, now(), array_to_tsvector('{ada}'), false)",
            (*row, run),
        )
    for given, count in (
        (["--search", "Ada"], 1),
        (["--search", "eve"], 0),
        (["--since", "2d", "--error", "connectionerror", "--module", "3"], 1),
        (["--until", "2d"], 0),
        (["--min-operations", "6"], 0),
        (["--trigger", "schedule"], 0),
    ):
        assert len(junctor("runs", *given, "--json").json["runs"]) == count, given
    file = tmp_path / "runs.csv"
    assert junctor("runs", "--search", "ada", "--csv", str(file)).code == 0
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [(each["name"], each["error"], each["operations"]) for each in rows] == [
        ("'+for Ada", "ConnectionError", "5")
    ]
    assert junctor("runs", "--csv", "-").out.count("\n") == 2
    for wrong, code, said in (
        (["--csv", str(tmp_path / "no" / "runs.csv")], 1, "can't be written: No such file"),
        (["--csv", str(tmp_path)], 1, "can't be written: Is a directory"),
        (["--trigger", "shedule"], 2, "begins no run: delivery, schedule"),
        (["--module", str(2**31)], 2, "2147483647"),
    ):
        refused = junctor("runs", *wrong)
        assert (refused.code, said in refused.err) == (code, True), refused.err
    assert "is no time; write 2d" in junctor("runs", "--since", "yore").err


def test_the_history_of_new_scenarios(junctor: Any) -> None:
    assert junctor("retention", "--json").json == {"retention": "standard", "days": 30}
    assert "365 days (long)" in junctor("retention", "long").out
    assert junctor("retention", "--json").json["days"] == 365
    assert "'ever' is no retention class: short, standard, long" in junctor("retention", "ever").err


def test_a_person_is_erased(junctor: Any, database_url: str) -> None:
    assert junctor("stores", "add", "People").code == 0
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(
            "insert into data_store_records (organization_id, store_id, key, data, updated_by)"
            """ select organization_id, id, 'a', '{"mail": "eve@example.com"}', 't'"""
            " from data_stores"
        )
    looked = junctor("erase", "--email", "Eve@Example.com", "--dry-run", "--json").json
    assert looked["erased"] == {"records": 1}
    assert looked["dry_run"]
    assert "Say who: --phone" in junctor("erase").err
    refused = junctor("erase", "--email", "eve@example.com", "--json")
    assert refused.code == 2
    assert "--yes" in refused.out + refused.err
    assert "records" in junctor("erase", "--email", "eve@example.com", "--yes").out
    again = junctor("erase", "--email", "eve@example.com", "--yes")
    assert "Nothing names them" in again.out
    assert "is no phone number" in junctor("erase", "--phone", "12", "--yes").err
