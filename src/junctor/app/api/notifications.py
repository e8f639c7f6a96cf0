"""Notification channels, and the notices that they tell."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody

from junctor.adapters.postgres.catalog.base import pack, unpack
from junctor.app import notifications as service
from junctor.app.api.http import ApiRequest, Cursor, Limit, Page, core_of, read_id
from junctor.language import ids
from junctor.runtime.notice_texts import Item, public_params, sentence

__all__ = ["router"]

NoticeKind = Literal[
    "run_stopped",
    "errors_repeated",
    "scenario_deactivated",
    "queue_full",
    "connection_marked",
    "connection_expires",
    "key_old",
    "unusual_use",
    "disk_low",
    "backup_failed",
    "spool_damaged",
]


class ChannelView(msgspec.Struct):
    """Whom notices are told; of a webhook's address only scheme and host are shown."""

    id: str
    name: str
    kind: Literal["email", "webhook"]
    address: str
    kinds: list[str]
    scenarios: list[str]
    pause: int
    enabled: bool
    sent_at: datetime | None
    failed_at: datetime | None
    error: str | None
    created_at: datetime
    created_by: str


class AddedView(ChannelView):
    """A new channel; ``secret`` signs its webhook's bodies, and is shown only now."""

    secret: str | None = None


class NewChannel(msgspec.Struct, forbid_unknown_fields=True):
    """A channel to make: ``email`` (addresses, by comma) or ``webhook`` (a URL).

    ``kinds`` and ``scenarios`` (ids or names): only these; none: all. ``pause``: seconds between
    two messages of a kind.
    """

    name: str
    email: str | None = None
    webhook: str | None = None
    kinds: list[NoticeKind] = []
    scenarios: list[str] = []
    pause: Annotated[int, msgspec.Meta(ge=0, le=service.LONGEST_PAUSE)] = service.PAUSE


class ChannelChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; a channel that is not enabled is told nothing."""

    enabled: bool


class NoticeView(msgspec.Struct):
    """One thing that somebody may have to know; ``told``: the names of the channels that were."""

    id: str
    kind: str
    text: str
    scenario: str | None
    scenario_name: str | None
    run: str | None
    subject: str
    params: dict[str, Any]
    created_at: datetime
    told_at: datetime | None
    told: list[str]


class Tried(msgspec.Struct):
    """That a test message arrived."""

    sent: bool = True


def _fields(found: service.Channel) -> dict[str, Any]:
    return {
        "id": ids.show("ntc", found.id),
        "name": found.name,
        "kind": found.kind,
        "address": found.address,
        "kinds": list(found.kinds),
        "scenarios": [ids.show("scn", each) for each in found.scenarios],
        "pause": found.pause_seconds,
        "enabled": found.enabled,
        "sent_at": found.sent_at,
        "failed_at": found.failed_at,
        "error": found.error,
        "created_at": found.created_at,
        "created_by": found.created_by,
    }


def notice_view(found: service.Notice) -> NoticeView:
    """What is shown of a notice: what happened, without what vendors or bundles said."""
    item = Item(
        kind=found.kind,
        count=1,
        first=found.created_at,
        last=found.created_at,
        scenario_id=found.scenario_id,
        scenario=found.scenario,
        run_id=found.run_id,
        subject=found.subject,
        params=found.params,
    )
    return NoticeView(
        id=ids.show("not", found.id),
        kind=found.kind,
        text=sentence(item),
        scenario=ids.show("scn", found.scenario_id) if found.scenario_id else None,
        scenario_name=found.scenario,
        run=ids.show("run", found.run_id) if found.run_id else None,
        subject=found.subject,
        params=public_params(found.params),
        created_at=found.created_at,
        told_at=found.told_at,
        told=list(found.told),
    )


@get("/notification-channels", summary="List notification channels")
async def list_channels(request: ApiRequest) -> Page[ChannelView]:
    """All of them, by name; there are a hundred at most."""
    found = await service.channels(core_of(request), request.user.organization_id)
    return Page(items=[ChannelView(**_fields(each)) for each in found])


@post("/notification-channels", summary="Make a notification channel")
async def create_channel(request: ApiRequest, data: JSONBody[NewChannel]) -> Response[AddedView]:
    """From now on it is told what happens."""
    found, secret = await service.add_channel(
        core_of(request),
        request.user.organization_id,
        actor=request.user.actor,
        name=data.name,
        email=data.email,
        webhook=data.webhook,
        kinds=data.kinds,
        scenarios=data.scenarios,
        pause=data.pause,
    )
    shown = None if secret is None else str.__str__(secret)
    return Response(AddedView(**_fields(found), secret=shown), status_code=201)


@get("/notification-channels/{channel_id:str}", summary="A notification channel")
async def read_channel(request: ApiRequest, channel_id: FromPath[str]) -> ChannelView:
    """One channel."""
    found = await service.channel_of(
        core_of(request), request.user.organization_id, read_id("ntc", channel_id)
    )
    return ChannelView(**_fields(found))


@patch("/notification-channels/{channel_id:str}", summary="Switch a notification channel on or off")
async def change_channel(
    request: ApiRequest, channel_id: FromPath[str], data: JSONBody[ChannelChange]
) -> ChannelView:
    """Off, it is told nothing, not even what waits, and never what happens meanwhile."""
    found = await service.switch_channel(
        core_of(request),
        request.user.organization_id,
        read_id("ntc", channel_id),
        actor=request.user.actor,
        enabled=data.enabled,
    )
    return ChannelView(**_fields(found))


@delete("/notification-channels/{channel_id:str}", summary="Delete a notification channel")
async def delete_channel(request: ApiRequest, channel_id: FromPath[str]) -> None:
    """It is told nothing more, not even what waits."""
    await service.remove_channel(
        core_of(request),
        request.user.organization_id,
        read_id("ntc", channel_id),
        actor=request.user.actor,
    )


@post("/notification-channels/{channel_id:str}/test", summary="Try a channel", status_code=200)
async def test_channel(request: ApiRequest, channel_id: FromPath[str]) -> Tried:
    """Sends a test message at once; what went wrong is the answer's error."""
    core, organization_id = core_of(request), request.user.organization_id
    found = await service.channel_of(core, organization_id, read_id("ntc", channel_id))
    await service.notifier(core).test(organization_id, found.id)
    return Tried()


@get("/notices", summary="List notices")
async def list_notices(
    request: ApiRequest,
    kind: FromQuery[NoticeKind | None] = None,
    scenario: FromQuery[str | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[NoticeView]:
    """What happened that somebody may have to know, newest first; kept for 90 days."""
    found = await service.notices(
        core_of(request),
        request.user.organization_id,
        kind=kind,
        scenario_id=read_id("scn", scenario) if scenario else None,
        before=unpack(cursor, _place),
        limit=limit + 1,
    )
    shown = found[:limit]
    more = len(found) > limit
    last = f"{shown[-1].created_at.isoformat()}|{shown[-1].id}" if more else ""
    return Page(items=[notice_view(each) for each in shown], next=pack(last) if more else None)


def _place(text: str) -> tuple[datetime, UUID]:
    at, _, id_ = text.partition("|")
    return datetime.fromisoformat(at), UUID(id_)


router = Router(
    path="/",
    tags=["notifications"],
    route_handlers=[
        list_channels,
        create_channel,
        read_channel,
        change_channel,
        delete_channel,
        test_channel,
        list_notices,
    ],
)
