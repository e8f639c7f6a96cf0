"""Custom variables: `var.organization.…` and `var.team.…`."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, Literal

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from junctor.app import variables as service
from junctor.app.api.http import (
    ApiRequest,
    Cursor,
    IfMatch,
    Limit,
    Page,
    based_on,
    core_of,
    page_of,
    read_id,
    tagged,
)
from junctor.language import ids
from junctor.ports import catalog

__all__ = ["router"]

VariableType = Literal["text", "number", "boolean", "date"]


class VariableView(msgspec.Struct):
    """A variable; ``team`` is null for the organisation's."""

    id: str
    name: str
    team: str | None
    type: str
    value: Any
    reads_as: str
    revision: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


class NewVariable(msgspec.Struct, forbid_unknown_fields=True):
    """A variable to make; without ``team`` it is the organisation's."""

    name: str
    value: Any
    type: VariableType = "text"
    team: str | None = None


class VariableChange(msgspec.Struct, forbid_unknown_fields=True):
    """Another value, and perhaps another type."""

    value: Any
    type: VariableType | None = None


def view(found: catalog.Variable) -> VariableView:
    """What the API shows of a variable."""
    return VariableView(
        id=ids.show("var", found.id),
        name=found.name,
        team=ids.show("team", found.team_id) if found.team_id else None,
        type=str(found.value.get("type")),
        value=found.value.get("value"),
        reads_as=service.reads_as(found),
        revision=found.revision,
        created_at=found.created_at,
        created_by=found.created_by,
        updated_at=found.updated_at,
        updated_by=found.updated_by,
    )


@get("/variables", summary="List variables")
async def list_variables(
    request: ApiRequest, cursor: Cursor = None, limit: Limit = 50
) -> Page[VariableView]:
    """Custom variables of the organisation and its teams, newest first."""
    page = await core_of(request).catalog.variables(
        request.user.organization_id, cursor=cursor, limit=limit
    )
    return page_of(page, view)


@post("/variables", summary="Make a variable")
async def create_variable(
    request: ApiRequest, data: JSONBody[NewVariable]
) -> Response[VariableView]:
    """A new variable, read by runs that begin from now on."""
    found = await service.create(
        core_of(request),
        request.user.organization_id,
        actor=request.user.actor,
        name=data.name,
        type_name=data.type,
        value=data.value,
        team_id=read_id("team", data.team) if data.team else None,
    )
    return tagged(view(found), found.revision, status=201)


@get("/variables/{variable_id:str}", summary="A variable")
async def read_variable(request: ApiRequest, variable_id: FromPath[str]) -> Response[VariableView]:
    """One variable."""
    found = await _find(request, variable_id)
    return tagged(view(found), found.revision)


@patch("/variables/{variable_id:str}", summary="Change a variable")
async def change_variable(
    request: ApiRequest,
    variable_id: FromPath[str],
    data: JSONBody[VariableChange],
    if_match: IfMatch = None,
) -> Response[VariableView]:
    """Gives it another value; runs that have begun keep the one they read."""
    async with based_on(if_match, partial(_find, request, variable_id)) as expected:
        found = await _find(request, variable_id)
        found = await service.change(
            core_of(request),
            found,
            actor=request.user.actor,
            type_name=data.type,
            value=data.value,
            revision=expected,
        )
    return tagged(view(found), found.revision)


@delete("/variables/{variable_id:str}", summary="Delete a variable")
async def delete_variable(
    request: ApiRequest, variable_id: FromPath[str], if_match: IfMatch = None
) -> None:
    """Mappings that read it find nothing from then on."""
    async with based_on(if_match, partial(_find, request, variable_id)) as expected:
        await core_of(request).catalog.delete_variable(
            request.user.organization_id,
            read_id("var", variable_id),
            actor=request.user.actor,
            revision=expected,
        )


async def _find(request: ApiRequest, variable_id: str) -> catalog.Variable:
    return await core_of(request).catalog.variable(
        request.user.organization_id, read_id("var", variable_id)
    )


router = Router(
    path="/",
    tags=["variables"],
    route_handlers=[
        list_variables,
        create_variable,
        read_variable,
        change_variable,
        delete_variable,
    ],
)
