"""Pick-lists inside a form: found by path, and the values that they depend on. Pure.

A path is a field's name, ``lines[].sku`` for a field of every row of an array, ``lines[2].sku`` for
that of the third, ``shipping.country`` for one of a collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from junctor.errors import Misconfigured, NotFound

__all__ = ["Spot", "arguments_of", "find", "pick_lists"]

Schema = Mapping[str, Any]
_ROW = re.compile(r"\[(\d*)\]")


@dataclass(frozen=True, slots=True)
class Spot:
    """A field of a form."""

    schema: Schema
    steps: tuple[str | int | None, ...]
    """The way to it: names, and numbers of rows; ``None``: any row."""


def pick_lists(form: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every pick-list of a form (``x-options``), by its path, those of rows and collections too."""
    if "x-options" in form:
        yield path, form["x-options"]
    for name, field in form.get("properties", {}).items():
        yield from pick_lists(field, f"{path}.{name}" if path else name)
    if isinstance(form.get("items"), Mapping):
        yield from pick_lists(form["items"], f"{path}[]")
    for each in form.get("anyOf", ()):
        yield from pick_lists(each, path)


def find(form: Schema, path: str, *, of: str) -> Spot:
    """The field at a path; ``of`` is what an error calls the form. `NotFound` names those that
    there are where the path ends to be true.
    """
    schema, rest = form, path
    steps: list[str | int | None] = []
    while rest:
        row = _ROW.match(rest)
        if row is not None and "items" in schema:
            # A list of picked values says so itself; each of its values is picked alike.
            above = {key: schema[key] for key in ("x-options",) if key in schema}
            schema = {**above, **schema["items"]}
            steps.append(int(row[1]) if row[1] else None)
            rest = rest[row.end() :].removeprefix(".")
            continue
        fields = _fields(schema)
        # Names of vendors may hold dots and brackets: the longest that fits is meant.
        fits = [name for name in fields if _begins(rest, name)]
        if not fits:
            known = ", ".join(fields) or "none"
            raise NotFound(f"{of} has no field '{path}'. It has: {known}.", path="field")
        name = max(fits, key=len)
        schema = fields[name]
        steps.append(name)
        rest = rest[len(name) :].removeprefix(".")
    items = schema.get("items")
    if "x-options" not in schema and isinstance(items, Mapping) and "x-options" in items:
        schema = items
    return Spot(schema, tuple(steps))


def arguments_of(spot: Spot, values: Mapping[str, Any], *, field: str) -> dict[str, Any]:
    """What the search behind a pick-list is asked with, from what the form holds.

    Other fields are looked up in the row that the path names, then further out. `Misconfigured`
    names what must be chosen first. What the list says itself (``with``) is left as typed.
    """
    source = spot.schema["x-options"]
    known = _around(values, spot.steps)
    given = dict(source.get("with", {}))
    for argument, name in source.get("from", {}).items():
        value = known.get(name)
        mapped = isinstance(value, str) and "{{" in value
        if not mapped and value not in (None, "", [], {}):
            given[argument] = value
        elif name in source.get("needs", ()):
            why = "is mapped, so it is not known yet" if mapped else "must be chosen first"
            raise Misconfigured(f"What '{field}' may hold depends on '{name}', which {why}.")
    return given


def _fields(schema: Schema) -> dict[str, Any]:
    found = dict(schema.get("properties", {}))
    for each in schema.get("anyOf", ()):
        found |= _fields(each)
    return found


def _begins(rest: str, name: str) -> bool:
    return rest.startswith(name) and rest[len(name) : len(name) + 1] in {"", ".", "["}


def _around(values: Mapping[str, Any], steps: Sequence[str | int | None]) -> dict[str, Any]:
    """The fields that one stands among: those of its row in place of outer ones of their names."""
    found: dict[str, Any] = dict(values)
    here: Any = values
    for step in steps[:-1]:
        if isinstance(step, str):
            here = here.get(step) if isinstance(here, Mapping) else None
        else:
            there = isinstance(here, list) and step is not None and step < len(here)
            here = here[step] if there else None
        if isinstance(here, Mapping):
            found |= here
    return found
