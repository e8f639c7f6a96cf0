"""When a scenario starts by itself."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Response, Router, delete, get, put
from litestar.params import FromPath, JSONBody, QueryParameter

from junctor.app import schedules as service
from junctor.app.api.http import (
    ApiRequest,
    IfMatch,
    based_on,
    core_of,
    read_id,
    tagged,
)
from junctor.language import ids
from junctor.language.firings import Missed
from junctor.ports import catalog

__all__ = ["router"]


class ScheduleView(msgspec.Struct, kw_only=True):
    """A scenario's schedule. ``next`` are the firings to come (of one that is off or paused: as if
    it were switched on now), ``counting`` says whether they will. ``missed_count`` firings are past
    and nothing was done about them.
    """

    scenario: str
    scheduling: dict[str, Any]
    words: str
    zone: str
    own_zone: bool
    missed: str
    max_per_minute: int | None
    paused: bool
    counting: bool
    next: list[datetime]
    last_at: datetime | None
    last_run: str | None
    missed_count: int
    revision: int


class NewSchedule(msgspec.Struct, forbid_unknown_fields=True):
    """All of a schedule. ``scheduling`` is Make's JSON; ``zone`` null is the organisation's;
    ``missed`` says what becomes of firings that nobody was there for.
    """

    scheduling: dict[str, Any]
    zone: str | None = None
    missed: Missed = "once"
    max_per_minute: int | None = None
    paused: bool = False


def _view_of(shown: service.Shown) -> ScheduleView:
    stored = shown.stored
    return ScheduleView(
        scenario=ids.show("scn", shown.scenario.id),
        scheduling=dict(shown.scheduling),
        words=shown.words,
        zone=shown.zone,
        own_zone=stored is not None and stored.zone is not None,
        missed=stored.missed if stored is not None else "once",
        max_per_minute=stored.max_per_minute if stored is not None else None,
        paused=stored is not None and stored.paused,
        counting=shown.counting,
        next=shown.following,
        last_at=stored.last_at if stored is not None else None,
        last_run=ids.show("run", stored.last_run) if stored and stored.last_run else None,
        missed_count=stored.missed_count if stored is not None else 0,
        revision=stored.revision if stored is not None else 0,
    )


def _view(shown: service.Shown) -> Response[Any]:
    view = _view_of(shown)
    return tagged(view, view.revision)


async def _find(request: ApiRequest, scenario_id: str) -> catalog.Scenario:
    return await core_of(request).catalog.scenario(
        request.user.organization_id, read_id("scn", scenario_id)
    )


async def _current(request: ApiRequest, scenario_id: str) -> ScheduleView:
    found = await _find(request, scenario_id)
    return _view_of(await service.look(core_of(request), found, count=0))


@get("/scenarios/{scenario_id:str}/schedule", summary="A scenario's schedule")
async def read_schedule(
    request: ApiRequest,
    scenario_id: FromPath[str],
    count: Annotated[
        int, QueryParameter(name="next", ge=0, le=100, description="How many firings to come.")
    ] = 10,
) -> Response[ScheduleView]:
    """When it starts by itself, and the next times; one that has none starts by hook or by hand."""
    found = await _find(request, scenario_id)
    return _view(await service.look(core_of(request), found, count=count))


@put("/scenarios/{scenario_id:str}/schedule", summary="Set a scenario's schedule")
async def set_schedule(
    request: ApiRequest,
    scenario_id: FromPath[str],
    data: JSONBody[NewSchedule],
    if_match: IfMatch = None,
) -> Response[ScheduleView]:
    """Sets all of it. What means other times is planned anew; an interval begins at once."""
    core = core_of(request)
    async with based_on(if_match, partial(_current, request, scenario_id)) as expected:
        found = await _find(request, scenario_id)
        await service.set_schedule(
            core,
            found,
            actor=request.user.actor,
            scheduling=data.scheduling,
            zone=data.zone,
            missed=data.missed,
            max_per_minute=data.max_per_minute,
            paused=data.paused,
            revision=expected,
            path="body.scheduling",
        )
    return _view(await service.look(core, found))


@delete("/scenarios/{scenario_id:str}/schedule", summary="Reset a scenario's schedule")
async def reset_schedule(
    request: ApiRequest, scenario_id: FromPath[str], if_match: IfMatch = None
) -> None:
    """Back to what its blueprint says, or its trigger implies: 15 minutes for one that polls."""
    async with based_on(if_match, partial(_current, request, scenario_id)) as expected:
        found = await _find(request, scenario_id)
        await service.remove(core_of(request), found, actor=request.user.actor, revision=expected)


router = Router(
    path="/", tags=["schedules"], route_handlers=[read_schedule, set_schedule, reset_schedule]
)
