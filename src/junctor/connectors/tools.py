"""The built-in tools: routers, iterators, aggregators, variables and error directives.

The engine does the routing; the functions here decide only what values come out. Names and fields
are those of Make's blueprints (``builtin:``, ``util:``, ``placeholder:``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from decimal import Decimal
from typing import Annotated, Any, Literal, TypedDict

from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Bundle, Connector, Field, Kind
from junctor.language.expressions.functions.patterns import search
from junctor.language.forms import build, fields_of
from junctor.language.values import to_array, to_number, to_text

__all__ = ["builtin", "placeholder", "util"]

builtin = Connector(name="builtin", label="Flow control")
util = Connector(name="util", label="Tools")
placeholder = Connector(name="placeholder", label="Placeholder")

Mapper = Mapping[str, Any]
Scope = Literal["roundtrip", "execution"]

_MOST_REPEATS = 10_000
_LONGEST_SLEEP = 300


# Flow control without values of its own


def _flow(connector: Connector, name: str, label: str, kind: Kind, text: str, **rest: Any) -> None:
    def nothing() -> None:
        return None

    nothing.__doc__ = text
    connector.module(label, kind=kind, name=name, **rest)(nothing)


_flow(
    builtin,
    "BasicRouter",
    "Router",
    "router",
    "Sends every bundle down each route whose filter lets it through, one route after another.",
)
_flow(
    builtin,
    "BasicIfElse",
    "If-else",
    "if_else",
    "Sends every bundle down the first branch whose conditions hold.",
)
_flow(builtin, "BasicMerge", "Merge", "merge", "Goes on after an if-else, whichever branch ran.")
_flow(
    builtin,
    "Ignore",
    "Ignore",
    "directive",
    "After an error: drops the bundle and goes on with the next.",
)
_flow(
    builtin,
    "Commit",
    "Commit",
    "directive",
    "After an error: ends the run and keeps what was done so far.",
)
_flow(
    builtin,
    "Rollback",
    "Rollback",
    "directive",
    "After an error: ends the run as failed and takes back what can be taken back.",
)
_flow(placeholder, "Placeholder", "Empty module", "placeholder", "A place kept free; does nothing.")


@builtin.module("Resume", kind="directive", name="Resume", raw=True)
def resume(_parameters: Mapper, mapper: Mapper) -> Bundle:
    """After an error: goes on with these values in place of the failed module's result."""
    return dict(mapper)


@builtin.module("Break", kind="directive", name="Break")
def break_(
    retry: Annotated[bool, Field(label="Complete the run automatically")] = False,
    count: Annotated[int, Field(label="Attempts", minimum=1, maximum=10_000)] = 3,
    interval: Annotated[
        int, Field(label="Minutes between attempts", minimum=1, maximum=44_640)
    ] = 15,
) -> Bundle:
    """After an error: keeps the run as an incomplete one, to be retried."""
    return {"retry": retry, "count": count, "interval": interval}


# Iterators


@dataclass(frozen=True, slots=True, kw_only=True)
class _Feed:
    array: Annotated[
        list[Any], Field(label="Array", help="Anything else is taken as its only item.")
    ] = dataclass_field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repeat:
    start: Annotated[float, Field(label="First number")] = 1
    repeats: Annotated[int, Field(label="Repeats", minimum=0, maximum=_MOST_REPEATS)] = 1
    step: Annotated[float, Field(label="Step", advanced=True)] = 1


@builtin.module(
    "Iterator",
    kind="iterator",
    name="BasicFeeder",
    raw=True,
    schema=fields_of(_Feed),
    aliases=("builtin:BasicIterator", "builtin:Iterator", "tools:Iterator"),
)
def feeder(_parameters: Mapper, mapper: Mapper) -> Iterator[Bundle]:
    """Gives the items of an array, one bundle each, with their number and how many there are."""
    items = to_array(mapper.get("array"))
    count = len(items)
    for index, item in enumerate(items, start=1):
        bundle = dict(item) if isinstance(item, dict) else {"value": item}
        bundle["__IMTLENGTH__"] = count
        bundle["__IMTINDEX__"] = index
        yield bundle


@builtin.module(
    "Repeater", kind="repeater", name="BasicRepeater", raw=True, schema=fields_of(_Repeat)
)
def repeater(_parameters: Mapper, mapper: Mapper) -> Iterator[Bundle]:
    """Gives a number of bundles that count up from a start by a step."""
    form = build(_Repeat, mapper)
    for index in range(form.repeats):
        yield {"i": form.start + index * form.step}


# Aggregators: ``function(parameters)`` gives an object with ``add(value)`` and ``result()``


class _ArrayAggregate:
    """Collects; the only aggregator whose memory grows with its input."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def add(self, value: Any) -> None:
        """One more item."""
        self.items.append(value)

    def result(self) -> Bundle:
        """All items in one array."""
        return {"array": self.items}


@builtin.module("Array aggregator", kind="aggregator", name="BasicAggregator", raw=True)
def array_aggregator(_parameters: Mapper) -> _ArrayAggregate:
    """Gathers bundles into one array."""
    return _ArrayAggregate()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Join:
    value: Annotated[str, Field(label="Text", multiline=True)] = ""
    separator: Annotated[
        Literal["", "\n", "\t", "other"],
        Field(label="Separator", key="rowSeparator", static=True),
    ] = ""
    other: Annotated[str, Field(label="Other separator", key="otherRowSeparator", static=True)] = ""


class _TextAggregate:
    def __init__(self, separator: str) -> None:
        self.separator = separator
        self.parts: list[str] = []

    def add(self, value: Any) -> None:
        """One more piece of text, or a mapper with it in ``value``."""
        self.parts.append(to_text(_value_of(value)))

    def result(self) -> Bundle:
        """All pieces in one text."""
        return {"text": self.separator.join(self.parts)}


@util.module(
    "Text aggregator",
    kind="aggregator",
    name="TextAggregator",
    raw=True,
    schema=fields_of(_Join),
    aliases=("tools:TextAggregator",),
)
def text_aggregator(parameters: Mapper) -> _TextAggregate:
    """Joins texts of several bundles into one, with a separator between them."""
    chosen = str(parameters.get("rowSeparator") or "")
    if chosen == "other":
        chosen = str(parameters.get("otherRowSeparator") or "")
    return _TextAggregate({"\\n": "\n", "\\t": "\t"}.get(chosen, chosen))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    figure: Annotated[
        Literal["sum", "avg", "count", "max", "min"],
        Field(label="Function", key="fn", static=True),
    ] = "sum"
    value: Annotated[float, Field(label="Value")] = 0


class _NumberAggregate:
    """Keeps a running figure, never the values; sums are decimal, so 0.1 + 0.2 is 0.3."""

    def __init__(self, figure: str) -> None:
        self.figure = figure
        self.count = 0
        self.numbers = 0
        self.total = Decimal(0)
        self.least: int | float | None = None
        self.most: int | float | None = None

    def add(self, value: Any) -> None:
        """One more number; empty values count, but don't enter sums and extremes."""
        value = _value_of(value)
        self.count += 1
        if self.figure == "count" or value is None or value == "":
            return
        number = to_number(value)
        self.numbers += 1
        self.total += Decimal(repr(number))
        self.least = number if self.least is None else min(self.least, number)
        self.most = number if self.most is None else max(self.most, number)

    def result(self) -> Bundle:
        """The figure; null for an average or extreme of nothing."""
        match self.figure:
            case "sum":
                return {"result": _plain_number(self.total)}
            case "avg":
                figure = _plain_number(self.total / self.numbers) if self.numbers else None
                return {"result": figure}
            case "count":
                return {"result": self.count}
            case "max":
                return {"result": self.most}
            case _:
                return {"result": self.least}


def _plain_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _value_of(value: Any) -> Any:
    return value.get("value") if isinstance(value, Mapping) else value


@util.module(
    "Numeric aggregator",
    kind="aggregator",
    name="FunctionAggregator2",
    raw=True,
    schema=fields_of(_Figure),
    aliases=("util:FunctionAggregator", "util:NumericAggregator", "util:NumericalAggregator"),
)
def number_aggregator(parameters: Mapper) -> _NumberAggregate:
    """Gives the sum, average, count, largest or smallest of the numbers of several bundles."""
    return _NumberAggregate(build(_Figure, {"fn": parameters.get("fn")}).figure)


# Variables


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


for _version in ("SetVariable2", "SetVariable"):
    util.module(
        "Set variable",
        kind="set_variables",
        name=_version,
        raw=True,
        stateless=False,
        schema=fields_of(_SetOne),
    )(_one_variable)
for _version in ("GetVariable2", "GetVariable"):
    util.module(
        "Get variable",
        kind="get_variables",
        name=_version,
        raw=True,
        stateless=False,
        schema=fields_of(_GetOne),
    )(_one_name)


@util.module(
    "Set multiple variables",
    kind="set_variables",
    name="SetVariables",
    raw=True,
    stateless=False,
    schema=fields_of(_SetMany),
    aliases=("util:FunctionSetVariables",),
)
def set_variables(_parameters: Mapper, mapper: Mapper) -> tuple[Bundle, Scope]:
    """Remembers several values under their names, for later modules on any route."""
    rows = [row for row in to_array(mapper.get("variables")) if isinstance(row, dict)]
    return {str(row["name"]): row.get("value") for row in rows if row.get("name")}, _scope(mapper)


@util.module(
    "Get multiple variables",
    kind="get_variables",
    name="GetVariables",
    raw=True,
    stateless=False,
    schema=fields_of(_GetMany),
)
def get_variables(_parameters: Mapper, mapper: Mapper) -> list[str]:
    """Gives variables that were set before; null for those that weren't."""
    names = (
        row.get("name") if isinstance(row, dict) else row
        for row in to_array(mapper.get("variables"))
    )
    return [str(name) for name in names if name]


# Small transformations


@util.transform("Compose a string", name="ComposeTransformer")
def compose(
    value: Annotated[str, Field(label="Text", multiline=True)] = "",
) -> Bundle:
    """Gives one text made of texts and mapped values."""
    return {"value": value}


class _Case(TypedDict, total=False):
    """One row of a switch."""

    pattern: Annotated[str, Field(label="Pattern")]
    output: Annotated[Any, Field(label="Output")]


@util.transform("Switch", name="Switcher")
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
    aliases=("builtin:Sleep",),
)
def sleep(_parameters: Mapper, mapper: Mapper) -> float:
    """Waits a number of seconds, at most 300, before the bundle goes on."""
    # ``timeout`` is what invented blueprints with the alias write.
    return build(_Pause, {"duration": mapper.get("timeout"), **mapper}).duration
