"""Hooks: our addresses that receive."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody

from junctor.app import hooks as service
from junctor.app.api.http import (
    ApiRequest,
    Cursor,
    IfMatch,
    Limit,
    Page,
    based_on,
    core_of,
    read_id,
    tagged,
)
from junctor.app.core import Core
from junctor.app.logs import redact
from junctor.language import ids
from junctor.ports import catalog

__all__ = ["HookView", "router", "view"]


class HookView(msgspec.Struct, kw_only=True):
    """A hook. Its ``url`` is what the sender needs. ``secrets`` names those that are set; what
    they are is never sent.
    """

    id: str
    name: str
    connector: str
    kind: str
    url: str
    scenario: str | None
    module: int | None
    connection: str | None
    settings: dict[str, Any]
    secrets: list[str]
    registered: bool
    registration_error: str | None
    enabled: bool
    refused: int
    revision: int
    created_at: datetime
    updated_at: datetime


class HookChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; a hook that is not enabled answers 404.

    ``values`` are fields of the trigger's form, secrets included: one that is not named stays as
    it is, ``null`` takes it back to its default.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    enabled: bool | None = None
    values: dict[str, Any] | None = None


async def view(core: Core, found: catalog.Hook) -> HookView:
    """What the API shows of a hook."""
    return HookView(
        id=ids.show("hok", found.id),
        name=found.name,
        connector=found.connector,
        kind=found.kind,
        url=core.registrations.url(found),
        scenario=ids.show("scn", found.scenario_id) if found.scenario_id else None,
        module=found.module,
        connection=ids.show("con", found.connection_id) if found.connection_id else None,
        settings=redact(dict(found.settings)),
        secrets=await service.secret_names(core, found),
        registered=found.registration is not None,
        registration_error=found.registration_error,
        enabled=found.enabled,
        refused=found.refused,
        revision=found.revision,
        created_at=found.created_at,
        updated_at=found.updated_at,
    )


@get("/hooks", summary="List hooks")
async def list_hooks(
    request: ApiRequest,
    scenario: FromQuery[str | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[HookView]:
    """Hooks, newest first."""
    core = core_of(request)
    page = await core.catalog.hooks(
        request.user.organization_id,
        scenario_id=read_id("scn", scenario) if scenario else None,
        cursor=cursor,
        limit=limit,
    )
    return Page([await view(core, hook) for hook in page.items], page.cursor)


@get("/hooks/{hook_id:str}", summary="A hook")
async def read_hook(request: ApiRequest, hook_id: FromPath[str]) -> Response[HookView]:
    """One hook."""
    core = core_of(request)
    found = await core.catalog.hook(request.user.organization_id, read_id("hok", hook_id))
    return tagged(await view(core, found), found.revision)


@patch("/hooks/{hook_id:str}", summary="Change a hook")
async def change_hook(
    request: ApiRequest,
    hook_id: FromPath[str],
    data: JSONBody[HookChange],
    if_match: IfMatch = None,
) -> Response[HookView]:
    """Renames it, stops and starts receiving, or changes its settings and secrets."""
    core = core_of(request)
    read = partial(core.catalog.hook, request.user.organization_id, read_id("hok", hook_id))
    async with based_on(if_match, read) as expected:
        found = await read()
        found = await service.change_hook(
            core,
            found,
            actor=request.user.actor,
            revision=expected,
            name=data.name,
            enabled=data.enabled,
            values=data.values,
        )
    return tagged(await view(core, found), found.revision)


@post(
    "/hooks/{hook_id:str}/learn",
    status_code=200,
    summary="Learn a structure",
)
async def start_learning(request: ApiRequest, hook_id: FromPath[str]) -> Response[HookView]:
    """Keeps the structure of the hook's next delivery, in its setting `structure`."""
    return await _learning(request, hook_id, learning=True)


@delete("/hooks/{hook_id:str}/learn", status_code=200, summary="Stop learning")
async def stop_learning(request: ApiRequest, hook_id: FromPath[str]) -> Response[HookView]:
    """Leaves the structure as it is."""
    return await _learning(request, hook_id, learning=False)


async def _learning(request: ApiRequest, hook_id: str, *, learning: bool) -> Response[HookView]:
    core = core_of(request)
    found = await core.catalog.hook(request.user.organization_id, read_id("hok", hook_id))
    found = await service.set_learning(core, found, learning, actor=request.user.actor)
    return tagged(await view(core, found), found.revision)


router = Router(
    path="/",
    tags=["hooks"],
    route_handlers=[list_hooks, read_hook, change_hook, start_learning, stop_learning],
)
