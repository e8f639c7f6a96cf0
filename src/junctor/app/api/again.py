"""Runs done again: what stopped one, its retry, its replay, comparisons, many at once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from junctor.app.api.http import ApiRequest, core_of, read_id
from junctor.app.views import BacktestView, ComparedView, RunView, run_view
from junctor.errors import Misconfigured
from junctor.language import ids

__all__ = ["router"]

MOST_LAST = 1_000
"""Runs of one backtest here; the command takes more."""


class StoppedView(msgspec.Struct, kw_only=True):
    """Where a run stopped, what was or would be sent, and the bundles on that way, secrets masked.

    ``again_at``: when it is tried again by itself; ``sent_at``: when an operation of unknown
    outcome was sent; ``attempt_id``: what settling it names; ``doubted``: how many other attempts
    of the run were in doubt before; ``probe``: whether the vendor can be asked.
    """

    run: str
    state: str
    module: int
    name: str
    cycle: int
    path: list[int]
    attempt: int
    error: Any
    again_at: datetime | None
    sent_at: datetime | None
    input: Any
    request: Any
    attempt_id: str | None
    doubted: int
    probe: bool
    bundles: list[dict[str, Any]]


class EditOrder(msgspec.Struct, forbid_unknown_fields=True):
    """A change of what a module gave on the way that failed: ``bundle`` in its place, or ``values``
    in it by path (``customer.lines[1].sku``).
    """

    module: int
    bundle: dict[str, Any] | None = None
    values: dict[str, Any] = {}


class RetryOrder(msgspec.Struct, forbid_unknown_fields=True, rename={"start": "from"}):
    """How it goes on. ``version``: a number, ``newest`` or ``draft``; ``from``: the module from
    which on it is done again. With one of these another run takes its place.
    """

    edits: list[EditOrder] = []
    version: int | Literal["newest", "draft"] | None = None
    start: int | None = None


class ReplayOrder(msgspec.Struct, forbid_unknown_fields=True, rename={"start": "from"}):
    """On which version, from which module on (its trigger's bundles, if not said), and whether with
    the run's own time and random numbers (``same``).
    """

    version: int | Literal["newest", "draft"] | None = None
    start: int | None = None
    same: bool = False


class BulkOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Which runs, and what to do with them. ``error``: a type or code; ``ids``: only these.

    ``dry``: only count them.
    """

    verb: Literal["retry", "discard"]
    scenario: str | None = None
    states: list[Literal["incomplete", "uncertain"]] = []
    error: str | None = None
    since: datetime | None = None
    ids: list[str] | None = None
    dry: bool = True


class BulkView(msgspec.Struct):
    """How many there are, and of how many it was done."""

    matching: int
    done: int


Wanted = Annotated[
    str | None,
    QueryParameter(name="version", description="A number, `newest` or `draft`.", max_length=12),
]


@get("/runs/{run_id:str}/stopped", summary="Why a run stopped")
async def read_stopped(request: ApiRequest, run_id: FromPath[str]) -> StoppedView:
    """The operation that stopped an incomplete or uncertain run, and what can be edited."""
    from junctor.app.stopped import stopped

    found = await stopped(core_of(request), request.user.organization_id, read_id("run", run_id))
    return msgspec.convert(found, StoppedView, from_attributes=True)


@post("/runs/{run_id:str}/retry", summary="Retry a run", status_code=200)
async def retry(
    request: ApiRequest, run_id: FromPath[str], data: JSONBody[RetryOrder | None] = None
) -> RunView:
    """An incomplete run goes on from its journal: what was done is not done again.

    Answers with the run that goes on: on another version it is a new one.
    """
    from junctor.app import again
    from junctor.app.edits import Edit

    order = data or RetryOrder()
    found = await again.retry(
        core_of(request),
        request.user.organization_id,
        read_id("run", run_id),
        actor=request.user.actor,
        edits=[Edit(each.module, each.bundle, each.values) for each in order.edits],
        version=order.version,
        start=order.start,
    )
    return run_view(found)


@post("/runs/{run_id:str}/replay", summary="Replay a run", status_code=200)
async def replay(
    request: ApiRequest, run_id: FromPath[str], data: JSONBody[ReplayOrder | None] = None
) -> RunView:
    """Any run once more, for real, as a new run: what it sends is sent again."""
    from junctor.app import again

    order = data or ReplayOrder()
    found = await again.replay(
        core_of(request),
        request.user.organization_id,
        read_id("run", run_id),
        actor=request.user.actor,
        version=order.version,
        start=order.start,
        same=order.same,
    )
    return run_view(found)


@get("/runs/{run_id:str}/comparison", summary="Compare a run with another version")
async def comparison(
    request: ApiRequest,
    run_id: FromPath[str],
    version: Wanted = None,
    start: Annotated[
        int | None, QueryParameter(name="from", description="The module from which on.")
    ] = None,
) -> ComparedView:
    """What would go another way. Nothing is sent: effects are answered from the run's journal."""
    from junctor.app.telling import compare_run
    from junctor.app.views import compared_view

    found = await compare_run(
        core_of(request),
        request.user.organization_id,
        read_id("run", run_id),
        version=_version(version),
        start=start,
    )
    return compared_view(found)


@get("/scenarios/{scenario_id:str}/backtest", summary="Run a version over recorded runs")
async def backtest(
    request: ApiRequest,
    scenario_id: FromPath[str],
    last: Annotated[
        int, QueryParameter(name="last", ge=1, le=MOST_LAST, description="How many runs.")
    ] = 100,
    version: Wanted = None,
) -> BacktestView:
    """What a version (the draft, if not said) would have made of the last runs; nothing is sent."""
    from junctor.app import telling
    from junctor.app.views import backtest_view

    core = core_of(request)
    scenario = await core.catalog.scenario(
        request.user.organization_id, read_id("scn", scenario_id)
    )
    wanted = _version(version)
    made = await telling.backtest(core, scenario, last=last, version=wanted or "draft")
    return backtest_view(made)


@post("/runs/bulk", summary="Retry or discard many runs", status_code=200)
async def bulk(request: ApiRequest, data: JSONBody[BulkOrder]) -> BulkView:
    """Stopped runs that a filter finds; at most 10,000 at once. Count them first: ``dry`` is true
    unless you say otherwise.
    """
    from junctor.app import bulk as many

    core, organization_id = core_of(request), request.user.organization_id
    if data.ids is None and data.scenario is None and not data.dry:
        raise Misconfigured("Say which runs: a scenario, or ids.", path="body")
    only = many.Filter(
        scenario_id=read_id("scn", data.scenario) if data.scenario is not None else None,
        states=data.states,
        error=data.error,
        since=data.since,
        run_ids=None if data.ids is None else [ids.read("run", each) for each in data.ids],
    )
    found = await many.matching(core, organization_id, data.verb, only)
    done = 0
    if not data.dry:
        done = await many.act(core, organization_id, data.verb, found, actor=request.user.actor)
    return BulkView(len(found), done)


def _version(text: str | None) -> Any:
    if text is None or text in {"newest", "draft"}:
        return text
    if not (text.isascii() and text.isdigit()):
        raise Misconfigured(
            f"'{text}' is no version: give its number, newest or draft.", path="query.version"
        )
    return int(text)


router = Router(
    path="/",
    tags=["runs"],
    route_handlers=[read_stopped, retry, replay, comparison, backtest, bulk],
)
