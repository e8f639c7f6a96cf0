from __future__ import annotations

import json
from typing import Any

import pytest

from junctor.errors import Misconfigured
from junctor.language.blueprint import load
from junctor.language.blueprint_sight import sights
from junctor.language.check import Report, check
from junctor.language.connector import Kind, ModuleDef
from tests.support import ROOT, shared_dir


def nothing() -> None:
    """Never called: reports only look at definitions."""


def module(identifier: str, kind: Kind = "action", **rest: Any) -> ModuleDef:
    connector, _, name = identifier.partition(":")
    rest.setdefault("schema", lambda: {"type": "object", "properties": {}})
    return ModuleDef(
        connector=connector, name=name, label=name, kind=kind, function=nothing, **rest
    )


SEND = {
    "type": "object",
    "properties": {
        "to": {"type": "string", "title": "Recipient"},
        "text": {"type": "string", "title": "Text"},
        "line": {"type": "string", "title": "Line", "x-static": True},
    },
    "required": ["to", "line"],
}
OFFERED = (
    module("gateway:CustomWebHook", "instant"),
    module("util:SetVariables", "set_variables", aliases=("util:FunctionSetVariables",)),
    module("builtin:BasicRouter", "router"),
    module("builtin:BasicFeeder", "iterator", aliases=("builtin:BasicIterator",)),
    module("builtin:BasicAggregator", "aggregator"),
    module("builtin:BasicIfElse", "if_else"),
    module("builtin:BasicMerge", "merge"),
    module("builtin:Ignore", "directive"),
    module("placeholder:Placeholder", "placeholder"),
    module("sms:send", schema=lambda: SEND),
    module("old:thing", blueprint_versions=(2, 3), aliases=("old:invented",)),
)
BY_NAME = {name: each for each in OFFERED for name in (each.id, *each.aliases)}


def step(number: int, name: str = "util:SetVariables", **rest: Any) -> dict[str, Any]:
    return {"id": number, "module": name, "version": 1, "mapper": {}, **rest}


def report(*modules: Any, **rest: Any) -> Report:
    document = {"name": "Test", "flow": list(modules), **rest}
    return check(json.dumps(document).encode(), "test.json", BY_NAME.get, round_trip=True)


def found(*modules: Any, **rest: Any) -> list[tuple[str, str]]:
    return [(problem.path, problem.severity) for problem in report(*modules, **rest).problems]


def test_a_clean_blueprint() -> None:
    made = report(
        step(1, "gateway:CustomWebHook", parameters={"hook": 3}),
        step(2, mapper={"a": "{{1.name}}", "b": ["x", {"c": "{{upper(1.name)}}"}], "d": "plain"}),
    )
    assert made.as_json() == {
        "file": "test.json",
        "ok": True,
        "problems": [],
        "modules": {"total": 2, "runnable": 2},
        "expressions": {"total": 2, "parsed": 2},
        "name": "Test",
        "unsupported": [],
        "requirements": [
            {
                "kind": "hook",
                "type": "hook:gateway",
                "parameter": "hook",
                "value": 3,
                "label": "gateway hook",
                "modules": (1,),
                "paths": ("$.flow[0].parameters.hook",),
            }
        ],
        "aliases": [],
    }


def test_expressions_are_counted_wherever_they_may_stand() -> None:
    made = report(
        step(1, parameters={"never": "{{1.a}}"}),
        step(
            2,
            mapper=["{{1.a}}"],
            filter={"conditions": [[{"a": "{{1.a}}", "o": "text:equal", "b": "{{1.b}}"}]]},
        ),
        step(3, "builtin:BasicAggregator", parameters={"feeder": 2}, flags={"groupBy": "{{2.k}}"}),
        step(
            4,
            "builtin:BasicIfElse",
            mapper=None,
            branches=[
                {"type": "condition", "conditions": [[{"a": "{{1.a}}", "o": "exist"}]], "flow": []}
            ],
        ),
        step(5, "builtin:BasicMerge", outputs=[{"name": "n", "mappings": ["{{1.a}}"]}]),
        step(6, tools=[{"name": "t", "flow": [step(7, mapper={"q": "{{6.q}}"})]}]),
    )
    assert (made.expressions, made.parsed) == (7, 7)
    assert made.ok
    assert made.total == 7


def test_an_error_handler_that_never_runs_is_said() -> None:
    handler = [step(8, "builtin:Ignore")]
    made = report(
        step(1, "gateway:CustomWebHook", parameters={"hook": 3}, onerror=handler),
        step(2, onerror=[step(7, "builtin:Ignore")]),  # as it should be
        step(3, "builtin:BasicRouter", mapper=None, onerror=[step(9, "builtin:Ignore")], routes=[
            {"flow": [step(4, "builtin:BasicRouter", mapper=None, filter={
                "name": "f", "conditions": [[{"a": "{{1.a}}", "o": "exist"}]]},
                onerror=[step(10, "builtin:Ignore")],
                routes=[{"flow": [step(5, "placeholder:Placeholder")]}])]},
        ]),
    )  # fmt: skip
    said = [each for each in made.problems if each.path.endswith(".onerror")]
    polls = report(step(1, "rss:TriggerNewArticle", onerror=handler), step(2))
    assert not [each for each in polls.problems if each.path.endswith(".onerror")]
    assert [each.path for each in said] == [
        "$.flow[0].onerror", "$.flow[2].onerror", "$.flow[2].routes[0].flow[0].onerror",
    ]  # fmt: skip
    assert {each.severity for each in said} == {"warning"}
    assert "module 3 (builtin:BasicRouter), which begins with module 9 (builtin:Ignore), never" in (
        said[1].message
    )
    assert "Put it on the modules that may fail" in said[1].message
    assert "runs only if its own filter fails" in said[2].message
    assert made.ok


def test_modules_nobody_offers_are_warnings_with_advice() -> None:
    made = report(
        step(1, "airtable:ActionCreateRecord"),
        step(2, "airtable:ActionCreateRecord"),
        step(3, "airtable:Search"),
        step(4, "builtin:Nothing"),
        step(5, "http:ActionSendDataOAuth"),
    )
    assert made.ok
    assert (made.total, made.runnable) == (5, 0)
    assert [problem.path for problem in made.problems] == [
        f"$.flow[{index}].module" for index in range(5)
    ]
    airtable, builtin, http = made.unsupported.values()
    assert (airtable.app, airtable.count) == ("airtable", 3)
    assert airtable.modules == ["airtable:ActionCreateRecord", "airtable:Search"]
    assert "http:MakeRequest" in airtable.advice
    assert "OpenAPI" in airtable.advice
    assert "OpenAPI" not in builtin.advice + http.advice
    assert "airtable:ActionCreateRecord" in made.problems[0].message


def test_aliases_are_said_and_invented_ones_warned_of() -> None:
    made = report(step(1, "util:FunctionSetVariables"), step(2, "builtin:BasicIterator"))
    assert {p.path: p.severity for p in made.problems} == {
        "$.flow[0].module": "info",
        "$.flow[1].module": "warning",
    }
    assert {(a.path, a.module, a.means) for a in made.aliases} == {
        ("$.flow[0].module", "util:FunctionSetVariables", "util:SetVariables"),
        ("$.flow[1].module", "builtin:BasicIterator", "builtin:BasicFeeder"),
    }
    assert made.runnable == 2


def test_a_retry_policy_or_timeout_that_makes_no_sense() -> None:
    flags = {"retry": {"errors": "RateLimitError"}, "timeout": "long"}
    found = report(step(1, flags=flags), step(2, flags={"retry": {"attempts": 2}, "timeout": 9}))
    assert [(each.path, each.severity) for each in found.problems] == [
        ("$.flow[0].flags.retry", "error"),
        ("$.flow[0].flags.timeout", "error"),
    ]
    assert "a list of types" in found.problems[0].message


def test_a_version_nobody_serves() -> None:
    made = report(step(1, "old:thing"), step(2, "old:thing", version=3))
    (problem,) = made.problems
    assert (problem.path, problem.severity) == ("$.flow[0].version", "warning")
    assert "version 1; only 2 or 3 runs here" in problem.message
    assert made.runnable == 1
    assert report(step(1, "old:invented", version=9)).runnable == 1


def test_a_connector_that_cannot_be_loaded_fails_its_modules_only() -> None:
    def known(name: str) -> ModuleDef | None:
        if name == "crm:add":
            raise Misconfigured(reason="the connector 'crm' can't be loaded")
        return BY_NAME.get(name)

    data = json.dumps({"name": "n", "flow": [step(1), step(2, "crm:add")]}).encode()
    made = check(data, "f", known)
    (problem,) = made.problems
    assert (problem.path, problem.severity) == ("$.flow[1].module", "error")
    assert "'crm' can't be loaded" in problem.message
    assert made.runnable == 1


def test_missing_required_fields() -> None:
    made = report(step(1, "sms:send", mapper={"to": None, "text": "x"}))
    assert [(p.path, p.severity) for p in made.problems] == [
        ("$.flow[0].mapper.to", "error"),
        ("$.flow[0].parameters.line", "error"),
    ]
    assert "sms:send needs 'Recipient' (to)" in made.problems[0].message
    assert not made.ok
    assert found(step(1, "sms:send", mapper={"to": ""}, parameters={"line": 1})) == []


DANGLING: list[tuple[str, list[Any], str, str, str]] = [
    (
        "missing",
        [step(1), step(2, mapper={"a b": ["{{9.x}}"]})],
        "$.flow[1].mapper['a b'][0]",
        "error",
        "Module 9 is not in this blueprint. Map from module 1 instead.",
    ),
    (
        "later",
        [step(1, mapper={"a": "{{2.x}}"}), step(2)],
        "$.flow[0].mapper.a",
        "error",
        "not run",
    ),
    ("own", [step(1, mapper={"a": "{{1.x}}"})], "$.flow[0].mapper.a", "error", "its own output"),
    (
        "another route",
        [
            step(
                1,
                "builtin:BasicRouter",
                routes=[{"flow": [step(2)]}, {"flow": [step(3, mapper={"a": "{{2.x}}"})]}],
            )
        ],
        "$.flow[0].routes[1].flow[0].mapper.a",
        "error",
        "Module 2 (util:SetVariables) does not run before module 3",
    ),
    (
        "another's handler",
        [step(1, onerror=[step(2)]), step(3, mapper={"a": "{{2.x}}"})],
        "$.flow[1].mapper.a",
        "error",
        "does not run before",
    ),
    (
        "in a filter",
        [step(1), step(2, filter={"conditions": [[{"a": "{{7.x}}", "o": "exist"}]]})],
        "$.flow[1].filter.conditions[0][0].a",
        "error",
        "Module 7",
    ),
    (
        "what an aggregator took",
        [
            step(1),
            step(2, "builtin:BasicFeeder"),
            step(3),
            step(4, "builtin:BasicAggregator", parameters={"feeder": 2}, mapper={"a": "{{3.x}}"}),
            step(5, mapper={"a": "{{3.x}}", "b": "{{1.x}}", "c": "{{4.array}}"}),
        ],
        "$.flow[4].mapper.a",
        "warning",
        "end in the aggregator 4",
    ),
    (
        "an aggregator's source",
        [step(1), step(2, "builtin:BasicAggregator", parameters={"feeder": 8})],
        "$.flow[1].parameters.feeder",
        "error",
        "source is module 8",
    ),
    (
        "a branch that didn't run, in a merge",
        [
            step(
                1,
                "builtin:BasicIfElse",
                branches=[{"flow": [step(2)]}, {"type": "else", "flow": [step(3)]}],
            ),
            step(
                4,
                "builtin:BasicMerge",
                outputs=[{"name": "n", "mappings": ["{{2.x}}", "{{2.x}}"]}],
            ),
        ],
        "$.flow[1].outputs[0].mappings[1]",
        "error",
        "Module 2",
    ),
]


@pytest.mark.parametrize(
    ("name", "modules", "path", "severity", "said"), DANGLING, ids=[d[0] for d in DANGLING]
)
def test_references_that_lead_nowhere(
    name: str, modules: list[Any], path: str, severity: str, said: str
) -> None:
    (problem,) = report(*modules).problems
    assert (problem.path, problem.severity) == (path, severity), name
    assert said in problem.message


def test_references_that_are_right() -> None:
    handler = step(4, mapper={"a": "{{3.error.message}}", "b": "{{1.x}}"})
    assert (
        found(
            step(1),
            step(
                2,
                "builtin:BasicRouter",
                routes=[{"flow": [step(3, mapper={"a": "{{1.x}}"}, onerror=[handler])]}],
            ),
        )
        == []
    )


def test_ids_shared_by_two_modules_make_no_loop() -> None:
    made = report(step(1), step(2, mapper={"a": "{{1.x}}"}), step(1, mapper={"a": "{{2.x}}"}))
    assert [(p.path, p.severity) for p in made.problems] == [("$.flow[2].id", "error")]
    assert made.total == 3


def test_a_filter_on_the_trigger() -> None:
    conditions = [[{"a": "x", "o": "exist"}]]
    made = report(step(1, filter={"name": "Only mine", "conditions": conditions}))
    (problem,) = made.problems
    assert (problem.path, problem.severity) == ("$.flow[0].filter", "error")
    assert "'Only mine'" in problem.message
    assert found(step(1, filter={"name": "", "conditions": []})) == []


def test_filter_operators() -> None:
    def operator(name: str) -> list[tuple[str, str]]:
        return found(step(1), step(2, filter={"conditions": [[{"a": "x", "o": name, "b": "y"}]]}))

    assert operator("text:contain:ci") == []
    assert operator("number:greaterorequal") == []
    place = "$.flow[1].filter.conditions[0][0].o"
    assert operator("string:equal") == [(place, "warning")]
    assert operator("text:eqaul") == [(place, "error")]


def test_unreadable_expressions_name_position_and_text() -> None:
    made = report(step(1), step(2, mapper={"url": "https://x/{{upper(1.a}}"}))
    (problem,) = made.problems
    assert (problem.path, problem.severity) == ("$.flow[1].mapper.url", "error")
    assert "upper(1.a" in problem.message
    assert "position" in problem.message
    assert (made.expressions, made.parsed) == (1, 0)


def test_unknown_functions() -> None:
    made = report(step(1), step(2, mapper={"a": "{{uper(1.a)}}"}))
    (problem,) = made.problems
    assert problem.severity == "error"
    assert "'uper' not found" in problem.message
    assert (made.expressions, made.parsed) == (1, 1)


def test_doubled_braces_are_recovered() -> None:
    made = report(step(1), step(2, mapper={"a": "{{{{1.a}}}}"}))
    (problem,) = made.problems
    assert (problem.severity, made.parsed) == ("warning", 1)
    assert "{{{{…}}}}" in problem.message


def test_what_is_kept_and_not_run_or_obeyed_is_said() -> None:
    settings = {"dlq": False, "freshVariables": True, "slots": 3}
    assert found(
        step(1, "placeholder:Placeholder"),
        step(2, "builtin:BasicRouter", routes=[{"flow": [step(3)], "disabled": True}]),
        metadata={
            "instant": True,
            "scenario": settings,
            "designer": {"orphans": [[step(8)]]},
        },
    ) == [
        ("$.metadata.designer.orphans", "info"),
        ("$.flow[0].module", "info"),
        ("$.flow[1].routes[0]", "info"),
        ("$.metadata.scenario.dlq", "info"),
        ("$.metadata.scenario.freshVariables", "info"),
        ("$.metadata.scenario.slots", "info"),
        ("$.metadata.instant", "info"),
    ]


def test_an_empty_flow() -> None:
    assert found() == [("$.flow", "warning")]


def test_paths_of_a_wrapped_blueprint_start_at_the_file() -> None:
    document = {"code": "OK", "response": {"blueprint": {"name": "n", "flow": [step(1, "x:y")]}}}
    made = check(json.dumps(document).encode(), "f", BY_NAME.get)
    assert [p.path for p in made.problems] == ["$.response.blueprint.flow[0].module"]


BAD: list[tuple[str, bytes, str]] = [
    ("empty", b"", "The file is empty"),
    ("not JSON", b"PK\x03\x04 not json", "expected a value"),
    ("truncated", json.dumps({"name": "n", "flow": [step(1)]}).encode()[:-20], "cut off"),
    ("deep", b"[" * 10_000 + b"]" * 10_000, "nested deeper"),
    ("deep text", json.dumps("[" * 10_000 + "]" * 10_000).encode(), "nested deeper"),
    ("no blueprint", b'{"nodes": []}', "no 'flow'"),
    ("flow an object", b'{"flow": {}}', "must be a list"),
    ("latin-1", b'{"name": "caf\xe9", "flow": []}', "Save the file as UTF-8"),
]


@pytest.mark.parametrize(("name", "data", "said"), BAD, ids=[b[0] for b in BAD])
def test_bad_files_are_one_clear_error(name: str, data: bytes, said: str) -> None:
    made = check(data, name, BY_NAME.get, round_trip=True)
    (problem,) = made.problems
    assert problem.severity == "error"
    assert said in problem.message
    assert not made.ok


def test_the_deepest_blueprints_are_reported_on() -> None:
    mapper: Any = "{{1.a}}"
    for _ in range(250):
        mapper = [mapper]
    deep = report(step(1), step(2, mapper=mapper))
    assert (deep.ok, deep.parsed) == (True, 1)

    flow: list[Any] = [step(63, mapper={"a": "{{1.a}}"})]
    for number in range(62, 0, -1):
        flow = [step(number, "builtin:BasicRouter", routes=[{"flow": flow}])]
    routers = report(*flow)
    assert (routers.ok, routers.total) == (True, 63)


def test_repeated_keys_go_through_a_round_trip() -> None:
    data = (
        b'{"name":"a","name":"b","flow":[{"id":1,"module":"util:SetVariables","mapper":{"n":1e5}}]}'
    )
    made = check(data, "f", BY_NAME.get, round_trip=True)
    assert [(p.path, p.severity) for p in made.problems] == [("$.name", "warning")]
    assert made.name == "b"


def test_the_example_has_no_errors() -> None:
    data = (ROOT / "examples" / "missed-call-to-highlevel.blueprint.json").read_bytes()
    made = check(data, "example", BY_NAME.get, round_trip=True)
    assert [p for p in made.problems if p.severity == "error"] == []
    assert made.parsed == made.expressions > 20
    assert set(made.unsupported) == {"toky", "highlevel"}


def test_every_real_export_is_reported_on() -> None:
    files = sorted(shared_dir("corpus", "blueprints").iterdir())
    failures = []
    for file in files:
        made = check(file.read_bytes(), file.name, BY_NAME.get, round_trip=True)
        json.dumps(made.as_json())
        if made.total == 0:
            failures.append(f"{file.name}: no modules")
        failures += [
            f"{file.name}: {p.path} {p.message}" for p in made.problems if "our bug" in p.message
        ]
    assert len(files) >= 150
    assert not failures, "\n".join(failures)


def test_what_a_handler_and_a_branch_see() -> None:
    document = {
        "flow": [
            step(1),
            step(2, branches=[{"flow": [step(3)]}], onerror=[step(4), step(5)]),
            step(6),
        ]
    }
    seen = {sight.module.id: sight.visible for sight in sights(load(document).scenario.flow)}
    assert seen == {1: set(), 2: {1}, 3: {1, 2}, 4: {1, 2}, 5: {1, 2, 4}, 6: {1, 2}}
