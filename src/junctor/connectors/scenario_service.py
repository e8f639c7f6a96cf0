"""Scenarios as parts of scenarios: inputs, calls, returned data, names of runs.

Names and fields are those of Make's blueprints (``scenario-service:``).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Annotated, Any

from junctor.errors import BundleInvalid, InputInvalid
from junctor.language.asks.scenarios import CallScenario
from junctor.language.connector import Asks, Bundle, Connector, Field
from junctor.language.forms import fields_of
from junctor.language.inputs import read_outputs
from junctor.language.values import to_text

__all__ = ["service"]

service = Connector(name="scenario-service", label="Scenarios")

Mapper = Mapping[str, Any]

_LONGEST_NAME = 200
_NAME_FIELDS = ("name", "executionName", "runName", "value")
"""Where blueprints of different makers say the name."""


@service.module("Start a subscenario", kind="trigger", name="StartSubscenario", raw=True)
def start_subscenario(_parameters: Mapper, mapper: Mapper) -> Bundle:
    """Starts when another scenario, a person or a program calls this one; gives out its inputs.

    A run that is started without data gives out the inputs' defaults.
    """
    return dict(mapper)


@service.action("Call a subscenario", name="CallSubscenario", effect="keyed")
def call_subscenario(
    scenario: Annotated[
        Any, Field(label="Scenario", help="It must be active.", static=True)
    ] = None,
    data: Annotated[
        dict[str, Any], Field(label="Inputs", help="A value for each input of that scenario.")
    ] = {},  # noqa: B006  # a form's default
    wait: Annotated[
        bool,
        Field(
            label="Wait for its end",
            help="Then what it returns is given out too, and its failure is this module's.",
            key="shouldWaitForExecutionEnd",
            static=True,
        ),
    ] = False,
    limit: Annotated[
        int,
        Field(
            label="Longest wait",
            help="Seconds. After that this module fails; the called run goes on.",
            key="timeout",
            static=True,
            advanced=True,
            minimum=1,
            maximum=3600,
        ),
    ] = 300,
) -> Asks:
    """Starts another scenario of the organisation with these inputs, once, and waits if told to.

    Gives out `executionId`, the called run, and, having waited, the fields that it returned.
    """
    return _called(CallScenario(scenario=scenario, data=data, wait=wait, limit=float(limit)))


def _called(ask: CallScenario) -> Generator[CallScenario, Any, Bundle]:
    answer = yield ask
    return {**answer["data"], "executionId": answer["run"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Returned:
    data: Annotated[Any, Field(label="Data", help="Or one field for each output.")] = None


@service.module(
    "Return data",
    kind="returner",
    name="ReturnData",
    raw=True,
    typed=True,
    schema=fields_of(_Returned),
)
def return_data(parameters: Mapper, mapper: Mapper) -> Bundle:
    """Gives values back to who started the run: a scenario that waits, or an API call.

    Each mapped field is an output, of the type that the scenario's outputs say. The first to be
    reached in a run counts.
    """
    try:
        return read_outputs(parameters.get("__expect__") or (), mapper)
    except InputInvalid as error:
        raise BundleInvalid(field=error.params["path"], reason=error.params["reason"]) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    name: Annotated[str, Field(label="Name", example="Order 4711")] = dataclass_field(default="")


@service.module(
    "Name the run", kind="namer", name="NameExecution", raw=True, schema=fields_of(_Named)
)
def name_execution(_parameters: Mapper, mapper: Mapper) -> Bundle:
    """Gives the run a name of its own, by which it is found in the history."""
    for key in _NAME_FIELDS:
        if mapper.get(key) not in (None, ""):
            name = " ".join(to_text(mapper[key]).split())
            if name:
                return {"name": name[:_LONGEST_NAME]}
    raise BundleInvalid(field="name", reason="the run's name is empty; map or type a text")
