"""`junctor stores` and `junctor structures`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SPEC = [
    {"name": "name", "type": "text", "required": True},
    {"name": "born", "type": "date"},
    {"name": "tags", "type": "array", "spec": {"type": "text"}},
]


@pytest.fixture
def people(junctor: Any, tmp_path: Path) -> str:
    """A store with a structure; its name."""
    file = tmp_path / "person.json"
    file.write_text(json.dumps({"spec": SPEC, "strict": True}))
    name = tmp_path.name
    assert junctor("structures", "add", name, str(file)).code == 0
    assert junctor("stores", "add", name, "--structure", name).code == 0
    return name


def test_a_structure_lives_and_goes(junctor: Any, tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.write_text(json.dumps(SPEC))
    made = junctor("structures", "add", "thing", str(file), "--json").json
    assert (made["spec"], made["strict"]) == (SPEC, False)
    assert junctor("structures", "set", "thing", "--strict", "--name", "Thing").code == 0
    shown = junctor("structures", "show", "Thing", "--json").json
    assert (shown["strict"], shown["spec"]) == (True, SPEC)
    assert "born" in junctor("structures", "show", "Thing").out
    assert "Thing" in junctor("structures", "list").out
    file.write_text('[{"type": "text"}]')
    wrong = junctor("structures", "set", "Thing", "--file", str(file))
    assert (wrong.code, "spec[0] has no name" in wrong.err) == (1, True)
    assert junctor("structures", "remove", "Thing").code == 0
    gone = junctor("structures", "show", "Thing")
    assert (gone.code, "no data structure called 'Thing'" in gone.err) == (1, True)


def test_a_store_lives_and_goes(junctor: Any, people: str) -> None:
    shown = junctor("stores", "show", people, "--json").json
    assert (shown["structure"], shown["records"]) == (people, 0)
    listed = junctor("stores", "list", "--json").json["stores"]
    assert people in {each["name"] for each in listed}
    used = junctor("structures", "remove", people)
    assert (used.code, "is used by the data store" in used.err) == (1, True)
    assert junctor("stores", "set", people, "--no-structure").code == 0
    assert junctor("stores", "show", people, "--json").json["structure"] is None
    assert junctor("structures", "remove", people).code == 0
    assert junctor("stores", "remove", people).code == 0
    assert junctor("stores", "show", people).code == 1


def test_records_are_put_and_fit(junctor: Any, people: str) -> None:
    records = ("stores", "records")
    assert (
        junctor(*records, "put", people, "ada", '{"name": "Ada", "born": "1815-12-10"}').code == 0
    )
    found = junctor(*records, "get", people, "ada").json
    assert found == {"name": "Ada", "born": "1815-12-10T00:00:00.000Z"}
    wrong = junctor(*records, "put", people, "bob", '{"nmae": "Bob"}')
    assert (wrong.code, "'name'" in wrong.err) == (1, True)
    listed = junctor(*records, "list", people, "--json").json["records"]
    assert [(each["key"], each["data"]) for each in listed] == [("ada", found)]
    assert "ada" in junctor(*records, "list", people).out
    assert junctor(*records, "delete", people, "ada", "--json").json == {"removed": 1}
    assert junctor(*records, "get", people, "ada").code == 1


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_records_go_to_a_file_and_come_back(
    junctor: Any, people: str, tmp_path: Path, form: str
) -> None:
    records = ("stores", "records")
    data = {"name": '=A "x", y\rz', "born": "2026-01-02T03:04:05.000Z", "tags": ["t", "u"]}
    for key in ("a", "b"):
        assert junctor(*records, "put", people, key, json.dumps(data)).code == 0
    file = tmp_path / f"out.{form}"
    assert "2 records" in junctor(*records, "export", people, str(file)).err
    assert junctor(*records, "clear", people, "--json").json == {"removed": 2}
    assert junctor(*records, "import", people, str(file), "--json").json == {"imported": 2}
    listed = junctor(*records, "list", people, "--json").json["records"]
    assert [(each["key"], each["data"]) for each in listed] == [("a", data), ("b", data)]
    printed = junctor(*records, "export", people, "--format", form).out
    assert printed == file.read_bytes().decode()


def test_a_file_with_one_wrong_record_changes_nothing(
    junctor: Any, people: str, tmp_path: Path
) -> None:
    file = tmp_path / "in.csv"
    file.write_text("key,name,born\na,Ada,1815-12-10\nb,Bob,soon\n")
    said = junctor("stores", "records", "import", people, str(file))
    assert said.code == 1
    assert "line 3: Failed to map 'born'" in said.err
    assert junctor("stores", "show", people, "--json").json["records"] == 0


def test_many_records_are_imported_in_batches(junctor: Any, people: str, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    lines = (json.dumps({"key": f"k{n}", "data": {"name": n}}) for n in range(1201))
    file.write_text("\n".join(lines))
    said = junctor("stores", "records", "import", people, str(file), "--json")
    assert said.json == {"imported": 1201}
    assert junctor("stores", "show", people, "--json").json["records"] == 1201
    assert junctor("stores", "records", "get", people, "k1200").json == {"name": "1200"}
