"""The built-in text modules in real plans: how they get their arguments and are collected."""

from __future__ import annotations

from typing import Any

from engine_kit import Drive, World

from junctor.engine.plan import compile_plan
from junctor.language.scenario import Module, Scenario, Settings
from junctor.runtime.registry import BUILT_IN, Registry


def placed(id_: int, name: str, mapper: Any = None, **rest: Any) -> Module:
    rest.setdefault("parameters", {})
    return Module(id=id_, module=name, mapper=mapper, path=f"flow[{id_}]", **rest)


def drive(*flow: Module) -> Drive:
    scenario = Scenario(name="text", flow=flow, settings=Settings())
    return Drive(compile_plan(scenario, Registry(BUILT_IN).find), World())


STARTS = placed(
    1,
    "util:BasicTrigger",
    parameters={"values": [{"spec": [{"name": "csv", "value": "id;n\na1;2\nb7;5\nc;x"}]}]},
)
ROWS = placed(
    2,
    "csv:ParseCSV",
    {"csv": "{{1.csv}}"},
    parameters={"containsHeaders": True, "delimiterType": "semicolon", "columnsCount": 2},
)
DIGITS = placed(3, "regexp:Parser", {"text": "{{2.col1}}"}, parameters={"pattern": r"(\d)$"})


def test_from_csv_through_a_pattern_into_a_table() -> None:
    gather = placed(
        4,
        "util:AggregateAggregator",
        {"digit": "{{3.`$1`}}", "n": "{{2.col2}}"},
        parameters={"feeder": 2, "columnSeparator": ","},
    )
    run = drive(STARTS, ROWS, DIGITS, gather)
    assert run.run(ask=True).status == "finished"
    assert run.outputs(4) == [{"text": "1,2\n7,5"}]


def test_what_is_gathered_goes_by_the_exported_form() -> None:
    expect = [{"name": "n", "type": "number"}, {"name": "id", "type": "text"}]
    gather = placed(
        4,
        "json:AggregateToJSON",
        {"id": "{{2.col1}}", "n": "{{2.col2}}"},
        parameters={"feeder": 2},
        expect=expect,
    )
    run = drive(STARTS, ROWS, DIGITS, gather)
    assert run.run(ask=True).status == "finished"
    assert run.outputs(4) == [{"json": '[{"n":2,"id":"a1"},{"n":5,"id":"b7"}]'}]


def test_an_item_that_its_target_refuses_stops_the_run() -> None:
    gather = placed(
        3,
        "builtin:BasicAggregator",
        {"n": "{{2.col2}}"},
        parameters={"feeder": 2, "target": "9.numbers"},
        expect=[{"name": "n", "type": "number", "label": "Number"}],
    )
    result = drive(STARTS, ROWS, gather).run(ask=True)
    assert result.status in {"failed", "incomplete"}
    assert result.error is not None
    assert "'n': text 'x' is not a number" in result.error.message


def test_from_json_to_xml() -> None:
    parse = placed(2, "json:ParseJSON", {"json": '[{"b":1},{"b":2}]'})
    write = placed(
        3, "xml:CreateXML", {"a": {"b": "{{2.b}}"}}, parameters={"header": False, "type": ""}
    )
    run = drive(placed(1, "util:BasicTrigger"), parse, write)
    assert run.run(ask=True).status == "finished"
    assert run.outputs(3) == [{"xml": "<a><b>1</b></a>"}, {"xml": "<a><b>2</b></a>"}]
