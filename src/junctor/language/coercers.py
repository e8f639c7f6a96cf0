"""Type hints as conversions: each hint becomes a function once, and is looked at no more."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from junctor.errors import DataError
from junctor.language.connector import Field, Secret
from junctor.language.files import Content, File, file_of
from junctor.language.values import coerce, show

__all__ = ["Coercer", "bare", "coercer", "optional"]

Coercer = Callable[[Any, tzinfo], Any]
"""A value as the declared type; the zone is for dates written without one. `DataError`."""

_NAMES = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "boolean",
    bytes: "buffer",
    datetime: "date",
    Secret: "text",
}


def coercer(hint: Any) -> Coercer:
    """The conversion that a type hint stands for."""
    hint, _ = bare(hint)
    hint, nullable = optional(hint)
    made = _content if hint == Content else _coercer(hint)
    if not nullable:
        return made
    return lambda value, zone: None if value is None else made(value, zone)


def _coercer(hint: Any) -> Coercer:
    if hint is str:
        return lambda value, zone: value if value.__class__ is str else coerce(value, "text", zone)
    if hint is Secret:
        return lambda value, zone: Secret(coerce(value, "text", zone))
    if hint in _NAMES:
        name = _NAMES[hint]
        return lambda value, zone: coerce(value, name, zone)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _choice(inner)
    if hint is list or origin is list:
        return _list(coercer(inner[0]) if inner else None)
    if typing.is_typeddict(hint):
        return _record(hint)
    if hint in {dict, Mapping} or origin in {dict, Mapping}:
        return _collection(coercer(inner[1]) if inner else None)
    return lambda value, _zone: value


def _content(value: Any, zone: tzinfo) -> Any:
    if isinstance(value, File):
        return value
    file = file_of(value)
    return coerce(value, "buffer", zone) if file is None else file


def _choice(options: tuple[Any, ...]) -> Coercer:
    name = _NAMES[type(options[0])]

    def choose(value: Any, zone: tzinfo) -> Any:
        if value in options and value.__class__ is options[0].__class__:
            return value
        made = coerce(value, name, zone)
        if made not in options and isinstance(made, str):  # blueprints say get and GET
            made = next((item for item in options if item.lower() == made.lower()), made)
        if made not in options:
            shown = ", ".join(str(item) or '""' for item in options)
            raise DataError(reason=f"{show(value)} is not one of: {shown}")
        return made

    return choose


def _list(item: Coercer | None) -> Coercer:
    def convert(value: Any, zone: tzinfo) -> Any:
        rows = coerce(value, "array", zone)
        return rows if item is None else [item(row, zone) for row in rows]

    return convert


def _record(hint: Any) -> Coercer:
    fields = {
        name: coercer(item) for name, item in get_type_hints(hint, include_extras=True).items()
    }
    required = hint.__required_keys__

    def convert(value: Any, zone: tzinfo) -> Any:
        given = coerce(value, "collection", zone)
        for name in required - given.keys():
            raise DataError(reason=f"{name} is missing in {show(given)}")
        return {
            name: fields[name](item, zone) if name in fields else item
            for name, item in given.items()
        }

    return convert


def _collection(item: Coercer | None) -> Coercer:
    def convert(value: Any, zone: tzinfo) -> Any:
        given = coerce(value, "collection", zone)
        if item is None:
            return given
        return {name: item(each, zone) for name, each in given.items()}

    return convert


def bare(annotation: Any) -> tuple[Any, Field | None]:
    """A hint without ``Annotated``, and its `Field`."""
    if get_origin(annotation) is not Annotated:
        return annotation, None
    hint, *extras = get_args(annotation)
    fields = [extra for extra in extras if isinstance(extra, Field)]
    return hint, fields[-1] if fields else None


def optional(hint: Any) -> tuple[Any, bool]:
    """A hint without ``None``, and whether it had it."""
    if get_origin(hint) not in {Union, types.UnionType}:
        return hint, False
    kept = [item for item in get_args(hint) if item is not type(None)]
    if len(kept) == len(get_args(hint)):
        return hint, False
    return (kept[0] if len(kept) == 1 else Union[tuple(kept)]), True  # noqa: UP007  # built at run time
