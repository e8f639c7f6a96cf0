"""Scenarios paused, drained and let go on; runs stopped and skipped; what waits; how all does."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery, QueryParameter

from junctor.app import control
from junctor.app.api.http import (
    ApiRequest,
    IfMatch,
    based_on,
    core_of,
    read_id,
    tagged,
)
from junctor.app.api.scenarios import ScenarioView, fields
from junctor.app.status import Status, status
from junctor.app.views import QueueView, RunView, queue_view, run_view
from junctor.language import ids

__all__ = ["router"]

Keep = Annotated[
    bool,
    QueryParameter(
        name="resumable", description="It becomes incomplete, to be retried, not discarded."
    ),
]


class HeldView(ScenarioView, kw_only=True):
    """A scenario with what waits for it: ``queued`` deliveries, the first since ``oldest_at``."""

    queued: int
    oldest_at: datetime | None


class StopView(msgspec.Struct):
    """A run that is to end. ``run`` is null if it has not begun; ``at_once``: it has ended."""

    id: str
    at_once: bool
    run: RunView | None


class QueuesView(msgspec.Struct):
    """What waits: what is blocked before the rest, the oldest first. ``next`` is the cursor of what
    follows, ``null`` at the end.
    """

    queues: list[QueueView]
    next: str | None


async def _hold(
    request: ApiRequest, scenario_id: str, if_match: str | None, how: Any
) -> Response[HeldView]:
    core, organization_id = core_of(request), request.user.organization_id
    id_ = read_id("scn", scenario_id)
    async with based_on(if_match, partial(core.catalog.scenario, organization_id, id_)) as expected:
        found = await core.catalog.hold_scenario(
            organization_id, id_, actor=request.user.actor, how=how, revision=expected
        )
    held = await control.waiting(core, found)
    shown = HeldView(**fields(found), queued=held.deliveries, oldest_at=held.oldest)
    return tagged(shown, found.revision)


@post("/scenarios/{scenario_id:str}/pause", summary="Pause a scenario", status_code=200)
async def pause(
    request: ApiRequest, scenario_id: FromPath[str], if_match: IfMatch = None
) -> Response[HeldView]:
    """What comes in is accepted and kept; nothing of it is run. Runs under way end."""
    return await _hold(request, scenario_id, if_match, "pause")


@post("/scenarios/{scenario_id:str}/resume", summary="Let a scenario go on", status_code=200)
async def resume(
    request: ApiRequest, scenario_id: FromPath[str], if_match: IfMatch = None
) -> Response[HeldView]:
    """Ends a pause, or a draining: what waits is run, and new deliveries are taken."""
    return await _hold(request, scenario_id, if_match, "proceed")


@post("/scenarios/{scenario_id:str}/drain", summary="Drain a scenario", status_code=200)
async def drain(
    request: ApiRequest, scenario_id: FromPath[str], if_match: IfMatch = None
) -> Response[HeldView]:
    """Its hooks answer 503 from now on; when all that waits is done, it is off by itself."""
    return await _hold(request, scenario_id, if_match, "drain")


@post("/runs/{run_id:str}/stop", summary="Stop a run", status_code=200)
async def stop(request: ApiRequest, run_id: FromPath[str], keep: Keep = False) -> StopView:
    """One that waits ends at once, one under way before its next operation."""
    id_ = read_id("run", run_id)
    run = await control.stop(
        core_of(request),
        request.user.organization_id,
        id_,
        actor=request.user.actor,
        keep=keep,
    )
    shown = run_view(run) if run is not None else None
    return StopView(ids.show("run", id_), control.at_once(run), shown)


@post("/runs/{run_id:str}/skip", summary="Let others pass a run", status_code=200)
async def skip(request: ApiRequest, run_id: FromPath[str]) -> RunView:
    """What stands behind a stopped run goes on without it; retried later, it is out of order."""
    run = await control.skip(
        core_of(request),
        request.user.organization_id,
        read_id("run", run_id),
        actor=request.user.actor,
    )
    return run_view(run)


@get("/queues", summary="What waits")
async def list_queues(
    request: ApiRequest,
    scenario: FromQuery[str | None] = None,
    cursor: Annotated[
        str | None,
        QueryParameter(name="cursor", description="`next` of the page before.", max_length=3000),
    ] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=1000)] = 200,
) -> QueuesView:
    """Queues by scenario and order key: how much, since when, who is at it, what blocks it."""
    found = await core_of(request).catalog.queues(
        request.user.organization_id,
        scenario_id=read_id("scn", scenario) if scenario else None,
        cursor=cursor,
        limit=limit,
    )
    return QueuesView([queue_view(queue) for queue in found.items], found.cursor)


@get("/status", summary="How everything does")
async def read_status(request: ApiRequest) -> Status:
    """The installation's processes, database and jobs; this organisation's queues and runs."""
    return await status(core_of(request), request.user.organization_id)


router = Router(
    path="/",
    tags=["control"],
    route_handlers=[pause, resume, drain, stop, skip, list_queues, read_status],
)
