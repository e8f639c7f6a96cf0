"""Pick-lists: what a field may hold, asked of the user's own account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from junctor.app.calling import call_module
from junctor.app.core import Core
from junctor.errors import Misconfigured, NotFound
from junctor.language.forms import schema_of
from junctor.language.values import to_text

__all__ = ["Choice", "choices"]

MOST = 500
"""Choices of one list; whoever has more types the value."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a pick-list."""

    value: Any
    label: str


async def choices(
    core: Core,
    organization_id: UUID,
    module: str,
    field: str,
    *,
    connection_id: UUID,
    values: Mapping[str, Any] | None = None,
) -> list[Choice]:
    """What a module's field may hold, by the search of its connector that it names.

    ``values`` are other fields of the form, for a search that needs them. `NotFound` on an unknown
    module or field, `Misconfigured` if the field has no pick-list; else what the search raises.
    """
    definition = core.registry.find(module)
    if definition is None:
        raise NotFound(what=f"A module {module!r}")
    properties = schema_of(definition).get("properties", {})
    if field not in properties:
        known = ", ".join(properties) or "none"
        raise NotFound(f"{definition.id} has no field '{field}'. It has: {known}.", path="field")
    source = properties[field].get("x-options")
    if source is None:
        raise Misconfigured(f"'{field}' of {definition.id} has no pick-list: type a value.")
    search = core.registry.find(source["module"])
    if search is None:
        raise NotFound(what=f"The search {source['module']!r} behind '{field}'")
    accepted = schema_of(search).get("properties", {})
    given = {name: value for name, value in (values or {}).items() if name in accepted}
    if search.limit_field is not None and search.limit_field in accepted:
        given.setdefault(search.limit_field, MOST)
    called = await call_module(core, organization_id, search, given, connection_id=connection_id)
    rows = []
    for bundle in called.bundles[:MOST]:
        value = _at(bundle, source["value"])
        if value is not None:
            label = _at(bundle, source["label"])
            rows.append(Choice(value, to_text(value if label in {None, ""} else label)))
    return rows


def _at(bundle: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        bundle = bundle.get(key) if isinstance(bundle, Mapping) else None
    return None if isinstance(bundle, Mapping | list) else bundle
