"""Aggregators: ``function(parameters)`` gives an object with ``add(value)`` and ``result()``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Annotated, Any, Literal

from junctor.connectors.tools.base import Mapper, builtin, util
from junctor.language.connector import Bundle, Field
from junctor.language.forms import build, fields_of
from junctor.language.structures import conform, fields, zone_of
from junctor.language.values import to_number, to_text

__all__ = ["array_aggregator", "number_aggregator", "table_aggregator", "text_aggregator"]


class _ArrayAggregate:
    """Collects; an aggregator whose memory grows with its input."""

    def __init__(self, spec: Sequence[Mapping[str, Any]] = (), zone: tzinfo = UTC) -> None:
        self.items: list[Any] = []
        self._spec = spec
        self._zone = zone

    def add(self, value: Any) -> None:
        """One more item, in the shape of the target's items if there is a target."""
        if self._spec and isinstance(value, Mapping):
            value = conform(value, self._spec, zone=self._zone)
        self.items.append(value)

    def result(self) -> Bundle:
        """All items in one array."""
        return {"array": self.items}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gather:
    target: Annotated[
        str,
        Field(
            label="Target",
            help="Module and field for which the array is meant (5.headers): its items get the "
            "fields and types of that field, and required ones must be there.",
            static=True,
        ),
    ] = ""


@builtin.module(
    "Array aggregator",
    kind="aggregator",
    name="BasicAggregator",
    raw=True,
    typed=True,
    schema=lambda: {**fields_of(_Gather)(), "additionalProperties": True},
    aliases=("builtin:ArrayAggregator", "util:ArrayAggregator", "tools:ArrayAggregator"),
)
def array_aggregator(parameters: Mapper) -> _ArrayAggregate:
    """Gathers bundles into one array of the mapped fields, or of what a later field expects."""
    # The exported form of the mapper is the target's; without a target it has nothing to say.
    targeted = str(parameters.get("target") or "").strip()
    spec = fields(parameters.get("__expect__")) if targeted else ()
    return _ArrayAggregate(spec, zone_of(parameters))


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
    aliases=("tools:TextAggregator", "builtin:TextAggregator"),
)
def text_aggregator(parameters: Mapper) -> _TextAggregate:
    """Joins texts of several bundles into one, with a separator between them."""
    # ``delimiter`` is what invented blueprints with the alias write.
    given = {"rowSeparator": parameters.get("delimiter"), **parameters}
    return _TextAggregate(_separator(given, "rowSeparator", "otherRowSeparator"))


_ESCAPES = (("\\r", "\r"), ("\\n", "\n"), ("\\t", "\t"))


def _separator(parameters: Mapper, key: str, other: str, default: str = "") -> str:
    """A separator as chosen or typed. A typed backslash and n is a line break, as it was meant."""
    chosen = parameters.get(key)
    text = default if chosen is None else str(chosen)
    if text == "other":
        text = str(parameters.get(other) or "")
    for spelled, meant in _ESCAPES:
        text = text.replace(spelled, meant)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    columns: Annotated[
        Literal["", "\n", "\t", ",", ";", "other"],
        Field(label="Column separator", key="columnSeparator", static=True),
    ] = "\t"
    other_columns: Annotated[
        str, Field(label="Other column separator", key="otherColumnSeparator", static=True)
    ] = ""
    rows: Annotated[
        Literal["", "\n", "\t", ",", ";", "other"],
        Field(label="Row separator", key="rowSeparator", static=True),
    ] = "\n"
    other_rows: Annotated[
        str, Field(label="Other row separator", key="otherRowSeparator", static=True)
    ] = ""


class _TableAggregate:
    def __init__(self, columns: str, rows: str, names: list[str]) -> None:
        self._columns = columns
        self._rows = _TextAggregate(rows)
        self._names = names

    def add(self, value: Any) -> None:
        """One more row: the values of a collection, or of the array in ``value`` or ``columns``."""
        if isinstance(value, Mapping) and len(value) == 1 and set(value) & {"value", "columns"}:
            (value,) = value.values()
        if isinstance(value, Mapping):
            rest = [name for name in value if name not in self._names]
            value = [value.get(name) for name in [*self._names, *rest]]
        cells = value if isinstance(value, list) else [value]
        self._rows.add(self._columns.join(map(to_text, cells)))

    def result(self) -> Bundle:
        """All rows in one text."""
        return self._rows.result()


@util.module(
    "Table aggregator",
    kind="aggregator",
    name="AggregateAggregator",
    raw=True,
    typed=True,
    schema=lambda: {**fields_of(_Grid)(), "additionalProperties": True},
    aliases=("util:TableAggregator", "tools:TableAggregator"),
)
def table_aggregator(parameters: Mapper) -> _TableAggregate:
    """Makes one text of several bundles: a row each, with the mapped fields as its columns."""
    expected = [str(field["name"]) for field in fields(parameters.get("__expect__"))]
    return _TableAggregate(
        _separator(parameters, "columnSeparator", "otherColumnSeparator", "\t"),
        _separator(parameters, "rowSeparator", "otherRowSeparator", "\n"),
        [] if set(expected) & {"value", "columns"} else expected,
    )


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
    aliases=(
        "util:FunctionAggregator",
        "util:NumericAggregator",
        "util:NumericalAggregator",
        "tools:NumericAggregator",
    ),
)
def number_aggregator(parameters: Mapper) -> _NumberAggregate:
    """Gives the sum, average, count, largest or smallest of the numbers of several bundles."""
    return _NumberAggregate(build(_Figure, {"fn": parameters.get("fn")}).figure)
