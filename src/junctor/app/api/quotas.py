"""What the organisation may keep, and what it keeps."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Router, get, patch
from litestar.params import JSONBody

from junctor.app import quotas as service
from junctor.app.api.http import ApiRequest, core_of

__all__ = ["router"]

Most = Annotated[int, msgspec.Meta(ge=0, le=service.MOST)]


class QuotaView(msgspec.Struct):
    """What it may keep; null: as much as there is room for."""

    queued_deliveries: int | None
    queued_bytes: int | None
    stored_bytes: int | None
    records: int | None
    queue_minutes: int
    updated_at: datetime | None
    updated_by: str | None


class UsedView(msgspec.Struct):
    """What it keeps; null: not counted, as it has no limit."""

    queued_deliveries: int
    queued_bytes: int
    oldest_at: datetime | None
    stored_bytes: int | None
    records: int | None
    counted_at: datetime | None


class QuotasView(msgspec.Struct):
    """Both."""

    limits: QuotaView
    used: UsedView


class QuotaChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; what is left out stays, and null takes a limit away."""

    queued_deliveries: Most | msgspec.UnsetType | None = msgspec.UNSET
    queued_bytes: Most | msgspec.UnsetType | None = msgspec.UNSET
    stored_bytes: Most | msgspec.UnsetType | None = msgspec.UNSET
    records: Most | msgspec.UnsetType | None = msgspec.UNSET
    queue_minutes: Annotated[int, msgspec.Meta(ge=0, le=100_000)] | msgspec.UnsetType = (
        msgspec.UNSET
    )


async def _view(request: ApiRequest) -> QuotasView:
    core, organization_id = core_of(request), request.user.organization_id
    limits = await service.quota_of(core, organization_id)
    used = await service.used_by(core, organization_id)
    return QuotasView(QuotaView(**asdict(limits)), UsedView(**asdict(used)))


@get("/organization/quotas", summary="Limits and what is used")
async def read_quotas(request: ApiRequest) -> QuotasView:
    """What the organisation may keep, and what it keeps."""
    return await _view(request)


@patch("/organization/quotas", summary="Change limits")
async def change_quotas(request: ApiRequest, data: JSONBody[QuotaChange]) -> QuotasView:
    """New limits; doors hold to them within seconds."""
    names = (*service.LIMITS, "queue_minutes")
    given = {name: value for name in names if (value := getattr(data, name)) is not msgspec.UNSET}
    await service.change_quota(
        core_of(request), request.user.organization_id, given, actor=request.user.actor
    )
    return await _view(request)


router = Router(path="/", tags=["organization"], route_handlers=[read_quotas, change_quotas])
