"""Scenarios: made from blueprints, drafted, published, switched on and off, run once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import MediaType, Response, Router, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from junctor.app import activation
from junctor.app import scenarios as service
from junctor.app.api.envelope import Failure
from junctor.app.api.hooks import HookView
from junctor.app.api.hooks import view as hook_view
from junctor.app.api.http import (
    ApiRequest,
    Cursor,
    IfMatch,
    Limit,
    Page,
    based_on,
    core_of,
    etag,
    page_of,
    read_id,
    tagged,
)
from junctor.app.api.requirements import (
    RequirementsView,
    RequirementView,
    exact_blueprint,
    permit_of,
    requirement_view,
)
from junctor.app.logs import redact
from junctor.errors import Conflict
from junctor.language import ids
from junctor.ports import catalog

__all__ = ["router"]

T = TypeVar("T")

LONGEST_WAIT = 60
"""Seconds a caller may wait for a run's end."""


class ScenarioView(msgspec.Struct, kw_only=True):
    """A scenario; what it does is in its versions."""

    id: str
    name: str
    active: bool
    draft: int
    published: int | None
    detail: str
    retention: str
    confidential: bool
    revision: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    paused_at: datetime | None = None
    draining_at: datetime | None = None


class ProblemView(msgspec.Struct):
    """A finding about the blueprint."""

    path: str
    severity: str
    message: str


class DraftView(ScenarioView, kw_only=True):
    """A scenario as saved, and what is left to do before it can run."""

    missing: list[str]
    problems: list[ProblemView]
    requirements: list[RequirementView]


class ActivatedView(ScenarioView, kw_only=True):
    """A scenario as switched on, with its hooks."""

    hooks: list[HookView]
    warnings: list[str]


class NewScenario(msgspec.Struct, forbid_unknown_fields=True):
    """A scenario to import.

    ``map`` chooses what modules are bound to: a requirement's ``key``, label, type, module or
    connector to the name or id of a thing, or to ``new`` (``new:NAME``) for a data store or data
    structure to make. ``create`` makes all that are missing. ``connections`` are part of ``map``.
    """

    blueprint: dict[str, Any] | str
    name: str | None = None
    connections: dict[str, str] = {}
    map: dict[str, str] = {}
    create: bool = False


class DraftChange(msgspec.Struct, forbid_unknown_fields=True):
    """Another blueprint, other bindings (``map``, as on import), or both."""

    blueprint: dict[str, Any] | str | None = None
    connections: dict[str, str] = {}
    map: dict[str, str] = {}
    create: bool = False


class ScenarioChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; what is left out stays."""

    name: str | None = None
    detail: catalog.Detail | None = None
    retention: catalog.Retention | None = None
    confidential: bool | None = None


class RunOnce(msgspec.Struct, forbid_unknown_fields=True):
    """What a run is started with, and of which version.

    ``data`` are the scenario's inputs, by name; they start the published version. ``input`` are
    the trigger's bundles, one object or a list; they start the draft. ``responsive`` waits for the
    end and what the run returns, up to 60 seconds.
    """

    data: dict[str, Any] | None = None
    input: Any = None
    version: int | None = None
    responsive: bool = False


class StartedRun(msgspec.Struct):
    """A run that has been accepted; having waited for its end, how it went."""

    id: str
    state: str = "accepted"
    name: str | None = None
    outputs: dict[str, Any] | None = None
    error: Any = None


def fields(found: catalog.Scenario) -> dict[str, Any]:
    """What the API shows of a scenario."""
    return {
        "id": ids.show("scn", found.id),
        "name": found.name,
        "active": found.active,
        "draft": found.draft,
        "published": found.published,
        "detail": found.detail,
        "retention": found.retention,
        "confidential": found.confidential,
        "revision": found.revision,
        "created_at": found.created_at,
        "created_by": found.created_by,
        "updated_at": found.updated_at,
        "updated_by": found.updated_by,
        "paused_at": found.paused_at,
        "draining_at": found.draining_at,
    }


def view(found: catalog.Scenario) -> ScenarioView:
    """The same as an object."""
    return ScenarioView(**fields(found))


def _draft(draft: service.Draft) -> DraftView:
    return DraftView(
        **fields(draft.scenario),
        missing=draft.missing,
        problems=[ProblemView(each.path, each.severity, each.message) for each in draft.problems],
        requirements=[requirement_view(want) for want in draft.wants],
    )


async def _find(request: ApiRequest, scenario_id: str) -> catalog.Scenario:
    return await core_of(request).catalog.scenario(
        request.user.organization_id, read_id("scn", scenario_id)
    )


@get("/scenarios", summary="List scenarios")
async def list_scenarios(
    request: ApiRequest,
    active: FromQuery[bool | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ScenarioView]:
    """Scenarios, newest first."""
    page = await core_of(request).catalog.scenarios(
        request.user.organization_id, active=active, cursor=cursor, limit=limit
    )
    return page_of(page, view)


@post("/scenarios", summary="Import a blueprint")
async def create_scenario(request: ApiRequest, data: JSONBody[NewScenario]) -> Response[DraftView]:
    """A new, inactive scenario with the blueprint as its draft."""
    draft = await service.import_scenario(
        core_of(request),
        request.user.organization_id,
        actor=request.user.actor,
        blueprint=await exact_blueprint(request, data.blueprint),
        name=data.name,
        connections=data.connections,
        mapped=data.map,
        create=data.create,
        permit=permit_of(request),
    )
    return tagged(_draft(draft), draft.scenario.revision, status=201)


@get("/scenarios/{scenario_id:str}", summary="A scenario")
async def read_scenario(request: ApiRequest, scenario_id: FromPath[str]) -> Response[ScenarioView]:
    """One scenario."""
    found = await _find(request, scenario_id)
    return tagged(view(found), found.revision)


@patch("/scenarios/{scenario_id:str}", summary="Change a scenario")
async def change_scenario(
    request: ApiRequest,
    scenario_id: FromPath[str],
    data: JSONBody[ScenarioChange],
    if_match: IfMatch = None,
) -> Response[ScenarioView]:
    """Changes its name, its history's detail and retention, or whether its runs keep nothing."""
    async with based_on(if_match, partial(_find, request, scenario_id)) as expected:
        found = await core_of(request).catalog.update_scenario(
            request.user.organization_id,
            read_id("scn", scenario_id),
            actor=request.user.actor,
            revision=expected,
            name=data.name,
            detail=data.detail,
            retention=data.retention,
            confidential=data.confidential,
        )
    return tagged(view(found), found.revision)


@delete("/scenarios/{scenario_id:str}", summary="Delete a scenario")
async def delete_scenario(
    request: ApiRequest, scenario_id: FromPath[str], if_match: IfMatch = None
) -> None:
    """Removes an inactive scenario, its versions and what waits for it; its history stays."""
    async with based_on(if_match, partial(_find, request, scenario_id)) as expected:
        core = core_of(request)
        found = await _find(request, scenario_id)
        if expected not in {None, found.revision}:
            raise Conflict(what="The scenario")  # before its hooks are gone
        await activation.remove_hooks(core, found, actor=request.user.actor)
        await core.catalog.delete_scenario(
            request.user.organization_id,
            read_id("scn", scenario_id),
            actor=request.user.actor,
            revision=expected,
        )


@put("/scenarios/{scenario_id:str}/draft", summary="Save a draft")
async def save_draft(
    request: ApiRequest,
    scenario_id: FromPath[str],
    data: JSONBody[DraftChange],
    if_match: IfMatch = None,
) -> Response[DraftView]:
    """Stores a new version as the draft."""
    async with based_on(if_match, partial(_find, request, scenario_id)) as expected:
        exact = None if data.blueprint is None else await exact_blueprint(request, data.blueprint)
        draft = await service.save_draft(
            core_of(request),
            request.user.organization_id,
            await _find(request, scenario_id),
            actor=request.user.actor,
            blueprint=exact,
            connections=data.connections,
            mapped=data.map,
            create=data.create,
            permit=permit_of(request),
            revision=expected,
        )
    return tagged(_draft(draft), draft.scenario.revision)


@get("/scenarios/{scenario_id:str}/requirements", summary="What its modules are bound to")
async def read_requirements(
    request: ApiRequest, scenario_id: FromPath[str]
) -> Response[RequirementsView]:
    """What the draft's modules need, what fits, and what is chosen or would be."""
    found = await _find(request, scenario_id)
    choice = await service.requirements_of(core_of(request), request.user.organization_id, found)
    shown = RequirementsView([requirement_view(want) for want in choice.wants])
    return tagged(shown, found.revision)


@post("/scenarios/{scenario_id:str}/publish", summary="Publish the draft", status_code=200)
async def publish(
    request: ApiRequest, scenario_id: FromPath[str], if_match: IfMatch = None
) -> Response[ScenarioView]:
    """Makes the draft the version that new runs take."""
    async with based_on(if_match, partial(_find, request, scenario_id)) as expected:
        found = await core_of(request).catalog.publish(
            request.user.organization_id,
            read_id("scn", scenario_id),
            actor=request.user.actor,
            revision=expected,
        )
    await activation.reschedule(core_of(request), found, actor=request.user.actor)
    return tagged(view(found), found.revision)


@post("/scenarios/{scenario_id:str}/activate", summary="Activate a scenario", status_code=200)
async def activate(
    request: ApiRequest, scenario_id: FromPath[str], if_match: IfMatch = None
) -> Response[ActivatedView]:
    """Publishes the draft, makes its hook, registers it with the vendor, and starts it."""
    return await _switch(request, scenario_id, if_match, activation.activate)


@post("/scenarios/{scenario_id:str}/deactivate", summary="Deactivate a scenario", status_code=200)
async def deactivate(
    request: ApiRequest,
    scenario_id: FromPath[str],
    if_match: IfMatch = None,
    stop_runs: FromQuery[bool] = False,
) -> Response[ActivatedView]:
    """Stops it and removes its hooks at the vendors; our addresses stay. Runs under way end as
    ever, or with ``stop_runs`` before their next operation: then they are discarded.
    """
    answer = await _switch(request, scenario_id, if_match, activation.deactivate)
    if stop_runs:
        from junctor.app.control import stop_all

        found = await _find(request, scenario_id)
        await stop_all(core_of(request), found, actor=request.user.actor)
    return answer


async def _switch(
    request: ApiRequest,
    scenario_id: str,
    if_match: str | None,
    switch: Callable[..., Awaitable[activation.Activated]],
) -> Response[ActivatedView]:
    core = core_of(request)
    async with based_on(if_match, partial(_find, request, scenario_id)) as expected:
        found = await _find(request, scenario_id)
        done = await switch(core, found, actor=request.user.actor, revision=expected)
    shown = ActivatedView(
        **fields(done.scenario),
        hooks=[await hook_view(core, hook) for hook in done.hooks],
        warnings=done.warnings,
    )
    return tagged(shown, done.scenario.revision)


@get("/scenarios/{scenario_id:str}/blueprint", summary="Export a blueprint")
async def export_blueprint(
    request: ApiRequest, scenario_id: FromPath[str], version: FromQuery[int | None] = None
) -> Response[str]:
    """The blueprint as imported, numbers as they were spelled; the draft's by default."""
    found = await _find(request, scenario_id)
    text = await service.export_scenario(
        core_of(request), request.user.organization_id, found, version=version
    )
    return Response(text, media_type=MediaType.JSON, headers={"etag": etag(found.revision)})


@post("/scenarios/{scenario_id:str}/runs", summary="Run once", status_code=202)
async def run_once(
    request: ApiRequest,
    scenario_id: FromPath[str],
    data: JSONBody[RunOnce],
    wait: Annotated[
        float,
        QueryParameter(
            name="wait", ge=0, le=LONGEST_WAIT, description="Seconds to wait for its end."
        ),
    ] = 0,
) -> Response[StartedRun]:
    """Starts a run with these inputs or trigger bundles; active or not. Durable when answered.

    Inputs that the scenario can't take are refused with the path of each.
    """
    from junctor.app.inputs import checked, outputs

    core = core_of(request)
    order = data
    found = await _find(request, scenario_id)
    if order.data is not None and order.input is not None:
        raise Failure(422, "Give data (inputs) or input (the trigger's bundles), not both.")
    # Inputs come from those who use the scenario, bundles from those who build it.
    usual = found.draft if order.data is None else found.published or found.draft
    version = order.version or usual
    where = "input" if order.data is None else "data"
    value = order.input if order.data is None else order.data
    run_id = await request.app.state.ingest.submit(
        request.user.organization_id,
        found.id,
        await checked(core, found, version, value, path=f"body.{where}"),
        actor=request.user.actor,
        version=version,
    )
    shown = ids.show("run", run_id)
    started = StartedRun(shown)
    if wait or order.responsive:
        from junctor.app.running import wait_for_run

        within = wait or LONGEST_WAIT
        run = await wait_for_run(core, request.user.organization_id, run_id, within=within)
        if run is not None:
            started = StartedRun(
                shown, run.state, run.name, await outputs(core, run), redact(run.error)
            )
    return Response(started, status_code=202, headers={"location": f"/api/v1/runs/{shown}"})


router = Router(
    path="/",
    tags=["scenarios"],
    route_handlers=[
        list_scenarios,
        create_scenario,
        read_scenario,
        change_scenario,
        delete_scenario,
        save_draft,
        read_requirements,
        publish,
        activate,
        deactivate,
        export_blueprint,
        run_once,
    ],
)
