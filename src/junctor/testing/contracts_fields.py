"""What every field of a form must tell who fills it: its unit, and what belongs there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from junctor.language.connector import ModuleDef
from junctor.language.forms import schema_of

__all__ = ["check_units", "fields_of", "unexplained"]

_MEASURES = re.compile(
    r"duration|timeout|interval|delay|buffer|seconds?|minutes?|hours?|validity|ttl"
    r"|amount|price|cost|fee|monetary|revenue|currency_?value|balance",
    re.IGNORECASE,
)
"""Names of what is measured: time and money."""
_UNITS = re.compile(
    r"second|minute|hour|\bdays?\b|week|month|year|currenc|dollar|euro|\bcents?\b|percent|\bunit\b",
    re.IGNORECASE,
)
_TEXT_TOO = re.compile(r"(duration|timeout|interval|delay|amount|price|cost)$", re.IGNORECASE)
"""Names of texts that hold a number: where a vendor wants money as text, say."""


def fields_of(module: ModuleDef) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every field of a module's form with its dotted name, those of rows and collections, too."""
    yield from _below(schema_of(module), "")


def _below(schema: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    properties = schema.get("properties")
    for key, field in properties.items() if isinstance(properties, Mapping) else ():
        yield prefix + key, field
        yield from _below(field, f"{prefix}{key}.")
        rows = field.get("items")
        if isinstance(rows, Mapping):
            yield from _below(rows, f"{prefix}{key}[].")


def check_units(module: ModuleDef) -> None:
    """A field that takes a time span or money says in label or help in which unit.

    Not asked of modules from a catalogue: their forms are the vendor's.
    """
    if module.generated:
        return
    fields = dict(fields_of(module))
    for name, field in fields.items():
        last = name.rpartition(".")[2]
        kind = field.get("type")
        measured = (kind in {"number", "integer"} and _MEASURES.search(last)) or (
            kind == "string" and "enum" not in field and _TEXT_TOO.search(last)
        )
        said = f"{field.get('title', '')} {field.get('description', '')}"
        assert not measured or _UNITS.search(said), (
            f"the field {name!r} takes a time span or money; say in its help in which unit, such "
            "as seconds or US dollars"
        )


def unexplained(module: ModuleDef) -> list[str]:
    """Fields that say no more than their label: no help, example, format, choice or pick-list."""
    return [name for name, field in fields_of(module) if not _explained(field)]


def _explained(field: Mapping[str, Any]) -> bool:
    rows = field.get("items")
    inner = rows if isinstance(rows, Mapping) else {}
    return bool(
        field.get("description")
        or any(key in field for key in ("x-options", "x-example", "enum", "format"))
        or field.get("type") == "boolean"
        or "enum" in inner
        or inner.get("type") == "object"  # its own fields say it
        or field.get("properties")
    )
