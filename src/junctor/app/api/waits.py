"""What runs wait for, and questions that somebody is to decide."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from junctor.app import approvals
from junctor.app.api.http import ApiRequest, Cursor, Limit, Page, core_of, read_id
from junctor.app.api.permissions import may
from junctor.app.approvals import WaitView
from junctor.language import ids

__all__ = ["router"]


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    """One of the question's choices; ``by`` is who decided, the token's name if not said."""

    decision: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    comment: Annotated[str, msgspec.Meta(max_length=4000)] = ""
    by: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Decided(msgspec.Struct):
    """A question that is decided; its run goes on."""

    id: str
    run: str
    decision: str


@get("/waits", summary="What runs wait for")
async def list_waits(
    request: ApiRequest,
    run: FromQuery[str | None] = None,
    kind: FromQuery[Literal["delivery", "approval"] | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[WaitView]:
    """Open waits for deliveries and people; links are not shown here."""
    run_id = read_id("run", run) if run else None
    return await _page(request, kind, run_id, cursor, limit, links=False)


@get("/approvals", summary="Questions to decide")
async def list_approvals(
    request: ApiRequest,
    run: FromQuery[str | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[WaitView]:
    """Open questions; with the links under which they are decided for who may decide them."""
    run_id = read_id("run", run) if run else None
    return await _page(request, "approval", run_id, cursor, limit, links=_decides(request))


@get("/approvals/{approval_id:str}", summary="A question")
async def read_approval(request: ApiRequest, approval_id: FromPath[str]) -> WaitView:
    """One open question."""
    from junctor.errors import NotFound

    core, organization_id = core_of(request), request.user.organization_id
    asked = await approvals.find_approval(core, organization_id, read_id("wai", approval_id))
    found = await approvals.open_waits(
        core, organization_id, kind="approval", run_id=asked.run_id, links=_decides(request)
    )
    wanted = ids.show("wai", asked.id)
    for each in found:
        if each.id == wanted:
            return each
    raise NotFound(what=f"An open question {wanted}")


@post("/approvals/{approval_id:str}/decide", summary="Decide a question", status_code=200)
async def decide(
    request: ApiRequest, approval_id: FromPath[str], data: JSONBody[Decision]
) -> Decided:
    """The first decision counts; its run goes on at once."""
    core, actor = core_of(request), request.user.actor
    asked = await approvals.find_approval(
        core, request.user.organization_id, read_id("wai", approval_id)
    )
    chosen = await approvals.decide(
        core, asked, data.decision, comment=data.comment, by=data.by, actor=actor
    )
    return Decided(ids.show("wai", asked.id), ids.show("run", asked.run_id), chosen)


def _decides(request: ApiRequest) -> bool:
    """Whoever has a link can decide: it is for those who may."""
    return may(request.user.scopes, "approvals:write")


async def _page(
    request: ApiRequest,
    kind: str | None,
    run_id: UUID | None,
    cursor: str | None,
    limit: int,
    *,
    links: bool,
) -> Page[WaitView]:
    found = await approvals.open_waits(
        core_of(request),
        request.user.organization_id,
        kind=kind,
        run_id=run_id,
        after=read_id("wai", cursor) if cursor else None,
        limit=limit + 1,
        links=links,
    )
    more = len(found) > limit
    return Page(found[:limit], found[limit - 1].id if more else None)


router = Router(
    path="/",
    tags=["waits"],
    route_handlers=[list_waits, list_approvals, read_approval, decide],
)
