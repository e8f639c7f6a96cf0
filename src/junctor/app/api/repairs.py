"""After trouble: what a scenario missed is fetched, and uncertain runs are settled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from litestar import Router, post
from litestar.params import FromPath, JSONBody

from junctor.app.api.http import ApiRequest, core_of, read_id
from junctor.app.views import RunView, run_view
from junctor.language import ids

__all__ = ["router"]


class Since(msgspec.Struct, forbid_unknown_fields=True):
    """From when on; not given: a day ago. A time without zone is UTC."""

    since: datetime | None = None


class FilledView(msgspec.Struct):
    """What was fetched for one hook: ``stored`` are new and run, ``known`` came already, and
    ``unidentified`` can't be told from what came already.
    """

    hook: str
    since: datetime
    listed: int
    stored: int
    known: int
    unidentified: int


class BackfillView(msgspec.Struct):
    """What was fetched, by hook."""

    hooks: list[FilledView]


class Settlement(msgspec.Struct, forbid_unknown_fields=True):
    """How it was: ``probe`` asks the vendor. ``bundle`` is what the operation gave, if done.
    ``attempt_id``, of `GET …/stopped`, says which attempt is meant: if another one is in doubt by
    now, the answer is 409, so that a request that is sent again can't settle what came after it.
    """

    outcome: Literal["probe", "done", "not-done"] = "probe"
    bundle: dict[str, Any] | None = None
    attempt_id: str | None = None


class SettledView(msgspec.Struct):
    """What was found (``done``, ``not-done``, ``unknown``), why, and the run as it is now."""

    found: str
    says: str
    run: RunView


@post("/scenarios/{scenario_id:str}/backfill", summary="Fetch what was missed", status_code=200)
async def backfill(
    request: ApiRequest, scenario_id: FromPath[str], data: JSONBody[Since]
) -> BackfillView:
    """Asks the vendor what happened since, and takes what did not come. Safe to repeat."""
    from junctor.app import repair

    core = core_of(request)
    scenario = await core.catalog.scenario(
        request.user.organization_id, read_id("scn", scenario_id)
    )
    since = data.since
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    filled = await repair.backfill(core, scenario, actor=request.user.actor, since=since)
    return BackfillView(
        [
            FilledView(
                ids.show("hok", each.hook_id),
                each.since,
                each.listed,
                each.stored,
                each.known,
                each.unidentified,
            )
            for each in filled
        ]
    )


@post("/runs/{run_id:str}/settle", summary="Settle an uncertain run", status_code=200)
async def settle(
    request: ApiRequest, run_id: FromPath[str], data: JSONBody[Settlement]
) -> SettledView:
    """Says whether the operation in doubt happened, or asks the vendor; then the run goes on."""
    from junctor.app.settling import settle as settled

    run, found = await settled(
        core_of(request),
        request.user.organization_id,
        read_id("run", run_id),
        data.outcome,
        actor=request.user.actor,
        bundle=data.bundle,
        attempt_id=data.attempt_id,
    )
    return SettledView(found.verdict, found.says, run_view(run))


router = Router(path="/", tags=["repairs"], route_handlers=[backfill, settle])
