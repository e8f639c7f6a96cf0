"""What blueprints get wrong: forgiven, reported, or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from junctor.errors import BlueprintInvalid
from junctor.language.blueprint import load
from junctor.language.scenario import Condition, Filter, Settings


def blueprint(*modules: Any, **rest: Any) -> dict[str, Any]:
    return {"name": "Test", "flow": list(modules), **rest}


def step(number: Any = 1, **rest: Any) -> dict[str, Any]:
    return {"id": number, "module": "util:SetVariables", "version": 1, "mapper": {}, **rest}


def found(document: Any) -> list[tuple[str, str]]:
    return [(p.path, p.severity) for p in load(document).problems]


TOLERATED: list[tuple[str, dict[str, Any], Any]] = [
    ("id as text", step("7"), lambda m: m.id == 7),
    ("id as float", step(7.0), lambda m: m.id == 7),
    ("no version", {"id": 1, "module": "placeholder:Placeholder"}, lambda m: m.version is None),
    ("version as text", step(version="3"), lambda m: m.version == 3),
    ("filter null", step(filter=None), lambda m: m.filter is None),
    ("filter with a name only", step(filter={"name": "x"}), lambda m: m.filter == Filter(name="x")),
    ("no conditions", step(filter={"conditions": []}), lambda m: m.filter == Filter()),
    ("mapper as list", step(mapper=["{{1.a}}"]), lambda m: m.mapper == ["{{1.a}}"]),
    ("mapper null", step(mapper=None), lambda m: m.mapper is None),
    ("parameters as PHP writes them", step(parameters=[]), lambda m: m.parameters == {}),
    ("empty route", step(routes=[{"flow": []}]), lambda m: m.routes[0].flow == ()),
    ("fallback as text", step(routes=[{}], parameters={"else": "0"}), lambda m: m.fallback == 0),
    ("unknown keys", step(configuration={"a": 1}, name="x"), lambda m: m.id == 1),
    (
        "conditions in one list",
        step(filter={"conditions": [{"a": "x", "o": "exist"}, {"a": "y", "o": "exist"}]}),
        lambda m: m.filter.groups == ((Condition("exist", "x"), Condition("exist", "y")),),
    ),
]


@pytest.mark.parametrize(("name", "raw", "holds"), TOLERATED, ids=[t[0] for t in TOLERATED])
def test_what_exports_get_wrong_is_forgiven(name: str, raw: Any, holds: Any) -> None:
    imported = load(blueprint(raw))
    assert holds(imported.scenario.flow[0]), name
    assert "error" not in {p.severity for p in imported.problems}
    assert imported.document == blueprint(raw)


WRONG: list[tuple[str, Any, str, str]] = [
    ("mapper a number", step(mapper=5), "$.flow[0].mapper", "found 5"),
    ("mapper a text", step(mapper="{{1.a}}"), "$.flow[0].mapper", "{{1.a}}"),
    ("routes a text", step(routes="x"), "$.flow[0].routes", 'found "x"'),
    ("route a text", step(routes=["x"]), "$.flow[0].routes[0]", "'flow'"),
    ("route's flow an object", step(routes=[{"flow": {}}]), "$.flow[0].routes[0].flow", "{}"),
    ("route's flow of ids", step(routes=[{"flow": [7]}]), "$.flow[0].routes[0].flow[0]", "found 7"),
    ("routes in the mapper", step(mapper={"routes": [1]}), "$.flow[0].mapper.routes", "beside"),
    ("branches a number", step(branches=1), "$.flow[0].branches", "found 1"),
    ("handler an object", step(onerror={"id": 2}), "$.flow[0].onerror", "list of modules"),
    ("module a text", "x", "$.flow[0]", 'found "x"'),
    ("module a list", [], "$.flow[0]", "found []"),
    ("no name", {"id": 1}, "$.flow[0].module", "found nothing"),
    ("no id", {"module": "a:b"}, "$.flow[0].id", "a:b needs"),
    ("id true", step(True), "$.flow[0].id", "found true"),
    ("id a fraction", step(1.5), "$.flow[0].id", "found 1.5"),
    ("filter a text", step(filter="a = b"), "$.flow[0].filter", "nothing would be filtered"),
    ("conditions a text", step(filter={"conditions": "x"}), "$.flow[0].filter.conditions", "list"),
    (
        "group a number",
        step(filter={"conditions": [[], 3]}),
        "$.flow[0].filter.conditions[1]",
        "found 3",
    ),
    (
        "condition without operator",
        step(filter={"conditions": [[{"a": "x"}]]}),
        "$.flow[0].filter.conditions[0][0]",
        "operator",
    ),
    ("parameters a text", step(parameters="x"), "$.flow[0].parameters", 'found "x"'),
    (
        "fallback out of range",
        step(routes=[{}], parameters={"else": 1}),
        "$.flow[0].parameters.else",
        "1 routes",
    ),
    ("metadata a list", step(metadata=[1]), "$.flow[0].metadata", "found [1]"),
]


@pytest.mark.parametrize(("name", "raw", "path", "said"), WRONG, ids=[w[0] for w in WRONG])
def test_wrong_types_are_named_and_left_out(name: str, raw: Any, path: str, said: str) -> None:
    imported = load(blueprint(raw))
    (problem,) = imported.problems
    assert (problem.path, problem.severity) == (path, "error"), name
    assert said in problem.message
    assert imported.document == blueprint(raw)


@pytest.mark.parametrize(
    ("document", "path", "said"),
    [
        ([], "$", "a list of 0"),
        (42, "$", "the number 42"),
        (None, "$", "null"),
        (True, "$", "true"),
        ({}, "$", "no 'flow'"),
        ({"name": "x", "nodes": []}, "$", "name, nodes"),
        ({"flow": {"id": 1}}, "$.flow", "must be a list"),
        ({"flow": None}, "$.flow", "null"),
        ({"response": {"blueprint": {"flow": "x"}}}, "$.response.blueprint.flow", "'x'"),
        ({"blueprint": "{broken"}, "$.blueprint", "no JSON"),
        ({"subflows": [3]}, "$.subflows[0]", "the number 3"),
        ({"subflows": []}, "$", "no 'flow'"),
        ("just a text", "$", "line 1"),
    ],
)
def test_what_is_no_blueprint_is_refused(document: Any, path: str, said: str) -> None:
    with pytest.raises(BlueprintInvalid) as caught:
        load(json.dumps(document))
    (problem,) = caught.value.params["problems"]
    assert problem["path"] == path
    assert said in problem["message"]


def test_endless_wrapping_is_refused() -> None:
    document: Any = {"flow": []}
    for _ in range(9):
        document = {"response": document}
    with pytest.raises(BlueprintInvalid, match="wrapped more than"):
        load(document)


def test_ids_are_unique_across_routes_and_handlers() -> None:
    shared = step(2)
    document = blueprint(
        step(1, routes=[{"flow": [shared]}, {"flow": [shared]}], onerror=[step(1)])
    )
    assert found(document) == [
        ("$.flow[0].routes[1].flow[0].id", "error"),
        ("$.flow[0].onerror[0].id", "error"),
    ]
    assert "taken by util:SetVariables at $.flow[0].routes[0].flow[0]" in (
        load(document).problems[0].message
    )


def test_modules_without_id_are_still_told_apart() -> None:
    scenario = load(blueprint({"module": "a:b"}, {"module": "a:b"})).scenario
    assert [module.id for module in scenario.modules()] == [-1, -2]


def test_odd_settings_fall_back_to_the_default() -> None:
    odd = {"roundtrips": 0, "maxErrors": "two", "sequential": "true", "dlq": 7, "autoCommit": None}
    imported = load(blueprint(metadata={"scenario": odd}))
    assert imported.scenario.settings == Settings(sequential=True)
    assert [p.path for p in imported.problems] == [
        "$.metadata.scenario.roundtrips",
        "$.metadata.scenario.maxErrors",
        "$.metadata.scenario.dlq",
    ]
