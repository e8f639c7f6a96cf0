"""The history: runs searched, filtered, and as CSV."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Literal

from litestar import Router, get
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from junctor.app.api.http import ApiRequest, Cursor, Limit, Page, core_of, page_of, read_id
from junctor.app.scenarios import all_scenarios
from junctor.app.search import Filters, as_csv, instant, search
from junctor.app.views import RunView, run_view

__all__ = ["router"]

State = Literal["running", "waiting", "finished", "incomplete", "uncertain", "discarded"]

Text = Annotated[
    str | None,
    QueryParameter(
        name="q",
        max_length=500,
        description="Words, a phone number or an e-mail address in the run's data.",
    ),
]
Scenario = FromQuery[str | None]
States = Annotated[
    list[State] | None, QueryParameter(name="state", description="Only these states.")
]
Trigger = Literal["delivery", "schedule", "manual", "call", "break", "replay"]
Triggers = Annotated[
    list[Trigger] | None,
    QueryParameter(name="trigger", description="Only begun by these: delivery, schedule …"),
]
Named = Annotated[
    str | None,
    QueryParameter(name="name", max_length=200, description="Only with this in their name."),
]
Since = Annotated[
    str | None,
    QueryParameter(
        name="since", max_length=40, description="Only begun since: an ISO time, or 2d, 12h."
    ),
]
Until = Annotated[
    str | None, QueryParameter(name="until", max_length=40, description="Only begun before.")
]
Error = Annotated[
    str | None,
    QueryParameter(
        name="error", max_length=100, description="Only with this error: its type or code."
    ),
]
Module = Annotated[
    int | None,
    QueryParameter(
        name="module", ge=0, le=2**31 - 1, description="Only failed in this module: its number."
    ),
]
Operations = Annotated[
    int,
    QueryParameter(
        name="min_operations", ge=0, le=2**53, description="Only with so many operations."
    ),
]


def _filters(
    text: str | None,
    scenario: str | None,
    states: list[State] | None,
    triggers: list[Trigger] | None,
    name: str | None,
    error: str | None,
    module: int | None,
    min_operations: int,
) -> Filters:
    return Filters(
        text=text,
        scenario_id=read_id("scn", scenario) if scenario else None,
        states=tuple(states or ()),
        triggers=tuple(triggers or ()),
        name=name or None,
        error=error or None,
        module=module,
        min_operations=min_operations,
    )


def _between(filters: Filters, since: str | None, until: str | None) -> Filters:
    now = datetime.now(UTC)
    return replace(
        filters,
        since=instant(since, now) if since else None,
        until=instant(until, now, path="until") if until else None,
    )


@get("/runs", summary="List runs")
async def list_runs(
    request: ApiRequest,
    q: Text = None,
    scenario: Scenario = None,
    states: States = None,
    trigger: Triggers = None,
    name: Named = None,
    since: Since = None,
    until: Until = None,
    error: Error = None,
    module: Module = None,
    min_operations: Operations = 0,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[RunView]:
    """Runs, newest first. What ended within the last minute or so may not be found by ``q`` yet."""
    filters = _filters(q, scenario, states, trigger, name, error, module, min_operations)
    page = await search(
        core_of(request),
        request.user.organization_id,
        _between(filters, since, until),
        cursor=cursor,
        limit=limit,
    )
    return page_of(page, run_view)


@get("/runs.csv", summary="Runs as CSV", media_type="text/csv")
async def export_runs(
    request: ApiRequest,
    q: Text = None,
    scenario: Scenario = None,
    states: States = None,
    trigger: Triggers = None,
    name: Named = None,
    since: Since = None,
    until: Until = None,
    error: Error = None,
    module: Module = None,
    min_operations: Operations = 0,
) -> Stream:
    """All that the list would show, page by page as it is read; a spreadsheet takes none of it for
    a formula.
    """
    core, organization_id = core_of(request), request.user.organization_id
    filters = _between(
        _filters(q, scenario, states, trigger, name, error, module, min_operations),
        since,
        until,
    )
    await search(core, organization_id, filters, limit=1)  # refused before the first byte, if ever
    names = {each.id: each.name for each in await all_scenarios(core, organization_id)}
    return Stream(
        as_csv(core, organization_id, filters, names),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": 'attachment; filename="runs.csv"'},
    )


router = Router(path="/", tags=["runs"], route_handlers=[list_runs, export_runs])
