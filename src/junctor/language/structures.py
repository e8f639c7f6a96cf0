"""Data structures and form specs: what fields a bundle should have, and making it so.

A spec is a list of fields as blueprints and the API of data structures write them::

    [{"name": "email", "type": "email", "required": True},
     {"name": "tags", "type": "array", "spec": {"type": "text"}},
     {"name": "address", "type": "collection", "spec": [{"name": "city", "type": "text"}]}]

An array's ``spec`` is one field, or a list of fields if its items are collections; a collection's
is a list of fields; without one, anything goes inside. ``validate`` bounds a value (``min``,
``max``, ``minItems``, ``maxItems``, ``pattern``, ``enum``). Types and their conversions are those
of `values.coerce`; a type that it does not know takes any value. The words are those of
``metadata.expect`` and ``metadata.interface`` in Make's exports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, tzinfo
from difflib import get_close_matches
from typing import Any

from junctor.errors import BundleInvalid, DataError
from junctor.language.expressions.functions.patterns import search
from junctor.language.values import ERASE, IGNORE, as_number, coerce, show, to_text

__all__ = ["MAX_DEPTH", "Spec", "bound", "conform", "defaults", "fields", "is_spec"]

Spec = Sequence[Mapping[str, Any]]

MAX_DEPTH = 100
"""Levels of specs inside specs."""

_NO_VALUES = frozenset({"banner", "separator"})
"""Types of form fields that only decorate."""


def conform(
    value: Mapping[str, Any], spec: Spec, *, strict: bool = False, zone: tzinfo = UTC
) -> dict[str, Any]:
    """The bundle as the spec wants it: its fields first, in its order, each of its type.

    A field that is absent, ``ignore``, null or an empty text takes its default; without one, an
    absent field stays absent (so does an empty text where the type is another), and a required
    one is refused. ``erase`` becomes null. Fields that
    the spec does not have follow unchanged, or are refused if ``strict``. ``zone`` is for dates
    written without one. `BundleInvalid` with the field's path, value and mend; nothing else.
    """
    return _collection(value, spec, "", strict, zone, 0)


def defaults(spec: Spec) -> dict[str, Any]:
    """What the spec gives to an empty bundle, unconverted; absent where it has no default."""
    return _defaults(spec, 0)


def fields(spec: Any) -> list[Mapping[str, Any]]:
    """The fields of a spec that have values, in order: forms hold banners and broken rows too."""
    rows = [spec] if isinstance(spec, Mapping) else spec if isinstance(spec, list | tuple) else []
    return [
        row
        for row in rows
        if isinstance(row, Mapping) and row.get("name") and _type(row) not in _NO_VALUES
    ]


def zone_of(parameters: Mapping[str, Any]) -> tzinfo:
    """The time zone in which a typed module reads dates that name none."""
    zone = parameters.get("__zone__")
    return zone if isinstance(zone, tzinfo) else UTC


def bound(parameters: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], bool]:
    """The data structure a placed module is bound to: its fields, and whether it is strict.

    ``parameters`` are those of a module that is ``typed``. Without a structure, no fields.
    """
    structure = parameters.get("__structure__")
    if not isinstance(structure, Mapping):
        return [], False
    return fields(structure.get("spec")), bool(structure.get("strict"))


def is_spec(value: Any) -> bool:
    """Whether the value is a spec with at least one field."""
    return isinstance(value, list | tuple) and bool(fields(value))


def _collection(
    value: Mapping[str, Any], spec: Any, path: str, strict: bool, zone: tzinfo, depth: int
) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise BundleInvalid(
            field=path or "data structure",
            reason=f"the data structure is nested deeper than {MAX_DEPTH} levels; flatten it",
        )
    out: dict[str, Any] = {}
    known = fields(spec)
    names = {str(field["name"]) for field in known}
    for field in known:
        name = str(field["name"])
        made = _field(value.get(name, IGNORE), field, _join(path, name), strict, zone, depth)
        if made is not IGNORE:
            out[name] = made
    for name, item in value.items():
        if name in names or item is IGNORE:
            continue
        if strict:
            raise _unknown(_join(path, name), name, item, names)
        out[name] = None if item is ERASE else item
    return out


def _field(
    value: Any, field: Mapping[str, Any], path: str, strict: bool, zone: tzinfo, depth: int
) -> Any:
    if value is ERASE:
        if field.get("required"):
            raise BundleInvalid(
                field=path, reason="it is required and can't be erased; map a value"
            )
        return None
    if value is None or value is IGNORE or value == "":
        value = _stand_in(value, field, path)
        if value is None or value is IGNORE or value == "":
            # A text may be empty; to other types that means that nothing was typed.
            return value if value != "" or coerce("", _type(field)) == "" else IGNORE
    if _is_multiple(field):
        items = coerce(value, "array", zone)
        return [_typed(item, field, f"{path}[{i}]", zone) for i, item in enumerate(items)]
    name, inner = _type(field), field.get("spec")
    if name == "collection" and inner:
        given = _typed(value, field, path, zone)
        return _collection(given, inner, path, strict, zone, depth + 1)
    made = _typed(value, field, path, zone)
    if name == "array" and inner:
        made = [
            _item(item, inner, f"{path}[{i}]", strict, zone, depth + 1)
            for i, item in enumerate(made)
        ]
    return made


def _item(item: Any, spec: Any, path: str, strict: bool, zone: tzinfo, depth: int) -> Any:
    """An array's item: its spec is a list of fields, or one field (which may lack its type)."""
    if isinstance(spec, list | tuple):
        if not fields(spec):
            return item
        spec = {"type": "collection", "spec": spec}
    elif not isinstance(spec, Mapping):
        return item
    elif "type" not in spec and spec.get("spec"):
        spec = {**spec, "type": "collection"}
    if depth > MAX_DEPTH:
        raise BundleInvalid(
            field=path,
            reason=f"the data structure is nested deeper than {MAX_DEPTH} levels; flatten it",
        )
    made = _field(item, spec, path, strict, zone, depth)
    return None if made is IGNORE else made


def _stand_in(value: Any, field: Mapping[str, Any], path: str) -> Any:
    default = field.get("default")
    if default is not None and default != "":
        return default
    if field.get("required"):
        shown = "it is missing" if value is IGNORE else f"{show(value)} is no value"
        raise BundleInvalid(
            field=path, reason=f"{shown}, and a value is required; map or type one{_label(field)}"
        )
    return value


def _typed(value: Any, field: Mapping[str, Any], path: str, zone: tzinfo) -> Any:
    name = _type(field)
    try:
        made = coerce(value, name, zone)
    except DataError as error:
        reason = str(error.params.get("reason", error.message))
        shown = "" if show(value) in reason else f" ({show(value)})"
        raise BundleInvalid(
            field=path, reason=f"{reason}{shown}; give a value of type {name}{_label(field)}"
        ) from error
    rules = field.get("validate")
    if isinstance(rules, Mapping) and made is not None:
        _validate(made, rules, path)
    return made


def _validate(value: Any, rules: Mapping[str, Any], path: str) -> None:
    enum = rules.get("enum")
    if isinstance(enum, list) and enum and isinstance(value, str | int | float):
        text = to_text(value)
        options = [to_text(option) for option in enum if isinstance(option, str | int | float)]
        if text not in options:
            shown = ", ".join(option or '""' for option in options[:12])
            raise BundleInvalid(field=path, reason=f"{show(value)} is not one of: {shown}")
    if isinstance(value, list):
        _bounds(len(value), rules, ("minItems", "maxItems"), path, "items")
    elif isinstance(value, str):
        _bounds(len(value), rules, ("min", "max"), path, "characters")
        _pattern(value, rules.get("pattern"), path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _bounds(value, rules, ("min", "max"), path, "")


def _bounds(
    size: float, rules: Mapping[str, Any], names: tuple[str, str], path: str, unit: str
) -> None:
    least, most = (as_number(rules.get(name)) for name in names)
    what = f"it has {size} {unit}" if unit else f"{size} is out of bounds"
    if least is not None and size < least:
        raise BundleInvalid(field=path, reason=f"{what}; the least is {least}")
    if most is not None and size > most:
        raise BundleInvalid(field=path, reason=f"{what}; the most is {most}")


def _pattern(value: str, pattern: Any, path: str) -> None:
    given = pattern.get("regexp") if isinstance(pattern, Mapping) else pattern
    if not isinstance(given, str) or not given:
        return
    try:
        matches = search(given, "", value)
    except DataError as error:
        reason = f"its pattern can't be used: {error.params.get('reason')}"
        raise BundleInvalid(field=path, reason=reason) from error
    if not matches:
        raise BundleInvalid(
            field=path, reason=f"{show(value)} does not match the pattern /{given[:80]}/"
        )


def _unknown(path: str, name: str, value: Any, names: Iterable[str]) -> BundleInvalid:
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "remove it, or add it to the data structure"
    return BundleInvalid(
        field=path,
        reason=f"{show(value)} is for a field that the strict data structure does not have; {hint}",
    )


def _defaults(spec: Any, depth: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for field in fields(spec) if depth <= MAX_DEPTH else ():
        value = field.get("default")
        if value is not None and value != "":
            out[str(field["name"])] = value
        elif _type(field) == "collection":
            inner = _defaults(field.get("spec"), depth + 1)
            if inner:
                out[str(field["name"])] = inner
    return out


def _type(field: Mapping[str, Any]) -> str:
    return str(field.get("type") or "any")


def _is_multiple(field: Mapping[str, Any]) -> bool:
    return bool(field.get("multiple")) and _type(field) not in {"array", "collection"}


def _label(field: Mapping[str, Any]) -> str:
    label = field.get("label")
    return f" [{label}]" if label and label != field.get("name") else ""


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
