"""Test files are read strictly, and judged by what they name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from junctor.errors import BlueprintInvalid, Misconfigured
from junctor.testing.cases import (
    Case,
    Suite,
    blueprint_of,
    judge,
    read_suite,
    write_expectations,
)


def written(folder: Path, document: Any) -> Path:
    path = folder / "x.test.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def with_rule(rule: Any) -> Any:
    return {"cases": [{"name": "a", "given": {"answers": [rule]}}]}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "required field `cases`"),
        ({"cases": 1}, "Expected `array`"),
        (
            {"cases": [{"name": "a", "expct": {}}]},
            "'expct' is unknown at $.cases[0]; did you mean 'expect'?",
        ),
        (
            {"cases": [{"name": "a", "expect": {"wombat": 1}}]},
            "'wombat' is unknown at $.cases[0].expect; known here: status,",
        ),
        (with_rule({"modul": 1}), "did you mean 'module'?"),
        (
            {"cases": [{"name": "a"}, {"name": "a"}]},
            "cases[1].name is 'a'; give each case a name of its own",
        ),
        ({"cases": [{"name": " "}]}, "cases[0].name is ' '"),
        (with_rule({"bundles": []}), "cases[0].given.answers[0]: say whom it answers"),
        (with_rule({"module": 1}), "it answers with nothing; choose one of bundles"),
        (
            with_rule({"module": 1, "bundles": [], "error": "DataError"}),
            "bundles and error; choose",
        ),
        (with_rule({"module": 1, "status": 200}), "a status answers a 'request'"),
        (with_rule({"request": "GET *", "bundles": []}), "'bundles' answer a 'module'"),
        (with_rule({"request": "GET", "status": 200}), "write 'METHOD URL'"),
        (with_rule({"request": "GET *", "ask": "X", "answer": 1}), "make two of it"),
        (with_rule({"module": 1, "answer": 1}), "'answer' answers an 'ask'"),
        ({"given": {"answers": [{"module": 1}]}, "cases": [{"name": "a"}]}, " given.answers[0]:"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, document: Any, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_suite(written(tmp_path, document))
    assert said in caught.value.message
    assert "x.test.json" in caught.value.message


def test_a_file_that_is_no_json_says_where(tmp_path: Path) -> None:
    with pytest.raises(BlueprintInvalid, match="line 1"):
        read_suite(written(tmp_path, '{"cases": [}'))
    with pytest.raises(Misconfigured, match="can't be read"):
        read_suite(tmp_path / "none.test.json")


def test_the_blueprint_is_found_beside(tmp_path: Path) -> None:
    path = written(tmp_path, {"cases": []})
    with pytest.raises(Misconfigured, match=r"neither x\.blueprint\.json nor x\.json"):
        blueprint_of(path, Suite(cases=[]))
    (tmp_path / "x.json").write_text("{}")
    assert blueprint_of(path, Suite(cases=[])).name == "x.json"
    (tmp_path / "x.blueprint.json").write_text("{}")
    assert blueprint_of(path, Suite(cases=[])).name == "x.blueprint.json"
    with pytest.raises(Misconfigured, match=r"no blueprint 'y\.json'"):
        blueprint_of(path, Suite(cases=[], blueprint="y.json"))


SEEN: dict[str, Any] = {
    "status": "finished",
    "operations": 3,
    "route": [1, 2],
    "bundles": {"2": [{"a": 1, "b": 2}]},
    "inputs": {"2": [None]},
    "counts": {"2": 1},
    "stopped": {"3": 1},
    "requests": [],
    "waits": [],
}


@pytest.mark.parametrize(
    ("expect", "found"),
    [
        ({}, []),
        ({"status": "finished", "operations": 3, "route": [1, 2], "not_reached": [3]}, []),
        ({"bundles": {"2": [{"a": 1}], "9": []}, "stopped": {"3": 1, "4": 0}}, []),
        ({"answer": {"$absent": True}, "error": {"$absent": True}}, []),
        ({"not_reached": [2]}, ["route: expected module 2 not reached, found it was"]),
        ({"bundles": {"2": [{"a": 2}]}}, ["bundles[2][0].a: expected 2, found 1"]),
        ({"counts": {"9": 1}}, ["counts[9]: expected 1, found 0"]),
        ({"error": {"type": "X"}}, ["error: expected an object, found null"]),
    ],
)
def test_only_what_is_named_is_judged(tmp_path: Path, expect: Any, found: list[str]) -> None:
    suite = read_suite(written(tmp_path, {"cases": [{"name": "a", "expect": expect}]}))
    assert [str(each) for each in judge(suite.cases[0], SEEN)] == found


def test_a_case_that_expects_nothing_is_not_judged() -> None:
    assert judge(Case(name="a"), SEEN) == []


def test_expectations_are_written_where_there_are_none(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '{"says": "kept", "cases": [{"name": "a", "given": {"bundles": [{"n": 1.50}]}},'
        ' {"name": "b", "expect": {"status": "failed"}}]}',
    )
    write_expectations(path, {"a": {"status": "finished"}, "b": {"status": "finished"}})
    suite = read_suite(path)
    assert [getattr(case.expect, "status", None) for case in suite.cases] == ["finished", "failed"]
    assert "1.50" in path.read_text()
    assert suite.says == "kept"
