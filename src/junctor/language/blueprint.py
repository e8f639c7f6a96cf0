"""Make's blueprint JSON ↔ `Scenario`, lossless.

The document is kept as it came, wrappers, unknown keys and number spellings included, and is what
is exported. The scenario is a typed reading of it. To change a blueprint, change its document
(`set_parameter`, `set_at`) and load it again.

Ours, kept under keys that Make ignores: ``metadata.junctor.orderKey`` of the blueprint
(`Settings.order_key`) and ``metadata.junctor.lanes`` of a module (`Module.lanes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from junctor.errors import BlueprintInvalid
from junctor.language.blueprint_needs import Requirement, requirements
from junctor.language.blueprint_place import (
    blueprint_of,
    find,
    module_at,
    placed,
    set_at,
    set_parameter,
)
from junctor.language.blueprint_read import Reader
from junctor.language.lossless import dumps, loads, path_text
from junctor.language.scenario import Problem, Scenario

__all__ = [
    "Imported",
    "Requirement",
    "blueprint_of",
    "dump",
    "load",
    "module_at",
    "placed",
    "requirements",
    "set_at",
    "set_parameter",
]


@dataclass(frozen=True, slots=True)
class Imported:
    """A blueprint as read."""

    scenario: Scenario
    document: Any
    """The raw value, lossless: store this (as `dump` writes it), not the scenario."""
    problems: list[Problem] = field(default_factory=list)
    """What was found on the way; those of severity error left something out of the scenario."""
    path: str = "$"
    """Where the blueprint stands in the document; a module is at ``path + "." + Module.path``."""
    renamed: list[tuple[str, str, str]] = field(default_factory=list)
    """Modules with invented names: path, name as written, the module each is read as."""


def load(data: Any) -> Imported:
    """Reads a blueprint: bytes or text of JSON, or a document already read.

    Accepts a plain export, the API's wrapper (``{code, response: {blueprint, scheduling}}``), the
    canvas clipboard (``{subflows}``), and JSON texts in place of objects, as the API sends them.
    `BlueprintInvalid` if it is no JSON (``line``, ``column``) or no blueprint (``problems``).
    """
    problems: list[Problem] = []
    document = data
    if isinstance(data, bytes | str):
        read = loads(data)
        document = read.value
        problems += read.problems
    place = find(document)
    reader = Reader(place)
    try:
        scenario = reader.scenario()
    except RecursionError:  # a value not read by `loads`, which limits the depth
        raise BlueprintInvalid(reason="it is nested too deeply") from None
    return Imported(
        scenario=scenario,
        document=document,
        problems=[*problems, *place.problems, *reader.problems],
        path=path_text(place.path),
        renamed=reader.renamed,
    )


def dump(document: Any, indent: int | None = 4) -> str:
    """The export: the same JSON value that was imported, numbers as they were spelled."""
    return dumps(document, indent)
