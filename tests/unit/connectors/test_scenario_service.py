"""Calls, returned data and names, as blueprints write them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, cast

import pytest

from junctor.connectors.scenario_service import (
    name_execution,
    return_data,
    service,
    start_subscenario,
)
from junctor.errors import BundleInvalid
from junctor.language.asks.scenarios import CallScenario
from junctor.language.forms import bind


def asked(parameters: dict[str, Any], mapper: dict[str, Any]) -> Generator[Any, Any, Any]:
    module = service.modules["CallSubscenario"]
    return cast("Generator[Any, Any, Any]", module.function(**bind(module, mapper, parameters)))


def test_a_call_that_waits() -> None:
    flow = asked(
        {"scenario": 4711, "shouldWaitForExecutionEnd": True}, {"data": {"name": "Ada", "n": 1}}
    )
    assert next(flow) == CallScenario(
        scenario=4711, data={"name": "Ada", "n": 1}, wait=True, limit=300.0
    )
    with pytest.raises(StopIteration) as done:
        flow.send({"run": "run_1", "data": {"greeting": "Hello"}})
    assert done.value.value == {"executionId": "run_1", "greeting": "Hello"}


def test_a_call_that_does_not_wait() -> None:
    flow = asked({"scenario": 1, "shouldWaitForExecutionEnd": False, "timeout": "20"}, {})
    assert next(flow) == CallScenario(scenario=1, data={}, wait=False, limit=20.0)
    with pytest.raises(StopIteration) as done:
        flow.send({"run": "run_1", "data": {}})
    assert done.value.value == {"executionId": "run_1"}


def test_a_call_is_never_sent_twice() -> None:
    assert service.modules["CallSubscenario"].effect == "keyed"


def test_data_that_is_none_is_refused() -> None:
    with pytest.raises(BundleInvalid, match="data"):
        asked({"scenario": 1}, {"data": "x"})


def test_returned_fields_are_of_the_outputs_types() -> None:
    expect = ({"name": "count", "type": "number"},)
    assert return_data({"__expect__": expect}, {"count": "3", "data": [1]}) == {
        "count": 3,
        "data": [1],
    }
    with pytest.raises(BundleInvalid, match="Failed to map 'count': text 'x' is not a number"):
        return_data({"__expect__": expect}, {"count": "x"})


@pytest.mark.parametrize("key", ["name", "executionName"])
def test_names(key: str) -> None:
    assert name_execution({}, {key: "  Order \n 4711 "}) == {"name": "Order 4711"}
    assert len(name_execution({}, {key: "x" * 900})["name"]) == 200
    with pytest.raises(BundleInvalid, match="the run's name is empty"):
        name_execution({}, {key: " "})


def test_a_start_without_data_gives_out_what_is_typed() -> None:
    assert start_subscenario({}, {}) == {}
