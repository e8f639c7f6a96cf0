"""Flow control: routers, iterators and error directives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Annotated, Any

from junctor.connectors.tools.base import Mapper, builtin, placeholder
from junctor.errors import DataError
from junctor.language.connector import Bundle, Connector, Field, Kind
from junctor.language.forms import build, fields_of
from junctor.language.values import to_array

__all__ = ["feeder", "repeater"]

_MOST_REPEATS = 10_000


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
_flow(
    placeholder,
    "Placeholder",
    "Empty module",
    "placeholder",
    "A place kept free; does nothing.",
    aliases=("builtin:Noop",),
)


@builtin.module("Resume", kind="directive", name="Resume", raw=True)
def resume(_parameters: Mapper, mapper: Mapper) -> Bundle:
    """After an error: goes on with these values in place of the failed module's result."""
    if not isinstance(mapper, Mapping):
        raise DataError(reason="Resume has no substitute output: give its fields values")
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
