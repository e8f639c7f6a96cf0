"""`junctor variables`, and inputs of `junctor run once`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.api.shapes import blueprint


def test_variables_are_set_listed_and_removed(junctor: Any) -> None:
    assert junctor("variables", "set", "apiBase", "https://x.test").out.strip() == (
        "var.organization.apiBase is https://x.test"
    )
    said = junctor("variables", "set", "limit", "12", "--type", "number", "--json")
    assert (said.json["type"], said.json["value"]) == ("number", 12)
    assert junctor("variables", "set", "limit", "13", "--json").json["value"] == 13
    wrong = junctor("variables", "set", "limit", "many")
    assert wrong.code == 1
    assert "text 'many' is not a number; give a number" in wrong.err
    team = junctor("variables", "set", "limit", "true", "--type", "boolean", "--team", "everyone")
    assert team.out.strip() == "var.team.limit is true"
    listed = junctor("variables", "list", "--json").json["variables"]
    assert [each["reads_as"] for each in listed] == [
        "var.organization.apiBase",
        "var.organization.limit",
        "var.team.limit",
    ]
    assert "var.team.limit" in junctor("variables", "list").out
    assert "There is no team 'x'" in junctor("variables", "set", "a", "b", "--team", "x").err
    assert junctor("variables", "remove", "apiBase").code == 0
    gone = junctor("variables", "remove", "apiBase")
    assert gone.code == 1
    assert "There are: var.organization.limit, var.team.limit" in gone.err


def test_inputs_of_a_run_are_checked_before_it_starts(junctor: Any, tmp_path: Path) -> None:
    shape = blueprint("With inputs")
    shape["io"] = {"input_spec": [{"name": "n", "type": "integer", "required": True}]}
    file = tmp_path / "b.json"
    file.write_text(json.dumps(shape))
    assert junctor("import", str(file)).code == 0
    given = tmp_path / "in.json"
    given.write_text('{"n": "x"}')
    refused = junctor("run", "once", "With inputs", "--input", str(given), "--json")
    assert refused.code == 1
    assert refused.json["error"]["params"]["path"] == "input.n"
    given.write_text('{"n": 4}')
    done = junctor("run", "once", "With inputs", "--input", str(given), "--json")
    assert (done.code, done.json["state"], done.json["outputs"]) == (0, "finished", None)
    assert done.json["name"] is None
    assert junctor("runs", "--name", "nothing is called so", "--json").json["runs"] == []
