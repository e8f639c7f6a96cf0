"""Small tools: compose, switch, sleep, and a trigger that gives typed-in bundles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from junctor.connectors.tools.base import Mapper, util
from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Bundle, Field
from junctor.language.expressions.functions.patterns import search
from junctor.language.forms import build, fields_of
from junctor.language.values import to_array

__all__ = ["basic_trigger", "compose", "sleep", "switch"]

_LONGEST_SLEEP = 300


@util.transform(
    "Compose a string", name="ComposeTransformer", aliases=("util:ComposeString", "tools:Compose")
)
def compose(
    value: Annotated[str, Field(label="Text", multiline=True)] = "",
) -> Bundle:
    """Gives one text made of texts and mapped values."""
    return {"value": value}


class _Case(TypedDict, total=False):
    """One row of a switch."""

    pattern: Annotated[str, Field(label="Pattern")]
    output: Annotated[Any, Field(label="Output")]


@util.transform("Switch", name="Switcher", aliases=("util:Switch", "tools:Switch"))
def switch(
    input_: Annotated[str, Field(label="Input")] = "",
    cases: Annotated[list[_Case], Field(label="Cases", key="casesTable")] = [],  # noqa: B006  # a form's default
    use_patterns: Annotated[
        bool, Field(label="Patterns are regular expressions", key="useRegExpMatch")
    ] = False,
    otherwise: Annotated[Any, Field(label="Else", key="elseOutput")] = None,
) -> Bundle:
    """Gives the output of the first case that the input matches, or the output of else."""
    for number, case in enumerate(cases):
        if _matches(case.get("pattern", ""), input_, use_patterns, number):
            return {"output": case.get("output")}
    return {"output": otherwise}


def _matches(pattern: str, text: str, is_pattern: bool, number: int) -> bool:
    if not is_pattern:
        return pattern == text
    try:
        return search(pattern, "", text)
    except DataError as error:
        raise BundleInvalid(
            field=f"casesTable[{number}].pattern", reason=str(error.params.get("reason"))
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pause:
    duration: Annotated[
        float, Field(label="Seconds", minimum=0, maximum=_LONGEST_SLEEP, example=10)
    ]


@util.module(
    "Sleep",
    kind="sleep",
    name="FunctionSleep",
    raw=True,
    schema=fields_of(_Pause),
    aliases=("builtin:Sleep", "tools:Sleep"),
)
def sleep(_parameters: Mapper, mapper: Mapper) -> float:
    """Waits a number of seconds, at most 300, before the bundle goes on."""
    # ``timeout`` is what invented blueprints with the alias write.
    return build(_Pause, {"duration": mapper.get("timeout"), **mapper}).duration


class _Item(TypedDict):
    """One field of a bundle."""

    name: Annotated[str, Field(label="Name")]
    value: Annotated[Any, Field(label="Value")]


class _Sample(TypedDict):
    """One bundle."""

    spec: Annotated[list[_Item], Field(label="Items")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    values: Annotated[list[_Sample], Field(label="Bundles", static=True)]


@util.module(
    "Basic trigger",
    kind="trigger",
    name="BasicTrigger",
    raw=True,
    schema=fields_of(_Values),
    aliases=(
        "builtin:BasicTrigger",
        "builtin:BasicScheduler",
        "builtin:BasicScheduleTrigger",
        "gateway:RunOnSchedule",
    ),
)
def basic_trigger(parameters: Mapper, _mapper: Mapper) -> Iterator[Bundle]:
    """Starts a scenario with bundles that were typed in; without any, with an empty one."""
    samples = to_array(parameters.get("values"))
    for number, sample in enumerate(samples):
        rows = sample.get("spec") if isinstance(sample, Mapping) else None
        bundle: Bundle = {}
        for row in to_array(rows):
            name = str(row.get("name") or "").strip() if isinstance(row, Mapping) else ""
            if not name:
                raise BundleInvalid(
                    field=f"values[{number}].spec", reason="an item has no name; type one"
                )
            bundle[name] = row.get("value")
        yield bundle
    if not samples:
        yield {}
