"""Custom variables: read, checked and changed; the same for API and command line."""

from __future__ import annotations

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from junctor.app.core import Core
from junctor.errors import NotFound
from junctor.language.variables import check_name, to_stored
from junctor.ports.catalog import Variable

__all__ = ["all_variables", "change", "create", "find", "reads_as", "set_variable", "team_of"]


async def create(
    core: Core,
    organization_id: UUID,
    *,
    actor: str,
    name: str,
    type_name: str,
    value: Any,
    team_id: UUID | None,
) -> Variable:
    """A new variable. `Misconfigured` on a name or value that can't be, `Conflict` if taken."""
    return await core.catalog.create_variable(
        organization_id,
        actor=actor,
        name=check_name(name),
        value=await _stored(core, organization_id, type_name, value),
        team_id=team_id,
    )


async def change(
    core: Core,
    found: Variable,
    *,
    actor: str,
    type_name: str | None,
    value: Any,
    revision: int | None,
) -> Variable:
    """Another value; of the type it has, unless another is named."""
    kind = type_name or str(found.value.get("type"))
    return await core.catalog.update_variable(
        found.organization_id,
        found.id,
        actor=actor,
        revision=revision,
        value=await _stored(core, found.organization_id, kind, value),
    )


async def set_variable(
    core: Core,
    organization_id: UUID,
    *,
    actor: str,
    name: str,
    type_name: str | None,
    value: Any,
    team_id: UUID | None,
) -> Variable:
    """Makes the variable, or gives the one of that name another value."""
    for each in await all_variables(core, organization_id):
        if (each.name, each.team_id) == (name, team_id):
            return await change(
                core, each, actor=actor, type_name=type_name, value=value, revision=None
            )
    return await create(
        core,
        organization_id,
        actor=actor,
        name=name,
        type_name=type_name or "text",
        value=value,
        team_id=team_id,
    )


async def all_variables(core: Core, organization_id: UUID) -> list[Variable]:
    """All of the organisation's and its teams'."""
    out: list[Variable] = []
    cursor = None
    while True:
        page = await core.catalog.variables(organization_id, cursor=cursor, limit=200)
        out.extend(page.items)
        cursor = page.cursor
        if cursor is None:
            return out


async def find(core: Core, organization_id: UUID, name: str, team_id: UUID | None) -> Variable:
    """The variable of that name; `NotFound` names those there are."""
    every = await all_variables(core, organization_id)
    for each in every:
        if (each.name, each.team_id) == (name, team_id):
            return each
    known = ", ".join(sorted(reads_as(each) for each in every)[:20]) or "none"
    raise NotFound(f"There is no such variable '{name}'. There are: {known}.")


async def team_of(core: Core, organization_id: UUID, name: str | None) -> UUID | None:
    """A team by its name; ``None``: the organisation's variables. `NotFound`."""
    if name is None:
        return None
    teams = await core.catalog.teams(organization_id)
    for team in teams:
        if team.name.casefold() == name.casefold():
            return team.id
    known = ", ".join(f"'{team.name}'" for team in teams)
    raise NotFound(f"There is no team '{name}'. There are: {known}.")


def reads_as(found: Variable) -> str:
    """How a mapping names it."""
    scope = "organization" if found.team_id is None else "team"
    return f"var.{scope}.{found.name}"


async def _stored(core: Core, organization_id: UUID, type_name: str, value: Any) -> dict[str, Any]:
    organization = await core.catalog.organization(organization_id)
    return to_stored(type_name, value, zone=ZoneInfo(organization.zone))
