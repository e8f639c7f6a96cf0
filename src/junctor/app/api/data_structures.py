"""Data structures: what records and parsed bundles should look like."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

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
from junctor.app.stores import checked_spec
from junctor.errors import Misconfigured
from junctor.language import ids
from junctor.ports import catalog

__all__ = ["router"]


class StructureView(msgspec.Struct):
    """A data structure."""

    id: str
    name: str
    spec: list[dict[str, Any]]
    """Its fields: ``name``, ``type``, ``required``, ``default``, ``spec`` …"""
    strict: bool
    """Whether other fields are refused."""
    revision: int
    created_at: datetime
    updated_at: datetime


class NewStructure(msgspec.Struct, forbid_unknown_fields=True):
    """A data structure to make."""

    name: str
    spec: list[dict[str, Any]] = []
    strict: bool = False


class StructureChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    name: str | None = None
    spec: list[dict[str, Any]] | None = None
    strict: bool | None = None


def view(found: catalog.DataStructure) -> StructureView:
    """What the API shows of a data structure."""
    return StructureView(
        id=ids.show("str", found.id),
        name=found.name,
        spec=found.spec,
        strict=found.strict,
        revision=found.revision,
        created_at=found.created_at,
        updated_at=found.updated_at,
    )


def _name(text: str) -> str:
    if not text.strip():
        raise Misconfigured("A data structure needs a name.", path="name")
    return text.strip()


@get("/data-structures", summary="List data structures")
async def list_structures(
    request: ApiRequest, cursor: Cursor = None, limit: Limit = 50
) -> Page[StructureView]:
    """Data structures, newest first."""
    page = await core_of(request).catalog.structures(
        request.user.organization_id, cursor=cursor, limit=limit
    )
    return page_of(page, view)


@post("/data-structures", summary="Make a data structure")
async def create_structure(
    request: ApiRequest, data: JSONBody[NewStructure]
) -> Response[StructureView]:
    """A new data structure."""
    found = await core_of(request).catalog.create_structure(
        request.user.organization_id,
        actor=request.user.actor,
        name=_name(data.name),
        spec=checked_spec(data.spec),
        strict=data.strict,
    )
    return tagged(view(found), found.revision, status=201)


@get("/data-structures/{structure_id:str}", summary="A data structure")
async def read_structure(
    request: ApiRequest, structure_id: FromPath[str]
) -> Response[StructureView]:
    """One data structure."""
    found = await core_of(request).catalog.structure(
        request.user.organization_id, read_id("str", structure_id)
    )
    return tagged(view(found), found.revision)


@patch("/data-structures/{structure_id:str}", summary="Change a data structure")
async def change_structure(
    request: ApiRequest,
    structure_id: FromPath[str],
    data: JSONBody[StructureChange],
    if_match: IfMatch = None,
) -> Response[StructureView]:
    """Changes its name, its fields or its strictness; stored records stay as they are."""
    core, organization_id = core_of(request), request.user.organization_id
    found_id = read_id("str", structure_id)
    read = partial(core.catalog.structure, organization_id, found_id)
    async with based_on(if_match, read) as expected:
        changed = await core.catalog.update_structure(
            organization_id,
            found_id,
            actor=request.user.actor,
            revision=expected,
            name=_name(data.name) if data.name is not None else None,
            spec=checked_spec(data.spec) if data.spec is not None else None,
            strict=data.strict,
        )
    return tagged(view(changed), changed.revision)


@delete("/data-structures/{structure_id:str}", summary="Delete a data structure")
async def delete_structure(
    request: ApiRequest, structure_id: FromPath[str], if_match: IfMatch = None
) -> None:
    """Removes one that nothing uses."""
    core, organization_id = core_of(request), request.user.organization_id
    found_id = read_id("str", structure_id)
    read = partial(core.catalog.structure, organization_id, found_id)
    async with based_on(if_match, read) as expected:
        await core.catalog.delete_structure(
            organization_id, found_id, actor=request.user.actor, revision=expected
        )


router = Router(
    path="/",
    tags=["data structures"],
    route_handlers=[
        list_structures,
        create_structure,
        read_structure,
        change_structure,
        delete_structure,
    ],
)
