"""Connectors on offer, and the organisation's connections."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody

from junctor.app import connections as service
from junctor.app.api.envelope import Failure
from junctor.app.api.http import (
    ApiRequest,
    Cursor,
    IfMatch,
    Limit,
    Page,
    core_of,
    lost,
    page_of,
    read_id,
    revision_of,
    tagged,
)
from junctor.app.logs import redact
from junctor.app.picking import choices
from junctor.errors import Conflict, Misconfigured, NotFound
from junctor.language import forms, ids
from junctor.language.connector import Connector, ModuleDef
from junctor.ports import catalog

__all__ = ["router"]


class ConnectionView(msgspec.Struct):
    """A connection. Its secrets are never sent."""

    id: str
    name: str
    connector: str
    kind: str
    base_url: str
    settings: dict[str, Any]
    tested_at: datetime | None
    test_error: str | None
    revision: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


class NewConnection(msgspec.Struct, forbid_unknown_fields=True):
    """A connection to make; ``values`` are the fields of its form, secrets included."""

    connector: str
    values: dict[str, Any]
    name: str = ""
    kind: str | None = None
    base_url: str | None = None


class ConnectionChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change. Another base URL needs ``values`` again: secrets are sealed to it."""

    name: str | None = None
    base_url: str | None = None
    values: dict[str, Any] | None = None


class OptionsAsked(msgspec.Struct, forbid_unknown_fields=True):
    """Whose pick-list. ``values`` are other fields of the form, if the list depends on them."""

    module: str
    field: str
    values: dict[str, Any] = {}


class Option(msgspec.Struct):
    """One line of a pick-list."""

    value: Any
    label: str


class Options(msgspec.Struct):
    """A pick-list."""

    options: list[Option]


class ModuleView(msgspec.Struct):
    """A module on offer, with its form as JSON Schema."""

    id: str
    name: str
    label: str
    kind: str
    help: str
    schema: dict[str, Any]


class ConnectorSummary(msgspec.Struct):
    """A connector in a list."""

    name: str
    label: str
    help: str
    modules: int


class ConnectorView(msgspec.Struct):
    """A connector with its modules and the forms of its connections."""

    name: str
    label: str
    help: str
    docs: str
    modules: list[ModuleView]
    connections: dict[str, dict[str, Any]]


def view(found: catalog.Connection) -> ConnectionView:
    """What the API shows of a connection."""
    return ConnectionView(
        id=ids.show("con", found.id),
        name=found.name,
        connector=found.connector,
        kind=found.kind,
        base_url=found.base_url,
        settings=redact(dict(found.settings)),
        tested_at=found.tested_at,
        test_error=found.test_error,
        revision=found.revision,
        created_at=found.created_at,
        created_by=found.created_by,
        updated_at=found.updated_at,
        updated_by=found.updated_by,
    )


@get("/connectors", summary="List connectors")
async def list_connectors(request: ApiRequest) -> Page[ConnectorSummary]:
    """Every connector installed here."""
    found = sorted(core_of(request).registry.connectors(), key=lambda each: each.name)
    return Page(
        items=[
            ConnectorSummary(each.name, each.label, each.help, len(each.modules)) for each in found
        ]
    )


@get("/connectors/{name:str}", summary="A connector")
async def read_connector(request: ApiRequest, name: FromPath[str]) -> ConnectorView:
    """A connector with its modules' forms."""
    found = core_of(request).registry.connector(name)
    if found is None:
        raise NotFound(f"There is no connector '{name[:60]}'.")
    return ConnectorView(
        name=found.name,
        label=found.label,
        help=found.help,
        docs=found.docs,
        modules=[_module(module) for module in found.modules.values()],
        connections={kind: _form(found, kind) for kind in found.connections},
    )


def _module(module: ModuleDef) -> ModuleView:
    schema = dict(forms.schema_of(module))
    return ModuleView(module.id, module.name, module.label, module.kind, module.help, schema)


def _form(connector: Connector, kind: str) -> dict[str, Any]:
    form = connector.connections[kind].form
    return dict(forms.form_of(form, connector=connector.name))


@get("/connections", summary="List connections")
async def list_connections(
    request: ApiRequest,
    connector: FromQuery[str | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ConnectionView]:
    """Connections, newest first."""
    page = await core_of(request).catalog.connections(
        request.user.organization_id, connector=connector, cursor=cursor, limit=limit
    )
    return page_of(page, view)


@post("/connections", summary="Add a connection")
async def add_connection(
    request: ApiRequest, data: JSONBody[NewConnection]
) -> Response[ConnectionView]:
    """Saves an account; its secrets are sealed at once."""
    made = await service.add_connection(
        core_of(request),
        request.user.organization_id,
        actor=request.user.actor,
        name=data.name,
        connector=data.connector,
        kind=data.kind,
        base_url=_base_url(data.base_url),
        values=data.values,
    )
    return tagged(view(made), made.revision, status=201)


@get("/connections/{connection_id:str}", summary="A connection")
async def read_connection(
    request: ApiRequest, connection_id: FromPath[str]
) -> Response[ConnectionView]:
    """One connection."""
    found = await _find(request, connection_id)
    return tagged(view(found), found.revision)


@patch("/connections/{connection_id:str}", summary="Change a connection")
async def change_connection(
    request: ApiRequest,
    connection_id: FromPath[str],
    data: JSONBody[ConnectionChange],
    if_match: IfMatch = None,
) -> Response[ConnectionView]:
    """Changes its name, its address or its account."""
    expected = revision_of(if_match)
    found = await _find(request, connection_id)
    if data.base_url not in {None, found.base_url} and data.values is None:
        raise Misconfigured(
            "Another base URL needs the secrets again: give values too.", path="values"
        )
    try:
        changed = await service.change_connection(
            core_of(request),
            request.user.organization_id,
            found,
            actor=request.user.actor,
            revision=expected,
            name=data.name,
            base_url=_base_url(data.base_url),
            values=data.values,
        )
    except Conflict as error:
        raise lost(error, expected, (await _find(request, connection_id)).revision) from error
    return tagged(view(changed), changed.revision)


@delete("/connections/{connection_id:str}", summary="Remove a connection")
async def remove_connection(
    request: ApiRequest, connection_id: FromPath[str], if_match: IfMatch = None
) -> None:
    """Removes a connection that nothing uses."""
    expected = revision_of(if_match)
    try:
        await core_of(request).catalog.delete_connection(
            request.user.organization_id,
            read_id("con", connection_id),
            actor=request.user.actor,
            revision=expected,
        )
    except Conflict as error:
        raise lost(error, expected, (await _find(request, connection_id)).revision) from error


@post("/connections/{connection_id:str}/test", summary="Test a connection", status_code=200)
async def test_connection(request: ApiRequest, connection_id: FromPath[str]) -> ConnectionView:
    """Sends the connector's test request now; ``test_error`` says what went wrong."""
    found = await _find(request, connection_id)
    tested = await service.test_connection(
        core_of(request), request.user.organization_id, found, actor=request.user.actor
    )
    return view(tested)


@post("/connections/{connection_id:str}/options", summary="A pick-list", status_code=200)
async def list_options(
    request: ApiRequest, connection_id: FromPath[str], data: JSONBody[OptionsAsked]
) -> Options:
    """What a field of a module may hold, asked of the account now."""
    found = await _find(request, connection_id)
    rows = await choices(
        core_of(request),
        request.user.organization_id,
        data.module,
        data.field,
        connection_id=found.id,
        values=data.values,
    )
    return Options([Option(row.value, row.label) for row in rows])


async def _find(request: ApiRequest, connection_id: str) -> catalog.Connection:
    return await core_of(request).catalog.connection(
        request.user.organization_id, read_id("con", connection_id)
    )


def _base_url(url: str | None) -> str | None:
    if url is not None and not url.startswith(("https://", "http://")):
        raise Failure(422, "A base URL begins with https:// or http://.", path="body.base_url")
    return url


router = Router(
    path="/",
    tags=["connections"],
    route_handlers=[
        list_connectors,
        read_connector,
        list_connections,
        add_connection,
        read_connection,
        change_connection,
        remove_connection,
        test_connection,
        list_options,
    ],
)
