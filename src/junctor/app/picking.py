"""Pick-lists: what a field may hold, asked of the user's own account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from junctor.app.calling import call_module
from junctor.app.core import Core
from junctor.errors import Misconfigured, NotFound
from junctor.language.connector import ModuleDef
from junctor.language.expressions import Scope, compile_value
from junctor.language.forms import form_of, schema_of
from junctor.language.picklists import arguments_of, find
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
    connection_id: UUID | None,
    values: Mapping[str, Any] | None = None,
) -> list[Choice]:
    """What a module's field may hold, by the search of its connector that it names.

    ``field`` may be a path (`language.picklists`): ``lines[2].sku``. ``values`` are what the form
    holds so far, for a list that depends on it. A trigger's fields are its hook's. Without a
    connection, lists of Junctor's own things can be asked, such as hooks. `NotFound`
    on an unknown module or field, `Misconfigured` if the field has no pick-list or another one must
    be chosen first; else what the search raises.
    """
    definition = core.registry.find(module)
    if definition is None:
        raise NotFound(what=f"A module {module!r}")
    spot = find(_form(definition), field, of=definition.id)
    source = spot.schema.get("x-options")
    if source is None:
        raise Misconfigured(f"'{field}' of {definition.id} has no pick-list: type a value.")
    search = core.registry.find(source["module"])
    if search is None:
        raise NotFound(what=f"The search {source['module']!r} behind '{field}'")
    asked = arguments_of(spot, values or {}, field=field)
    organization = await core.catalog.organization(organization_id)
    given = _evaluated(asked, list(source.get("with", ())), ZoneInfo(organization.zone))
    if search.limit_field is not None and search.limit_field in schema_of(search)["properties"]:
        given.setdefault(search.limit_field, MOST)
    called = await call_module(core, organization_id, search, given, connection_id=connection_id)
    rows = []
    for bundle in called.bundles[:MOST]:
        value = _at(bundle, source["value"])
        if value is not None:
            label = _at(bundle, source["label"])
            rows.append(Choice(value, to_text(value if label in {None, ""} else label)))
    return rows


def _form(module: ModuleDef) -> Mapping[str, Any]:
    if module.hook is not None and module.hook.settings is not None:
        return form_of(module.hook.settings, connector=module.connector)
    return schema_of(module)


def _evaluated(asked: dict[str, Any], constants: list[str], zone: ZoneInfo) -> dict[str, Any]:
    """The arguments, with those that a connector's author wrote as mappings evaluated now."""
    now = datetime.now(UTC)
    scope = Scope(now=lambda: now, random=lambda: 0.0, uuid=lambda: "", zone=zone)
    return asked | {name: compile_value(asked[name], {})([scope]) for name in constants}


def _at(bundle: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        bundle = bundle.get(key) if isinstance(bundle, Mapping) else None
    return None if isinstance(bundle, Mapping | list) else bundle
