"""App hooks: the one address of an app at a vendor, and the scenarios it feeds."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from junctor.app import app_hooks as service
from junctor.app.api.http import (
    ApiRequest,
    IfMatch,
    Page,
    based_on,
    core_of,
    read_id,
    tagged,
)
from junctor.app.core import Core
from junctor.app.logs import redact
from junctor.language import ids
from junctor.ports.catalog_apps import AppHook

__all__ = ["AppHookView", "router", "view"]


class FeedView(msgspec.Struct, kw_only=True):
    """A scenario with a trigger of the app; ``why_not`` says what keeps events from it."""

    scenario: str
    name: str
    trigger: str
    hook: str
    connection: str
    account: str
    fed: bool
    why_not: str


class AppHookView(msgspec.Struct, kw_only=True):
    """An app's address. Its ``url`` is entered at the vendor, as ``help`` says."""

    id: str
    connector: str
    app: str
    url: str
    help: str
    settings: dict[str, Any]
    enabled: bool
    feeds: list[FeedView]
    delivered: int
    unwanted: int
    refused: int
    refused_reason: str | None
    last_at: datetime | None
    revision: int
    created_at: datetime
    updated_at: datetime


class NewAppHook(msgspec.Struct, forbid_unknown_fields=True):
    """Whose app: a connection by it."""

    connection: str


class AppHookChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; an address that is not enabled answers 404. ``values`` are fields of its
    form: one that is not named stays as it is, ``null`` takes it back to its default.
    """

    enabled: bool | None = None
    values: dict[str, Any] | None = None


async def view(core: Core, found: AppHook) -> AppHookView:
    """What the API shows of an app's address."""
    return AppHookView(
        id=ids.show("app", found.id),
        connector=found.connector,
        app=found.app,
        url=service.url(core, found),
        help=service.definition_of(core, found.connector).help,
        settings=redact(dict(found.settings)),
        enabled=found.enabled,
        feeds=[
            FeedView(
                scenario=ids.show("scn", feed.scenario_id),
                name=feed.scenario,
                trigger=feed.trigger,
                hook=ids.show("hok", feed.hook_id),
                connection=feed.connection,
                account=feed.account,
                fed=feed.fed,
                why_not=feed.why_not,
            )
            for feed in await service.feeds(core, found)
        ],
        delivered=found.delivered,
        unwanted=found.unwanted,
        refused=found.refused,
        refused_reason=found.refused_reason,
        last_at=found.last_at,
        revision=found.revision,
        created_at=found.created_at,
        updated_at=found.updated_at,
    )


@get("/app-hooks", summary="List app hooks")
async def list_app_hooks(request: ApiRequest) -> Page[AppHookView]:
    """The addresses of all apps, oldest first."""
    core = core_of(request)
    found = await core.catalog.app_hooks(request.user.organization_id)
    return Page([await view(core, each) for each in found], None)


@post("/app-hooks", status_code=200, summary="The address of an app")
async def ensure_app_hook(request: ApiRequest, data: JSONBody[NewAppHook]) -> Response[AppHookView]:
    """The address of the app that a connection stands for; made if there is none yet."""
    core = core_of(request)
    connection = await core.catalog.connection(
        request.user.organization_id, read_id("con", data.connection)
    )
    found = await service.ensure(core, connection, actor=request.user.actor)
    return tagged(await view(core, found), found.revision)


@get("/app-hooks/{app_hook_id:str}", summary="An app hook")
async def read_app_hook(request: ApiRequest, app_hook_id: FromPath[str]) -> Response[AppHookView]:
    """One app's address."""
    core = core_of(request)
    found = await core.catalog.app_hook(request.user.organization_id, read_id("app", app_hook_id))
    return tagged(await view(core, found), found.revision)


@patch("/app-hooks/{app_hook_id:str}", summary="Change an app hook")
async def change_app_hook(
    request: ApiRequest,
    app_hook_id: FromPath[str],
    data: JSONBody[AppHookChange],
    if_match: IfMatch = None,
) -> Response[AppHookView]:
    """Stops and starts receiving, or changes the address's settings."""
    core = core_of(request)
    read = partial(core.catalog.app_hook, request.user.organization_id, read_id("app", app_hook_id))
    async with based_on(if_match, read) as expected:
        found = await read()
        found = await service.change(
            core,
            found,
            actor=request.user.actor,
            revision=expected,
            enabled=data.enabled,
            values=data.values,
        )
    return tagged(await view(core, found), found.revision)


@delete("/app-hooks/{app_hook_id:str}", status_code=204, summary="Delete an app hook")
async def delete_app_hook(
    request: ApiRequest, app_hook_id: FromPath[str], if_match: IfMatch = None
) -> None:
    """Its address is gone from then on; the next one of the app is another."""
    organization_id, found_id = request.user.organization_id, read_id("app", app_hook_id)
    catalog = core_of(request).catalog
    read = partial(catalog.app_hook, organization_id, found_id)
    async with based_on(if_match, read) as expected:
        await catalog.delete_app_hook(
            organization_id, found_id, actor=request.user.actor, revision=expected
        )


router = Router(
    path="/",
    tags=["hooks"],
    route_handlers=[
        list_app_hooks,
        ensure_app_hook,
        read_app_hook,
        change_app_hook,
        delete_app_hook,
    ],
)
