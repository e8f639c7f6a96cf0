"""Variables of a cycle or a run, and a counter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

from junctor.connectors.tools.base import Mapper, util
from junctor.errors import BundleInvalid
from junctor.language.asks.records import ReadState, StateScope, WriteState
from junctor.language.connector import Asks, Bundle, Field
from junctor.language.forms import fields_of
from junctor.language.values import to_array

__all__ = ["get_variables", "increment", "set_variables"]

Scope = Literal["roundtrip", "execution"]


class _Variable(TypedDict):
    name: Annotated[str, Field(label="Name")]
    value: Annotated[Any, Field(label="Value")]


class _Name(TypedDict):
    name: Annotated[str, Field(label="Name")]


_Scope = Annotated[Scope, Field(label="Lifetime", help="One cycle, or the whole run.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _SetOne:
    name: Annotated[str, Field(label="Name")]
    scope: _Scope = "roundtrip"
    value: Annotated[Any, Field(label="Value")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _SetMany:
    variables: Annotated[list[_Variable], Field(label="Variables")]
    scope: _Scope = "roundtrip"


@dataclass(frozen=True, slots=True, kw_only=True)
class _GetOne:
    name: Annotated[str, Field(label="Name")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _GetMany:
    variables: Annotated[list[_Name], Field(label="Variables")]


def _scope(mapper: Mapper) -> Scope:
    """Make's default is one cycle; ``execution`` keeps the variable for the whole run."""
    return "execution" if mapper.get("scope") == "execution" else "roundtrip"


def _one_variable(_parameters: Mapper, mapper: Mapper) -> tuple[Bundle, Scope]:
    """Remembers a value under a name, for later modules on any route."""
    name = str(mapper.get("name") or "").strip()
    if not name:
        raise BundleInvalid(field="name", reason="the variable has no name; type one")
    return {name: mapper.get("value")}, _scope(mapper)


def _one_name(_parameters: Mapper, mapper: Mapper) -> list[str]:
    """Gives a variable that was set before; null if it wasn't."""
    return [str(mapper.get("name") or "")]


for _version, _aliases in (("SetVariable2", ("tools:SetVariable",)), ("SetVariable", ())):
    util.module(
        "Set variable",
        kind="set_variables",
        name=_version,
        aliases=_aliases,
        raw=True,
        stateless=False,
        items="value" if _version == "SetVariable" else None,
        schema=fields_of(_SetOne),
    )(_one_variable)
for _version, _aliases in (("GetVariable2", ("tools:GetVariable",)), ("GetVariable", ())):
    util.module(
        "Get variable",
        kind="get_variables",
        name=_version,
        aliases=_aliases,
        raw=True,
        stateless=False,
        items="value" if _version == "GetVariable" else None,
        schema=fields_of(_GetOne),
    )(_one_name)


@util.module(
    "Set multiple variables",
    kind="set_variables",
    name="SetVariables",
    raw=True,
    stateless=False,
    schema=fields_of(_SetMany),
    aliases=("util:FunctionSetVariables", "util:SetMultipleVariables", "tools:SetVariables"),
)
def set_variables(_parameters: Mapper, mapper: Mapper) -> tuple[Bundle, Scope]:
    """Remembers several values under their names, for later modules on any route."""
    found = {}
    for row in to_array(mapper.get("variables")):
        if isinstance(row, dict) and (name := row.get("name")):
            found[name if name.__class__ is str else str(name)] = row.get("value")
    return found, _scope(mapper)


@util.module(
    "Get multiple variables",
    kind="get_variables",
    name="GetVariables",
    raw=True,
    stateless=False,
    schema=fields_of(_GetMany),
    aliases=("util:GetMultipleVariables", "tools:GetVariables"),
)
def get_variables(_parameters: Mapper, mapper: Mapper) -> list[str]:
    """Gives variables that were set before; null for those that weren't."""
    names = (
        row.get("name") if isinstance(row, dict) else row
        for row in to_array(mapper.get("variables"))
    )
    return [str(name) for name in names if name]


# A counter

_SCOPES: dict[str, StateScope] = {"run": "cycle", "execution": "run", "scenario": "scenario"}


@util.action(
    "Increment",
    name="FunctionIncrement",
    # The count is remembered when the run commits, not before: doing it again is safe.
    effect="idempotent",
    transactional=True,
    stateless=False,
    aliases=("util:FunctionIncrementor", "tools:Increment"),
)
def increment(
    reset: Annotated[
        Literal["run", "execution", "scenario"],
        Field(
            label="Start again",
            help="run: in every cycle; execution: in every run; scenario: never.",
            static=True,
        ),
    ] = "run",
) -> Asks:
    """Counts how often it was reached, from 1, and gives the count in `i`."""
    scope = _SCOPES[reset]
    count = yield ReadState(scope)
    count = (count if isinstance(count, int) else 0) + 1
    yield WriteState(count, scope)
    return {"i": count}
