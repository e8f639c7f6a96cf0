"""A person's data erased."""

from __future__ import annotations

import msgspec
from litestar import Router, post
from litestar.params import JSONBody

from junctor.app.api.http import ApiRequest, core_of
from junctor.app.erase import erase
from junctor.app.views_erase import ErasureView, erasure_view
from junctor.language.people import Person

__all__ = ["router"]

WITHIN = 20.0
"""Seconds of work per request; asked again, it goes on."""


class NewErasure(msgspec.Struct, forbid_unknown_fields=True):
    """Who (numbers with country code, addresses, words such as a full name), and how."""

    phones: list[str] = msgspec.field(default_factory=list)
    emails: list[str] = msgspec.field(default_factory=list)
    texts: list[str] = msgspec.field(default_factory=list)
    dry_run: bool = False
    thorough: bool = False
    include_queued: bool = False


@post("/erasures", summary="Erase a person's data", status_code=200)
async def make_erasure(request: ApiRequest, data: JSONBody[NewErasure]) -> ErasureView:
    """Finds what names them everywhere and erases it, for up to 20 seconds; if it is not done by
    then, the same request goes on. It can't be undone.
    """
    core = core_of(request)
    organization = await core.catalog.organization(request.user.organization_id)
    person = Person(
        phones=data.phones, emails=data.emails, words=data.texts, region=organization.country
    )
    report = await erase(
        core,
        request.user.organization_id,
        person,
        actor=request.user.actor,
        dry_run=data.dry_run,
        thorough=data.thorough,
        include_queued=data.include_queued,
        within=WITHIN,
    )
    return erasure_view(report)


router = Router(path="/", tags=["runs"], route_handlers=[make_erasure])
