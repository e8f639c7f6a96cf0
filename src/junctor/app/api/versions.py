"""Versions of a scenario: listed, read, compared, and taken up again."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from junctor.app import versions
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
from junctor.app.api.requirements import requirement_view
from junctor.app.api.scenarios import DraftView, ProblemView, fields
from junctor.app.bindings import BINDINGS, PREFIXES
from junctor.language import ids

__all__ = ["router"]


class VersionView(msgspec.Struct):
    """That a version exists."""

    version: int
    created_at: datetime
    created_by: str


class FullVersionView(VersionView):
    """A version with what its modules are bound to, by module id (``3``, or ``3.parameter``).

    Its blueprint is at ``…/blueprint``.
    """

    connections: dict[str, str]
    bindings: dict[str, dict[str, str]]


class PlacedView(msgspec.Struct):
    """A module and where it stands: ``flow``, ``5.routes[1]``, ``5.onerror`` …, after which."""

    id: int
    module: str
    label: str
    place: str
    after: int | None


class MovedView(msgspec.Struct, rename={"was": "from", "now": "to"}):
    """A module that stands elsewhere."""

    was: PlacedView
    now: PlacedView


class FieldChangeView(msgspec.Struct):
    """A field that was ``added``, ``removed`` or ``changed``; its values before and after."""

    path: str
    kind: str
    old: Any = None
    new: Any = None


class ChangedView(msgspec.Struct):
    """A module whose fields are different."""

    id: int
    module: str
    label: str
    changes: list[FieldChangeView]


class ComparisonView(msgspec.Struct):
    """What is different in version ``new`` from version ``old``; ``same``: nothing."""

    old: int
    new: int
    same: bool
    added: list[PlacedView]
    removed: list[PlacedView]
    moved: list[MovedView]
    changed: list[ChangedView]
    scenario: list[FieldChangeView]
    bindings: list[FieldChangeView]


class Restore(msgspec.Struct, forbid_unknown_fields=True):
    """Which version to take up again; ``publish``: it is to run, too."""

    version: int
    publish: bool = False


@get("/scenarios/{scenario_id:str}/versions", summary="List versions")
async def list_versions(
    request: ApiRequest, scenario_id: FromPath[str], cursor: Cursor = None, limit: Limit = 50
) -> Page[VersionView]:
    """Versions, newest first."""
    found = await core_of(request).catalog.scenario(
        request.user.organization_id, read_id("scn", scenario_id)
    )
    page = await core_of(request).catalog.versions(
        request.user.organization_id, found.id, cursor=cursor, limit=limit
    )
    return page_of(page, lambda each: VersionView(each.version, each.created_at, each.created_by))


@get("/scenarios/{scenario_id:str}/versions/{version:int}", summary="A version")
async def read_version(
    request: ApiRequest, scenario_id: FromPath[str], version: FromPath[int]
) -> FullVersionView:
    """One immutable version."""
    found = await core_of(request).catalog.version(
        request.user.organization_id, read_id("scn", scenario_id), version
    )
    bindings = {
        BINDINGS[kind]: {
            module: ids.show(PREFIXES[kind], UUID(thing))
            for module, thing in found.bindings.get(BINDINGS[kind], {}).items()
        }
        for kind in BINDINGS
    }
    return FullVersionView(
        found.version, found.created_at, found.created_by, bindings["connections"], bindings
    )


@get("/scenarios/{scenario_id:str}/comparison", summary="Compare two versions")
async def compare_versions(
    request: ApiRequest,
    scenario_id: FromPath[str],
    old: FromQuery[int | None] = None,
    new: FromQuery[int | None] = None,
) -> ComparisonView:
    """What was changed, module by module. If not given, ``new`` is the draft and ``old`` the
    published version; if these are the same, the one before.
    """
    core = core_of(request)
    found = await core.catalog.scenario(request.user.organization_id, read_id("scn", scenario_id))
    record = versions.as_record(*await versions.compared(core, found, old, new))
    return msgspec.convert(record, ComparisonView)


@post("/scenarios/{scenario_id:str}/restore", summary="Restore a version", status_code=200)
async def restore(
    request: ApiRequest,
    scenario_id: FromPath[str],
    data: JSONBody[Restore],
    if_match: IfMatch = None,
) -> Response[DraftView]:
    """The draft becomes a copy of the version, under a number of its own."""
    core = core_of(request)
    read = partial(core.catalog.scenario, request.user.organization_id, read_id("scn", scenario_id))
    async with based_on(if_match, read) as expected:
        found = await read()
        draft = await versions.restore(
            core,
            found,
            data.version,
            actor=request.user.actor,
            publish=data.publish,
            revision=expected,
        )
    shown = DraftView(
        **fields(draft.scenario),
        missing=draft.missing,
        problems=[ProblemView(each.path, each.severity, each.message) for each in draft.problems],
        requirements=[requirement_view(want) for want in draft.wants],
    )
    return tagged(shown, draft.scenario.revision)


router = Router(
    path="/",
    tags=["versions"],
    route_handlers=[list_versions, read_version, compare_versions, restore],
)
