"""Data stores and their records."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from litestar import Response, Router, delete, get, patch, post, put
from litestar.params import FromPath, JSONBody

from junctor.app import stores as service
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
from junctor.errors import Misconfigured
from junctor.language import ids
from junctor.ports import catalog

__all__ = ["router"]


class StoreView(msgspec.Struct):
    """A collection of records."""

    id: str
    name: str
    structure_id: str | None
    """The data structure that its records must fit."""
    revision: int
    created_at: datetime
    updated_at: datetime


class NewStore(msgspec.Struct, forbid_unknown_fields=True):
    """A data store to make."""

    name: str
    structure_id: str | None = None


class StoreChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; a ``structure_id`` of null takes the structure away."""

    name: str | None = None
    structure_id: str | msgspec.UnsetType | None = msgspec.UNSET


class RecordView(msgspec.Struct):
    """One record."""

    key: str
    data: dict[str, Any]
    updated_at: datetime
    updated_by: str


def view(found: catalog.DataStore) -> StoreView:
    """What the API shows of a data store."""
    return StoreView(
        id=ids.show("dst", found.id),
        name=found.name,
        structure_id=ids.show("str", found.structure_id) if found.structure_id else None,
        revision=found.revision,
        created_at=found.created_at,
        updated_at=found.updated_at,
    )


def _record(found: catalog.DataRecord) -> RecordView:
    return RecordView(found.key, service.shown(found), found.updated_at, found.updated_by)


@get("/data-stores", summary="List data stores")
async def list_stores(
    request: ApiRequest, cursor: Cursor = None, limit: Limit = 50
) -> Page[StoreView]:
    """Data stores, newest first."""
    page = await core_of(request).catalog.stores(
        request.user.organization_id, cursor=cursor, limit=limit
    )
    return page_of(page, view)


@post("/data-stores", summary="Make a data store")
async def create_store(request: ApiRequest, data: JSONBody[NewStore]) -> Response[StoreView]:
    """A new, empty data store."""
    if not data.name.strip():
        raise Misconfigured("A data store needs a name.", path="name")
    found = await core_of(request).catalog.create_store(
        request.user.organization_id,
        actor=request.user.actor,
        name=data.name.strip(),
        structure_id=read_id("str", data.structure_id) if data.structure_id else None,
    )
    return tagged(view(found), found.revision, status=201)


@get("/data-stores/{store_id:str}", summary="A data store")
async def read_store(request: ApiRequest, store_id: FromPath[str]) -> Response[StoreView]:
    """One data store."""
    found = await core_of(request).catalog.store(
        request.user.organization_id, read_id("dst", store_id)
    )
    return tagged(view(found), found.revision)


@patch("/data-stores/{store_id:str}", summary="Change a data store")
async def change_store(
    request: ApiRequest,
    store_id: FromPath[str],
    data: JSONBody[StoreChange],
    if_match: IfMatch = None,
) -> Response[StoreView]:
    """Changes its name or its structure; its records stay as they are."""
    core, organization_id = core_of(request), request.user.organization_id
    found_id, wanted = read_id("dst", store_id), data.structure_id
    read = partial(core.catalog.store, organization_id, found_id)
    async with based_on(if_match, read) as expected:
        if data.name is not None and not data.name.strip():
            raise Misconfigured("A data store needs a name.", path="name")
        changed = await core.catalog.update_store(
            organization_id,
            found_id,
            actor=request.user.actor,
            revision=expected,
            name=data.name.strip() if data.name is not None else None,
            structure_id=read_id("str", wanted) if isinstance(wanted, str) else None,
            unbind=wanted is None,
        )
    return tagged(view(changed), changed.revision)


@delete("/data-stores/{store_id:str}", summary="Delete a data store")
async def delete_store(
    request: ApiRequest, store_id: FromPath[str], if_match: IfMatch = None
) -> None:
    """Removes it with all its records."""
    core, organization_id = core_of(request), request.user.organization_id
    found_id = read_id("dst", store_id)
    read = partial(core.catalog.store, organization_id, found_id)
    async with based_on(if_match, read) as expected:
        await core.catalog.delete_store(
            organization_id, found_id, actor=request.user.actor, revision=expected
        )


@get("/data-stores/{store_id:str}/records", summary="List records")
async def list_records(
    request: ApiRequest, store_id: FromPath[str], cursor: Cursor = None, limit: Limit = 50
) -> Page[RecordView]:
    """Records by key."""
    catalog_, organization_id = core_of(request).catalog, request.user.organization_id
    found = await catalog_.store(organization_id, read_id("dst", store_id))
    page = await catalog_.records(organization_id, found.id, cursor=cursor, limit=limit)
    return page_of(page, _record)


@put("/data-stores/{store_id:str}/records/{key:str}", summary="Put a record")
async def put_record(
    request: ApiRequest, store_id: FromPath[str], key: FromPath[str], data: JSONBody[dict[str, Any]]
) -> RecordView:
    """Adds or replaces a record; the body is its data, which must fit the store's structure."""
    return _record(
        await service.put_record(
            core_of(request),
            request.user.organization_id,
            read_id("dst", store_id),
            key,
            data,
            actor=request.user.actor,
        )
    )


@get("/data-stores/{store_id:str}/records/{key:str}", summary="A record")
async def read_record(
    request: ApiRequest, store_id: FromPath[str], key: FromPath[str]
) -> RecordView:
    """One record."""
    return _record(
        await core_of(request).catalog.record(
            request.user.organization_id, read_id("dst", store_id), key
        )
    )


@delete("/data-stores/{store_id:str}/records/{key:str}", summary="Delete a record")
async def delete_record(request: ApiRequest, store_id: FromPath[str], key: FromPath[str]) -> None:
    """Removes one record."""
    await core_of(request).catalog.delete_record(
        request.user.organization_id, read_id("dst", store_id), key, actor=request.user.actor
    )


@delete("/data-stores/{store_id:str}/records", summary="Delete all records")
async def clear_records(request: ApiRequest, store_id: FromPath[str]) -> None:
    """Removes every record; the store stays."""
    await core_of(request).catalog.clear_records(
        request.user.organization_id, read_id("dst", store_id), actor=request.user.actor
    )


router = Router(
    path="/",
    tags=["data stores"],
    route_handlers=[
        list_stores,
        create_store,
        read_store,
        change_store,
        delete_store,
        list_records,
        put_record,
        read_record,
        delete_record,
        clear_records,
    ],
)
