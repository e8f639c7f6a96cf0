from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from junctor.errors import BlueprintInvalid, NotFound
from junctor.language.blueprint import (
    blueprint_of,
    dump,
    load,
    module_at,
    placed,
    requirements,
    set_at,
    set_parameter,
)
from junctor.language.lossless import difference, loads
from junctor.language.scenario import Condition, Filter, Settings
from tests.support import ROOT, shared_dir

PLAIN: dict[str, Any] = {
    "name": "Two ways",
    "flow": [
        {
            "id": 1,
            "module": "gateway:CustomWebHook",
            "version": 1,
            "parameters": {"hook": 7, "maxResults": 1},
            "mapper": {},
            "metadata": {
                "designer": {"x": 0, "y": 0, "name": "Form sent"},
                "restore": {"parameters": {"hook": {"label": "Contact form"}}},
                "parameters": [{"name": "hook", "type": "hook:gateway-webhook", "required": True}],
                "interface": [{"name": "email", "type": "text"}],
            },
        },
        {
            "id": 4,
            "module": "builtin:BasicRouter",
            "version": 1,
            "parameters": {"else": 1},
            "mapper": None,
            "routes": [
                {
                    "flow": [
                        {
                            "id": 5,
                            "module": "http:MakeRequest",
                            "version": 4,
                            "parameters": {},
                            "filter": {
                                "name": "Has e-mail",
                                "conditions": [[{"a": "{{1.email}}", "o": "exist"}]],
                            },
                            "mapper": {"url": "https://example.com", "timeout": 1.50},
                            "onerror": [
                                {"id": 6, "module": "builtin:Ignore", "version": 1, "mapper": {}}
                            ],
                        }
                    ]
                },
                {"flow": [], "disabled": True},
            ],
        },
    ],
    "metadata": {
        "instant": True,
        "version": 1,
        "scenario": {"roundtrips": 4, "maxErrors": 1, "sequential": True, "dlq": True},
        "designer": {"orphans": [[{"id": 9, "module": "http:MakeRequest"}]]},
        "unknown": [1e5],
    },
    "somethingNew": {"kept": True},
}


def blueprint(*modules: Any, **rest: Any) -> dict[str, Any]:
    return {"name": "Test", "flow": list(modules), **rest}


def step(number: Any = 1, **rest: Any) -> dict[str, Any]:
    return {"id": number, "module": "util:SetVariables", "version": 1, "mapper": {}, **rest}


def found(document: Any) -> list[tuple[str, str]]:
    return [(p.path, p.severity) for p in load(document).problems]


def test_reads_a_plain_export() -> None:
    scenario = load(json.dumps(PLAIN)).scenario
    assert scenario.name == "Two ways"
    assert scenario.settings == Settings(roundtrips=4, max_errors=1, sequential=True, dlq=True)
    hook, router = scenario.flow
    assert (hook.label, hook.version, hook.path) == ("Form sent", 1, "flow[0]")
    assert hook.parameters == {"hook": 7, "maxResults": 1}
    assert hook.interface == ({"name": "email", "type": "text"},)
    assert router.fallback == 1
    assert [route.disabled for route in router.routes] == [False, True]
    (call,) = router.routes[0].flow
    assert call.path == "flow[1].routes[0].flow[0]"
    assert call.filter == Filter(name="Has e-mail", groups=((Condition("exist", "{{1.email}}"),),))
    assert call.mapper == {"url": "https://example.com", "timeout": 1.5}
    assert [module.id for module in scenario.modules()] == [1, 4, 5, 6]


def test_orphans_are_kept_and_said() -> None:
    assert found(PLAIN) == [("$.metadata.designer.orphans", "info")]


def test_numbers_of_a_scenario_are_ordinary() -> None:
    text = '{"name":"n","flow":[{"id":1,"module":"a:b","mapper":{"x":1e5,"y":-0}}]}'
    mapper = load(text).scenario.flow[0].mapper
    assert [type(value) for value in mapper.values()] == [float, int]
    assert dump(load(text).document, None) == text


def test_reads_if_else_and_merge() -> None:
    document = blueprint(
        step(1),
        {
            "id": 2,
            "module": "builtin:BasicIfElse",
            "mapper": None,
            "branches": [
                {
                    "type": "condition",
                    "label": "Big",
                    "merge": True,
                    "conditions": [[{"a": "{{1.n}}", "o": "number:greater", "b": "5"}]],
                    "flow": [step(3)],
                },
                {"type": "else", "label": "Else", "merge": True, "disabled": True, "flow": []},
            ],
        },
        {
            "id": 4,
            "module": "builtin:BasicMerge",
            "outputs": [{"name": "size", "mappings": ["{{3.size}}", "small"]}],
        },
    )
    imported = load(document)
    assert imported.problems == []
    _, choice, merge = imported.scenario.flow
    big, otherwise = choice.branches
    assert big.filter == Filter(
        name="Big", groups=((Condition("number:greater", "{{1.n}}", "5"),),)
    )
    assert (big.merge, otherwise.filter, otherwise.disabled) == (True, None, True)
    assert merge.outputs == ({"name": "size", "mappings": ["{{3.size}}", "small"]},)


def test_our_own_settings_are_read_from_metadata() -> None:
    document = blueprint(
        step(1, metadata={"junctor": {"lanes": 8}}),
        metadata={"junctor": {"orderKey": "{{1.from}}"}},
    )
    scenario = load(document).scenario
    assert scenario.settings.order_key == "{{1.from}}"
    assert scenario.flow[0].lanes == 8
    assert found(blueprint(step(1, metadata={"junctor": {"lanes": 0}}))) == [
        ("$.flow[0].metadata.junctor.lanes", "warning")
    ]


WRAPPED = {
    "plain": (PLAIN, "$"),
    "api": (
        {"code": "OK", "response": {"blueprint": PLAIN, "idSequence": 9}},
        "$.response.blueprint",
    ),
    "api without response": ({"blueprint": PLAIN}, "$.blueprint"),
    "clipboard": ({"subflows": [{"flow": PLAIN["flow"]}], "metadata": {}}, "$.subflows[0]"),
    "text": (json.dumps(PLAIN), "$"),
    "text in api": ({"blueprint": json.dumps(PLAIN), "teamId": 1}, "$.blueprint"),
}


@pytest.mark.parametrize("variant", WRAPPED)
def test_every_variant_reads_the_same_and_exports_what_it_was(variant: str) -> None:
    document, path = WRAPPED[variant]
    data = json.dumps(document).encode()
    imported = load(data)
    assert imported.path == path
    assert imported.scenario.flow == load(PLAIN).scenario.flow
    assert difference(loads(dump(imported.document)).value, loads(data).value) is None
    assert json.loads(dump(imported.document)) == document


@pytest.mark.parametrize("variant", WRAPPED)
def test_a_parameter_is_set_without_disturbing_the_rest(variant: str) -> None:
    document = loads(json.dumps(WRAPPED[variant][0])).value
    before = copy.deepcopy(document)
    changed = set_parameter(document, 5, "__IMTCONN__", 12)
    assert document == before
    assert load(changed).scenario.flow[1].routes[0].flow[0].parameters == {"__IMTCONN__": 12}
    undone = copy.deepcopy(blueprint_of(changed))
    del undone["flow"][1]["routes"][0]["flow"][0]["parameters"]["__IMTCONN__"]
    assert undone == blueprint_of(before)


def test_scheduling_and_interface_of_the_api_are_read() -> None:
    wrapped = {
        "response": {
            "blueprint": json.dumps({"name": "n", "flow": []}),
            "scheduling": '{"type":"indefinitely","interval":900}',
            "metadata": {"input_spec": [{"name": "a"}], "output_spec": [{"name": "b"}]},
        }
    }
    scenario = load(wrapped).scenario
    assert scenario.scheduling == {"type": "indefinitely", "interval": 900}
    assert (scenario.inputs, scenario.outputs) == (({"name": "a"},), ({"name": "b"},))
    assert load(blueprint(scheduling={"type": "once"})).scenario.scheduling == {"type": "once"}
    assert load(blueprint(metadata={"scheduling": {"type": "daily"}})).scenario.scheduling == {
        "type": "daily"
    }
    own = load(blueprint(io={"input_spec": [{"name": "x"}]})).scenario
    assert (own.inputs, own.outputs) == (({"name": "x"},), ())
    assert found(blueprint(scheduling="{broken")) == [("$", "warning")]


def test_several_flows_in_a_clipboard() -> None:
    document = {"subflows": [{"flow": [step(1)]}, {"flow": [step(2)]}]}
    assert found(document) == [("$.subflows[1]", "warning")]


def test_modules_are_found_by_path() -> None:
    document = {"response": {"blueprint": PLAIN}}
    for module in load(document).scenario.modules():
        assert module_at(document, module.path)["id"] == module.id
    for path in ("flow[9]", "flow[0].module", "nowhere", "flow[x]", "flow"):
        with pytest.raises(NotFound):
            module_at(document, path)


def test_set_at_reaches_any_place() -> None:
    document = {"response": {"blueprint": PLAIN}, "code": "OK"}
    changed = set_at(document, "flow[1].routes[0].flow[0].mapper['a b']", "{{1.x}}")
    assert load(changed).scenario.flow[1].routes[0].flow[0].mapper["a b"] == "{{1.x}}"
    assert set_at(document, "metadata.junctor.orderKey", "k")["response"]["blueprint"]["metadata"][
        "junctor"
    ] == {"orderKey": "k"}
    for path in ("flow[7].mapper", "name.x", ""):
        with pytest.raises(NotFound):
            set_at(document, path, 1)


def test_set_parameter_needs_one_module_with_the_id() -> None:
    with pytest.raises(NotFound, match="Module 99"):
        set_parameter(PLAIN, 99, "hook", 1)
    with pytest.raises(BlueprintInvalid, match="2 modules have the id 1"):
        set_parameter(blueprint(step(1), step(1)), 1, "hook", 1)
    assert set_parameter(blueprint(step("3")), 3, "hook", 1)["flow"][0]["parameters"] == {"hook": 1}


def test_placed_reaches_tools_and_branches() -> None:
    document = blueprint(
        step(1, tools=[{"name": "t", "flow": [step(2)]}], branches=[{"flow": [step(3)]}])
    )
    assert [(raw["id"], steps) for steps, raw in placed(document)] == [
        (1, ("flow", 0)),
        (3, ("flow", 0, "branches", 0, "flow", 0)),
        (2, ("flow", 0, "tools", 0, "flow", 0)),
    ]


def asked(document: Any) -> list[tuple[str, str, Any, str, tuple[int, ...]]]:
    wanted = requirements(load(document).scenario, document)
    return [(r.kind, r.type, r.value, r.label, r.modules) for r in wanted]


def test_requirements_are_asked_once_with_their_former_name() -> None:
    def google(number: int, kind: str) -> dict[str, Any]:
        return step(
            number,
            parameters={"__IMTCONN__": 55},
            metadata={
                "restore": {"parameters": {"__IMTCONN__": {"label": "Ann's Google"}}},
                "parameters": [{"name": "__IMTCONN__", "type": kind, "required": True}],
            },
        )

    document = {
        **PLAIN,
        "flow": [*PLAIN["flow"], google(10, "account:google"), google(11, "account:google,x")],
    }
    assert asked(document) == [
        ("hook", "hook:gateway-webhook", 7, "Contact form", (1,)),
        ("connection", "account:google", 55, "Ann's Google", (10, 11)),
    ]
    (hook, _) = requirements(load(document).scenario, document)
    assert hook.paths == ("$.flow[0].parameters.hook",)
    assert hook.parameter == "hook"


def test_requirements_without_metadata_come_from_the_parameters() -> None:
    document = blueprint(
        {"id": 1, "module": "toky:watchNewCalls", "parameters": {"__IMTHOOK__": 1}},
        {"id": 2, "module": "toky:getContact", "parameters": {"__IMTCONN__": 1}},
        {"id": 3, "module": "highlevel:addTags", "parameters": {"__IMTCONN__": 1}},
        {"id": 4, "module": "datastore:GetRecord", "parameters": {"datastore": "<STORE>"}},
        {"id": 5, "module": "gateway:CustomMailHook"},
        {"id": 6, "module": "toky:getContact", "parameters": {"__IMTCONN__": 1}},
        {"id": 7, "module": "toky:getContact", "parameters": {"__IMTCONN__": ""}},
    )
    assert asked(document) == [
        ("hook", "hook:toky", 1, "toky hook", (1,)),
        ("connection", "account:toky", 1, "toky connection", (2, 6)),
        ("connection", "account:highlevel", 1, "highlevel connection", (3,)),
        ("datastore", "datastore", "<STORE>", "datastore datastore", (4,)),
        ("hook", "hook:gateway-mailhook", None, "gateway hook", (5,)),
    ]


def test_export_is_indented_like_theirs() -> None:
    assert dump({"a": [1]}) == '{\n    "a": [\n        1\n    ]\n}'


def test_every_real_export_goes_through_unchanged() -> None:
    folder = shared_dir("corpus", "blueprints")
    failures = []
    files = sorted(folder.iterdir())
    for file in files:
        data = file.read_bytes()
        try:
            imported = load(data)
            exported = dump(imported.document)
        except Exception as error:  # counted by file below
            failures.append(f"{file.name}: {error!r}")
            continue
        # Compared twice: by our own reader, and by the standard library with numbers as texts.
        where = difference(loads(data).value, loads(exported).value)
        if where is not None or _spelled(data) != _spelled(exported):
            failures.append(f"{file.name}: differs at {where}")
        if load(exported).scenario != imported.scenario:
            failures.append(f"{file.name}: reads differently")
        if not imported.scenario.flow:
            failures.append(f"{file.name}: nothing read")
    assert len(files) >= 150
    assert not failures, f"{len(failures)} of {len(files)}:\n" + "\n".join(failures)


def _spelled(data: bytes | str) -> Any:
    return json.loads(
        data, parse_int=lambda text: ("#", text), parse_float=lambda text: ("#", text)
    )


def test_the_example_reads_without_a_word() -> None:
    file = ROOT / "examples" / "missed-call-to-highlevel.blueprint.json"
    imported = load(file.read_bytes())
    assert imported.problems == []
    assert dump(imported.document, 2) + "\n" == file.read_text(encoding="utf-8")
    trigger, contact, router = imported.scenario.flow
    assert (trigger.module, contact.module) == ("toky:watchNewCalls", "toky:getContact")
    assert contact.filter is not None
    assert [group[0].b for group in contact.filter.groups] == ["missed", "voicemail"]
    assert router.fallback == 1
    for route in router.routes:
        names = [module.module for module in route.flow]
        assert names == ["highlevel:upsertContact", "highlevel:addTags", "highlevel:createNote"]
        save, tag, _note = route.flow
        assert "tags" not in save.mapper
        assert tag.mapper["contactId"] == f"{{{{{save.id}.contact.id}}}}"
    assert len({module.id for module in imported.scenario.modules()}) == 9
    wanted = requirements(imported.scenario, imported.document)
    assert [(r.kind, r.value) for r in wanted] == [
        ("hook", 1),
        ("connection", 1),
        ("connection", 2),
    ]
