"""The organisation's connections."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody

from junctor.adapters.postgres.connections import State
from junctor.app import care
from junctor.app import connections as service
from junctor.app.api.envelope import Failure
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
from junctor.app.callback import cookie_header
from junctor.app.core import Core
from junctor.app.logs import redact
from junctor.app.picking import choices
from junctor.errors import Misconfigured
from junctor.language import ids
from junctor.ports import catalog
from junctor.runtime.authorizing import LIFETIME

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
    reconnect: str | None
    """Why it must be connected anew; null: it need not, as far as is known."""
    reconnect_since: datetime | None
    authorized: bool | None
    """Whether its owner has allowed it; null: its kind needs no authorisation."""
    account: str | None
    """Whose account it is, if the vendor said so when it was authorised."""


class DayView(msgspec.Struct):
    """What was sent on one day (UTC). Bytes are those of bodies."""

    day: date
    requests: int
    failed: int
    refused: int
    sent: int
    received: int


class KeyView(msgspec.Struct):
    """How old the key is, and when to change it."""

    set_at: datetime
    age_days: int
    remind_days: int
    remind_at: datetime | None
    due: bool


class BudgetView(msgspec.Struct):
    """One of the vendor's limits for it, and what is known of its use in the present window."""

    name: str
    limit: int
    window_seconds: float
    spent: int
    leased: int
    others: int
    """What somebody else spent of it, as far as the vendor's answers show."""
    refused: int
    paused_seconds: float


class ConnectionDetail(ConnectionView):
    """A connection with what it knows about itself."""

    expires_at: datetime | None
    """When its access token ends; it is renewed before."""
    key: KeyView
    usage: list[DayView]
    budgets: list[BudgetView]
    alerts: list[str]


class RequestView(msgspec.Struct):
    """One request that was sent with a connection. Values of its query are left out."""

    at: datetime
    run: str | None
    method: str
    url: str
    status: int | None
    error: str | None
    milliseconds: float
    sent: int
    received: int


class Authorize(msgspec.Struct, forbid_unknown_fields=True):
    """How to authorise."""

    browser: bool = False
    """Whether the caller is the browser that goes there: then only it can come back."""
    switch: bool = False
    """Whether the vendor's account may be another one than before."""


class AuthorizeView(msgspec.Struct):
    """Where a person allows it, within ten minutes."""

    url: str
    callback_url: str
    """What the app at the vendor must name as its redirect address."""


class Rotation(msgspec.Struct, forbid_unknown_fields=True):
    """New secrets, by field."""

    values: dict[str, Any] = msgspec.field(default_factory=dict)


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
    remind_days: int | None = None
    """Days after which the key is due for a change; 0: never."""


class OptionsAsked(msgspec.Struct, forbid_unknown_fields=True):
    """Whose pick-list: ``field`` may be a path, ``lines[2].sku``. ``values`` is what the form holds
    so far, for a list that depends on it.
    """

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


def _fields(core: Core, found: catalog.Connection, state: State) -> dict[str, Any]:
    connector = core.registry.connector(found.connector)
    definition = connector.connections.get(found.kind) if connector is not None else None
    asks = definition is not None and definition.oauth is not None
    return {
        "id": ids.show("con", found.id),
        "name": found.name,
        "connector": found.connector,
        "kind": found.kind,
        "base_url": found.base_url,
        "settings": redact(dict(found.settings)),
        "tested_at": found.tested_at,
        "test_error": found.test_error,
        "revision": found.revision,
        "created_at": found.created_at,
        "created_by": found.created_by,
        "updated_at": found.updated_at,
        "updated_by": found.updated_by,
        "reconnect": None if state.broken_at is None else redact(state.broken_reason),
        "reconnect_since": state.broken_at,
        "authorized": state.authorized if asks else None,
        "account": state.account,
    }


async def shown(request: ApiRequest, found: catalog.Connection) -> ConnectionView:
    """What the API shows of a connection."""
    core = core_of(request)
    return ConnectionView(**_fields(core, found, await care.state_of(core, found)))


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
    states = await care.states_of(
        core_of(request), request.user.organization_id, [each.id for each in page.items]
    )
    # One that went meanwhile is left out.
    items = [each for each in page.items if each.id in states]
    page = replace(page, items=items)
    return page_of(
        page, lambda each: ConnectionView(**_fields(core_of(request), each, states[each.id]))
    )


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
    return tagged(await shown(request, made), made.revision, status=201)


@get("/connections/{connection_id:str}", summary="A connection")
async def read_connection(
    request: ApiRequest, connection_id: FromPath[str]
) -> Response[ConnectionDetail]:
    """One connection, with the age of its key, its usage, and what is unusual in it."""
    core, found = core_of(request), await _find(request, connection_id)
    state, usage = await care.state_of(core, found), await care.usage_of(core, found)
    now = datetime.now(UTC)
    detail = ConnectionDetail(
        **_fields(core, found, state),
        expires_at=state.expires_at,
        key=msgspec.convert(care.key_of(state, now), KeyView, from_attributes=True),
        usage=msgspec.convert(care.days_of(usage), list[DayView], from_attributes=True),
        budgets=msgspec.convert(await care.budgets_of(core, found), list[BudgetView]),
        alerts=care.alerts_of(usage, now),
    )
    return tagged(detail, found.revision)


@patch("/connections/{connection_id:str}", summary="Change a connection")
async def change_connection(
    request: ApiRequest,
    connection_id: FromPath[str],
    data: JSONBody[ConnectionChange],
    if_match: IfMatch = None,
) -> Response[ConnectionView]:
    """Changes its name, its address or its account."""
    async with based_on(if_match, partial(_find, request, connection_id)) as expected:
        found = await _find(request, connection_id)
        if data.base_url not in {None, found.base_url} and data.values is None:
            raise Misconfigured(
                "Another base URL needs the secrets again: give values too.", path="values"
            )
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
    if data.remind_days is not None:
        await care.remind(core_of(request), changed, data.remind_days)
    return tagged(await shown(request, changed), changed.revision)


@delete("/connections/{connection_id:str}", summary="Remove a connection")
async def remove_connection(
    request: ApiRequest, connection_id: FromPath[str], if_match: IfMatch = None
) -> None:
    """Removes a connection that nothing uses."""
    async with based_on(if_match, partial(_find, request, connection_id)) as expected:
        await core_of(request).catalog.delete_connection(
            request.user.organization_id,
            read_id("con", connection_id),
            actor=request.user.actor,
            revision=expected,
        )


@post("/connections/{connection_id:str}/test", summary="Test a connection", status_code=200)
async def test_connection(request: ApiRequest, connection_id: FromPath[str]) -> ConnectionView:
    """Sends the connector's test request now; ``test_error`` says what went wrong."""
    found = await _find(request, connection_id)
    tested = await service.test_connection(
        core_of(request), request.user.organization_id, found, actor=request.user.actor
    )
    return await shown(request, tested)


@post("/connections/{connection_id:str}/authorize", summary="Authorise a connection")
async def authorize_connection(
    request: ApiRequest, connection_id: FromPath[str], data: JSONBody[Authorize]
) -> Response[AuthorizeView]:
    """Gives the address of the vendor's page on which its owner allows it (OAuth 2.0)."""
    core, found = core_of(request), await _find(request, connection_id)
    redirect_uri = care.callback_url(core.settings)
    start = await care.authorizing(core).begin(
        request.user.organization_id,
        found.id,
        redirect_uri=redirect_uri,
        actor=request.user.actor,
        browser=data.browser,
        switch=data.switch,
    )
    headers = {"cache-control": "no-store"}
    if start.cookie is not None:
        headers["set-cookie"] = cookie_header(core.settings.public_url, start.cookie, LIFETIME)
    return Response(
        AuthorizeView(url=start.url, callback_url=redirect_uri), status_code=200, headers=headers
    )


@post("/connections/{connection_id:str}/rotate", summary="Rotate a secret", status_code=200)
async def rotate_connection(
    request: ApiRequest,
    connection_id: FromPath[str],
    data: JSONBody[Rotation],
    if_match: IfMatch = None,
) -> Response[ConnectionView]:
    """Tests new secrets and puts them in the old ones' place only if they work."""
    async with based_on(if_match, partial(_find, request, connection_id)) as expected:
        found = await _find(request, connection_id)
        changed = await care.rotate(
            core_of(request),
            found,
            actor=request.user.actor,
            values=data.values,
            revision=expected,
        )
    return tagged(await shown(request, changed), changed.revision)


@get("/connections/{connection_id:str}/requests", summary="A connection's last requests")
async def list_requests(
    request: ApiRequest,
    connection_id: FromPath[str],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[RequestView]:
    """The last requests sent with it, newest first; secrets and values of queries left out."""
    found = await _find(request, connection_id)
    before = ids.read("req", cursor) if cursor is not None else None
    rows = await care.requests_of(core_of(request), found, before=before, limit=limit)
    return Page(
        items=[
            RequestView(
                at=each.at,
                run=None if each.run_id is None else ids.show("run", each.run_id),
                method=each.method,
                url=each.url,
                status=each.status,
                error=each.error,
                milliseconds=round(each.milliseconds, 1),
                sent=each.sent,
                received=each.received,
            )
            for each in rows
        ],
        next=ids.show("req", rows[-1].id) if len(rows) == limit else None,
    )


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
        list_connections,
        add_connection,
        read_connection,
        change_connection,
        remove_connection,
        test_connection,
        list_options,
        authorize_connection,
        rotate_connection,
        list_requests,
    ],
)
