"""One run: what it did, and what to do with it if it stopped."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, QueryParameter

from junctor.app import running
from junctor.app.api.http import ApiRequest, Limit, core_of, read_id
from junctor.app.api.permissions import may
from junctor.app.approvals import WaitView, open_waits
from junctor.app.views import RunView, run_view
from junctor.language import ids
from junctor.ports import catalog

__all__ = ["router"]

_Cursor = Annotated[
    str | None,
    QueryParameter(name="cursor", description="`next` of the page before.", max_length=6000),
]


class RunDetail(RunView, kw_only=True):
    """A run with what it returned; ``outputs`` is null if that is nothing. ``waits``: what it waits
    for, with an approval's link if the caller has the right `approvals:write`.
    """

    outputs: Any = None
    waits: list[WaitView] = msgspec.field(default_factory=list)


class OperationsView(msgspec.Struct):
    """Operations of a run, in the order they were first recorded, secrets masked. ``next`` is the
    cursor of what follows, ``null`` at the end.
    """

    run: str
    operations: list[dict[str, Any]]
    next: str | None


@get("/runs/{run_id:str}", summary="A run")
async def read_run(request: ApiRequest, run_id: FromPath[str]) -> RunDetail:
    """One run, with what it returned."""
    from junctor.app.inputs import outputs

    found = await _find(request, run_id)
    shown = msgspec.structs.asdict(run_view(found))
    waits = []
    if found.state == "waiting":
        links = may(request.user.scopes, "approvals:write")
        waits = await open_waits(
            core_of(request), found.organization_id, run_id=found.id, links=links
        )
    return RunDetail(**shown, outputs=await outputs(core_of(request), found), waits=waits)


@get("/runs/{run_id:str}/operations", summary="A run's operations")
async def read_operations(
    request: ApiRequest, run_id: FromPath[str], cursor: _Cursor = None, limit: Limit = 200
) -> OperationsView:
    """Every operation with its bundles, page by page.

    A page may have fewer than ``limit``, if they hold much. A long list of bundles goes on in the
    next page: the operation is there again, and ``first`` numbers the first bundle shown.
    """
    found = await _find(request, run_id)
    page = await running.operations(core_of(request), found, cursor=cursor, limit=limit)
    return OperationsView(run=ids.show("run", found.id), operations=page.items, next=page.cursor)


@post("/runs/{run_id:str}/discard", summary="Discard a run", status_code=200)
async def discard(request: ApiRequest, run_id: FromPath[str]) -> RunView:
    """An incomplete or uncertain run is given up; what stood behind it goes on."""
    found = await running.resolve(
        core_of(request),
        request.user.organization_id,
        read_id("run", run_id),
        actor=request.user.actor,
        verb="discard",
    )
    return run_view(found)


async def _find(request: ApiRequest, run_id: str) -> catalog.Run:
    return await core_of(request).catalog.run(request.user.organization_id, read_id("run", run_id))


router = Router(path="/", tags=["runs"], route_handlers=[read_run, read_operations, discard])
