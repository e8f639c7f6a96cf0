"""Scenarios: imported from blueprints, bound to connections, found, exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from junctor.app.bindings import Available, choose_connections, needs_of
from junctor.app.core import Core
from junctor.errors import BlueprintInvalid, NotFound
from junctor.language import ids
from junctor.language.blueprint import Imported, dump, load
from junctor.language.scenario import Problem
from junctor.ports.catalog import Scenario

__all__ = [
    "Draft",
    "all_scenarios",
    "export_scenario",
    "find_scenario",
    "import_scenario",
    "save_draft",
]


@dataclass(frozen=True, slots=True)
class Draft:
    """A scenario as saved, and what is left to do before it can run."""

    scenario: Scenario
    missing: list[str] = field(default_factory=list)
    """Connections to add, a line each."""
    problems: list[Problem] = field(default_factory=list)


def read(blueprint: str | bytes | Mapping[str, Any]) -> Imported:
    """A blueprint; `BlueprintInvalid` if it is none, or has nothing in it."""
    imported = load(blueprint)
    if not imported.scenario.flow:
        raise BlueprintInvalid(reason="it has no modules", path="flow")
    return imported


async def import_scenario(
    core: Core,
    organization_id: UUID,
    *,
    actor: str,
    blueprint: str | bytes | Mapping[str, Any],
    name: str | None = None,
    connections: Mapping[str, str] | None = None,
) -> Draft:
    """A new, inactive scenario with the blueprint as its draft."""
    imported = read(blueprint)
    chosen, missing = await _bind(core, organization_id, imported, connections, None)
    scenario = await core.catalog.create_scenario(
        organization_id,
        actor=actor,
        name=(name or imported.scenario.name or "Imported scenario")[:200],
        blueprint=dump(imported.document),
        bindings={"connections": chosen},
    )
    return Draft(scenario, missing, imported.problems)


async def save_draft(
    core: Core,
    organization_id: UUID,
    scenario: Scenario,
    *,
    actor: str,
    blueprint: str | bytes | Mapping[str, Any] | None = None,
    connections: Mapping[str, str] | None = None,
    revision: int | None = None,
) -> Draft:
    """A new version as the draft: another blueprint, other connections, or both."""
    before = await core.catalog.version(organization_id, scenario.id, scenario.draft)
    imported = read(before.blueprint if blueprint is None else blueprint)
    kept = before.bindings.get("connections", {})
    chosen, missing = await _bind(core, organization_id, imported, connections, kept)
    saved = await core.catalog.save_draft(
        organization_id,
        scenario.id,
        actor=actor,
        blueprint=dump(imported.document),
        bindings={**before.bindings, "connections": chosen},
        revision=revision,
    )
    return Draft(saved, missing, imported.problems)


async def export_scenario(
    core: Core, organization_id: UUID, scenario: Scenario, *, version: int | None = None
) -> str:
    """The blueprint's text; the draft's, unless a version is named."""
    found = await core.catalog.version(organization_id, scenario.id, version or scenario.draft)
    return found.blueprint


async def all_scenarios(core: Core, organization_id: UUID) -> list[Scenario]:
    """All of an organisation's scenarios."""
    out: list[Scenario] = []
    cursor = None
    while True:
        page = await core.catalog.scenarios(organization_id, cursor=cursor, limit=200)
        out.extend(page.items)
        cursor = page.cursor
        if cursor is None:
            return out


async def find_scenario(core: Core, organization_id: UUID, text: str) -> Scenario:
    """A scenario by its id, or by its name if only one has it."""
    if text.startswith("scn_"):
        return await core.catalog.scenario(organization_id, ids.read("scn", text))
    found = await all_scenarios(core, organization_id)
    named = [each for each in found if each.name == text]
    named = named or [each for each in found if each.name.casefold() == text.casefold()]
    if len(named) == 1:
        return named[0]
    if named:
        shown = ", ".join(ids.show("scn", each.id) for each in named)
        raise NotFound(f"{len(named)} scenarios are called '{text}'. Take an id: {shown}.")
    known = ", ".join(f"'{each.name}'" for each in found[:20]) or "none"
    raise NotFound(f"There is no scenario '{text}'. There are: {known}.")


async def _bind(
    core: Core,
    organization_id: UUID,
    imported: Imported,
    connections: Mapping[str, str] | None,
    before: Mapping[str, Any] | None,
) -> tuple[dict[str, str], list[str]]:
    needs = needs_of(imported.scenario, core.registry.find, core.registry.connector)
    available: list[Available] = []
    cursor = None
    while needs:
        page = await core.catalog.connections(organization_id, cursor=cursor, limit=200)
        available.extend(
            Available(each.id, each.name, each.connector, refused=each.test_error is not None)
            for each in page.items
        )
        cursor = page.cursor
        if cursor is None:
            break
    chosen = {
        key: _as_uuid(value) if value.startswith("con_") else value
        for key, value in (connections or {}).items()
    }
    return choose_connections(needs, available, chosen=chosen, before=before)


def _as_uuid(text: str) -> str:
    return str(ids.read("con", text))
