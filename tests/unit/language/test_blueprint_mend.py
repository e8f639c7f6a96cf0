"""Names that Make never had are read as what is meant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from junctor.language.blueprint import dump, load
from junctor.language.blueprint_mend import MENDS, OPERATORS, advice_for, nearest
from junctor.language.check import Report, check
from junctor.language.filters import OPERATORS as FILTERS
from junctor.runtime.registry import Registry

REGISTRY = Registry.load()


def offered() -> list[str]:
    return [module.id for module in REGISTRY.modules()]


def report(*modules: dict[str, Any]) -> Report:
    data = json.dumps({"name": "n", "flow": list(modules)}).encode()
    return check(data, "f", REGISTRY.find, round_trip=True, offered=offered)


def said(made: Report, *words: str) -> bool:
    return any(all(word in problem.message for word in words) for problem in made.problems)


READ: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("builtin:Sleep", {"timeout": 15}, "util:FunctionSleep", {"duration": 15}),
    ("builtin:Iterator", {"items": "{{1.x}}"}, "builtin:BasicFeeder", {"array": "{{1.x}}"}),
    ("http:MakeARequest", {"url": "u", "qs": []}, "http:ActionSendData", {"url": "u", "qs": []}),
    (
        "http:MakeARequest",
        {"url": "u", "queryParameters": []},
        "http:MakeRequest",
        {"url": "u", "queryParameters": []},
    ),
    (
        "gateway:WebhookResponse",
        {"statusCode": "201", "body": "ok"},
        "gateway:WebhookRespond",
        {"status": "201", "body": "ok"},
    ),
    ("tools:SetVariable", {"name": "a"}, "util:SetVariable2", {"name": "a"}),
]


@pytest.mark.parametrize(("name", "mapper", "module", "read"), READ)
def test_invented_modules_and_their_fields(
    name: str, mapper: dict[str, Any], module: str, read: dict[str, Any]
) -> None:
    document = {"name": "n", "flow": [{"id": 1, "module": name, "version": 9, "mapper": mapper}]}
    imported = load(document)
    (found,) = imported.scenario.modules()
    assert (found.module, found.mapper, found.version) == (module, read, None)
    assert imported.renamed == [("$.flow[0].module", name, module)]
    assert json.loads(dump(imported.document)) == document
    (problem,) = imported.problems
    assert (problem.path, problem.severity) == ("$.flow[0].module", "warning")
    for old, new in zip(mapper, read, strict=True):
        assert (f"Its field {old!r} is read as {new!r}" in problem.message) == (old != new)


def test_a_field_that_has_its_real_name_too_is_left_alone() -> None:
    flow = [{"id": 1, "module": "builtin:Sleep", "mapper": {"delay": 1, "duration": 2}}]
    (found,) = load({"flow": flow}).scenario.modules()
    assert found.mapper == {"delay": 1, "duration": 2}


def test_an_invented_filter_filters() -> None:
    conditions = [[{"a": "{{1.x}}", "o": "number:greaterequal", "b": "3"}]]
    flow = [{"id": 2, "module": "builtin:BasicFilter", "mapper": {"conditions": conditions}}]
    imported = load({"flow": flow})
    (found,) = imported.scenario.modules()
    assert found.filter is not None
    assert found.filter.groups[0][0].operator == "number:greaterorequal"
    assert [problem.severity for problem in imported.problems] == ["warning", "warning"]
    assert "'number:greaterequal'; it is read as" in imported.problems[1].message


def test_separators_of_an_invented_aggregator() -> None:
    parameters = {"text": "{{1.a}}", "delimiter": "; "}
    flow = [{"id": 2, "module": "tools:TextAggregator", "parameters": parameters, "mapper": {}}]
    (found,) = load({"flow": flow}).scenario.modules()
    assert found.mapper == {"value": "{{1.a}}"}
    assert found.parameters == {"otherRowSeparator": "; ", "rowSeparator": "other"}


def test_operators_lead_to_ones_that_exist() -> None:
    assert set(OPERATORS.values()) <= set(FILTERS)
    assert not set(OPERATORS) & {name for name, known in FILTERS.items() if not known.invented}
    assert not set(MENDS) & {mend.module for mend in MENDS.values()}


def test_a_mistyped_module_gets_a_hint() -> None:
    made = report({"id": 1, "module": "http:MakeRequst"}, {"id": 2, "module": "Util:SetVariables"})
    assert said(made, "http:MakeRequst", "Did you mean http:MakeRequest?")
    assert said(made, "Did you mean util:SetVariables?")
    assert nearest("airtable:ActionCreateRecord", offered()) is None


def test_what_can_not_run_says_why() -> None:
    assert "Make's own" in advice_for("ai-tools")
    assert "Make's own" in advice_for("ai-local-agent")
    assert "OpenAPI" in advice_for("airtable")
    assert "OpenAPI" not in advice_for("util")


def test_a_field_that_is_nearly_one_that_is_known() -> None:
    source = {
        "id": 1,
        "module": "util:SetVariables",
        "mapper": {"variables": []},
        "metadata": {
            "interface": [
                {"name": "email", "type": "text"},
                {"name": "address1", "type": "text"},
                {"name": "people", "type": "array", "spec": [{"name": "first", "type": "text"}]},
            ]
        },
    }

    def warned(expression: str) -> list[str]:
        step = {
            "id": 2,
            "module": "util:SetVariables",
            "mapper": {"variables": [{"name": "a", "value": expression}]},
        }
        return [problem.message for problem in report(source, step).problems]

    (message,) = warned("{{1.emial}}")
    assert "'emial'" in message
    assert "'email'" in message
    (message,) = warned("{{upper(1.people[].frist)}}")
    assert "'first'" in message
    for right in ("{{1.email}}", "{{1.address2}}", "{{1.somethingElse}}", "{{1.people[1].first}}"):
        assert warned(right) == [], right


def test_a_place_for_a_value_of_ones_own() -> None:
    made = report(
        {
            "id": 1,
            "module": "util:SetVariables",
            "mapper": {"variables": [{"name": "a", "value": "Bearer {{YOUR_API_TOKEN}}"}]},
        }
    )
    assert said(made, "{{YOUR_API_TOKEN}} is a place for a value of your own")
    assert not made.ok
