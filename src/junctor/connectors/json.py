"""JSON: text to bundles and back."""

from __future__ import annotations

import json as standard
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Bundle, Connector, Field
from junctor.language.forms import build, fields_of
from junctor.language.structures import bound, conform, fields, zone_of
from junctor.language.values import IGNORE, plain, show

__all__ = ["json"]

json = Connector(name="json", label="JSON")

_MOST_TEXT = 50_000_000

_Space = Annotated[
    Literal["", "2", "4", "tab"], Field(label="Indentation", static=True, advanced=True)
]
_Structure = Annotated[
    Any, Field(label="Data structure", key="type", static=True, help="Its fields, in its order.")
]


# Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parse:
    json: Annotated[str, Field(label="JSON string", multiline=True)]
    structure: Annotated[
        Any,
        Field(
            label="Data structure",
            help="Says which fields there are and of what types; without one the text does.",
            key="type",
            static=True,
        ),
    ] = None


@json.transform("Parse JSON", name="ParseJSON", raw=True, typed=True, schema=fields_of(_Parse))
def parse_json(parameters: Mapping[str, Any], mapper: Mapping[str, Any]) -> Iterator[Bundle]:
    """Gives the fields of a JSON text; an array gives one bundle for each of its items."""
    text = build(_Parse, mapper).json
    spec, strict = bound(parameters)
    found = _decoded(text, spelled=bool(spec))
    for number, item in enumerate(found if isinstance(found, list) else [found]):
        bundle = item if isinstance(item, dict) else {"value": item}
        if not spec:
            yield bundle
            continue
        try:
            yield conform(bundle, spec, strict=strict, zone=zone_of(parameters))
        except BundleInvalid as error:
            if not isinstance(found, list):
                raise
            raise BundleInvalid(
                field=f"[{number}].{error.params['field']}", reason=error.params["reason"]
            ) from error


_LONG = re.compile(r"\d{19}")


def _decoded(text: str, *, spelled: bool) -> Any:
    """The value. ``spelled``: integers beyond 64 bits stay texts, for a structure may want them so;
    else they are the nearest number, as everywhere.
    """
    if len(text) > _MOST_TEXT:
        raise DataError(
            reason=f"the JSON has {len(text):,} characters, the most is {_MOST_TEXT:,}; split it"
        )
    text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    try:
        found = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).replace("JSON is malformed: ", "")
        raise DataError(
            reason=f"{show(text)} is not valid JSON ({reason}); "
            "correct the text, or take a Markdown fence or comment away before"
        ) from error
    if _LONG.search(text):
        keep = _spelled if spelled else _nearest
        found = standard.JSONDecoder(parse_int=keep, strict=False).decode(text)
    return found


def _spelled(digits: str) -> int | str:
    return digits if len(digits) > 400 or not -(2**63) < int(digits) < 2**63 else int(digits)


def _nearest(digits: str) -> int | float:
    if len(digits) < 19:
        return int(digits)
    return float(digits) if len(digits) > 400 or abs(int(digits)) >= 2**63 else int(digits)


# Writing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Create:
    structure: _Structure = None
    space: _Space = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Transform:
    value: Annotated[Any, Field(label="Value", key="object")] = None
    space: _Space = ""


def _open(form: type) -> Callable[[], Mapping[str, Any]]:
    """A form to which the fields of the data structure are added."""
    return lambda: {**fields_of(form)(), "additionalProperties": True}


@json.transform("Create JSON", name="CreateJSON", raw=True, typed=True, schema=_open(_Create))
def create_json(parameters: Mapping[str, Any], mapper: Mapping[str, Any]) -> Bundle:
    """Gives a JSON text made of the mapped fields."""
    return {"json": _encoded(_shaped(parameters, mapper), parameters)}


@json.transform("Transform to JSON", name="TransformToJSON", raw=True, schema=fields_of(_Transform))
def transform_to_json(parameters: Mapping[str, Any], mapper: Mapping[str, Any]) -> Bundle:
    """Gives any value, a collection or an array for instance, as a JSON text."""
    return {"json": _encoded(mapper.get("object"), parameters)}


class _Items:
    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self._items: list[Any] = []

    def add(self, value: Any) -> None:
        """One more item."""
        shaped = _shaped(self._parameters, value) if isinstance(value, Mapping) else value
        self._items.append(shaped)

    def result(self) -> Bundle:
        """All of them as one JSON array."""
        return {"json": _encoded(self._items, self._parameters)}


@json.module(
    "Aggregate to JSON",
    kind="aggregator",
    name="AggregateToJSON",
    raw=True,
    typed=True,
    schema=_open(_Create),
)
def aggregate_to_json(parameters: Mapping[str, Any]) -> _Items:
    """Gathers bundles into one JSON text: an array of the mapped fields of each."""
    return _Items(parameters)


def _shaped(parameters: Mapping[str, Any], mapper: Mapping[str, Any]) -> Any:
    """The fields as the structure wants them; where it isn't here, as the form was exported."""
    spec, strict = bound(parameters)
    spec = spec or fields(parameters.get("__expect__"))
    if not spec:
        return mapper
    return conform(mapper, spec, strict=strict, zone=zone_of(parameters))


_INDENTS: dict[str, int] = {"2": 2, "4": 4, "tab": 1}


def _encoded(value: Any, parameters: Mapping[str, Any]) -> str:
    try:
        text = msgspec.json.encode(plain(_without_ignored(value)))
    except RecursionError as error:
        raise DataError(reason="the value is nested too deeply for JSON; flatten it") from error
    if len(text) > _MOST_TEXT:
        raise DataError(
            reason=f"the JSON would have {len(text):,} bytes, not {_MOST_TEXT:,} or less"
        )
    space = str(parameters.get("space") or "")
    width = _INDENTS.get(space)
    if width is not None:
        text = msgspec.json.format(text, indent=width)
        if space == "tab":
            text = b"\n".join(_tabbed(line) for line in text.split(b"\n"))
    return text.decode()


def _without_ignored(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_ignored(item) for name, item in value.items() if item is not IGNORE}
    if isinstance(value, list):
        return [_without_ignored(item) for item in value if item is not IGNORE]
    return value


def _tabbed(line: bytes) -> bytes:
    bare = line.lstrip(b" ")
    return b"\t" * (len(line) - len(bare)) + bare
