"""The organisation and its API tokens."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from junctor.app.api.http import (
    ApiRequest,
    IfMatch,
    Page,
    based_on,
    core_of,
    read_id,
    tagged,
)
from junctor.app.api.permissions import check_scopes
from junctor.errors import Misconfigured
from junctor.language import ids
from junctor.ports import catalog

__all__ = ["router"]


class OrganizationView(msgspec.Struct):
    """A tenant and its defaults."""

    id: str
    name: str
    zone: str
    locale: str
    country: str
    revision: int
    retention: catalog.Retention = "standard"


class OrganizationChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; what is left out stays."""

    name: str | None = None
    zone: str | None = None
    locale: str | None = None
    country: str | None = None
    retention: catalog.Retention | None = None
    """What scenarios made from now on begin with."""


class TokenView(msgspec.Struct):
    """A token, as it can be known after it was made."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """A token to make: its name and its rights."""

    name: str
    scopes: list[str]
    expires_at: datetime | None = None


class MadeToken(TokenView):
    """A new token with its text, which is shown this once."""

    token: str = ""


def _organization(found: catalog.Organization) -> OrganizationView:
    return OrganizationView(
        id=ids.show("org", found.organization_id),
        name=found.name,
        zone=found.zone,
        locale=found.locale,
        country=found.country,
        revision=found.revision,
        retention=found.retention,
    )


def _fields(token: catalog.Token) -> TokenView:
    return TokenView(
        id=ids.show("tok", token.id),
        name=token.name,
        scopes=list(token.scopes),
        created_at=token.created_at,
        created_by=token.created_by,
        expires_at=token.expires_at,
        used_at=token.used_at,
        revoked_at=token.revoked_at,
    )


@get("/organization", summary="The organisation")
async def read_organization(request: ApiRequest) -> Response[OrganizationView]:
    """The organisation this token belongs to."""
    found = await core_of(request).catalog.organization(request.user.organization_id)
    return tagged(_organization(found), found.revision)


@patch("/organization", summary="Change the organisation")
async def change_organization(
    request: ApiRequest, data: JSONBody[OrganizationChange], if_match: IfMatch = None
) -> Response[OrganizationView]:
    """Changes name, time zone, locale, country or what history new scenarios keep."""
    core = core_of(request)
    read = partial(core.catalog.organization, request.user.organization_id)
    async with based_on(if_match, read) as expected:
        found = await core.catalog.update_organization(
            request.user.organization_id,
            actor=request.user.actor,
            revision=expected,
            name=data.name,
            zone=data.zone,
            locale=data.locale,
            country=data.country,
            retention=data.retention,
        )
    return tagged(_organization(found), found.revision)


@get("/tokens", summary="List API tokens")
async def list_tokens(request: ApiRequest) -> Page[TokenView]:
    """All tokens, revoked ones included; never their text."""
    found = await core_of(request).catalog.tokens(request.user.organization_id)
    return Page(items=[_fields(token) for token in found])


@post("/tokens", summary="Make an API token")
async def make_token(request: ApiRequest, data: JSONBody[NewToken]) -> MadeToken:
    """Makes a token with at most the rights of the one that asks. Its text is shown this once."""
    if not data.name.strip():
        raise Misconfigured("A token needs a name.", path="name")
    if data.expires_at is not None and data.expires_at.tzinfo is None:
        raise Misconfigured("Give expires_at with its offset, e.g. …Z.", path="expires_at")
    scopes = check_scopes(data.scopes, request.user.scopes)
    token, text = await core_of(request).catalog.create_token(
        request.user.organization_id,
        actor=request.user.actor,
        name=data.name.strip()[:200],
        scopes=scopes,
        expires_at=data.expires_at,
    )
    return MadeToken(**msgspec.structs.asdict(_fields(token)), token=str.__str__(text))


@delete("/tokens/{token_id:str}", summary="Revoke an API token", status_code=200)
async def revoke_token(request: ApiRequest, token_id: FromPath[str]) -> TokenView:
    """Revokes a token at once; it stays listed."""
    token = await core_of(request).catalog.revoke_token(
        request.user.organization_id, read_id("tok", token_id), actor=request.user.actor
    )
    return _fields(token)


router = Router(
    path="/",
    tags=["organization"],
    route_handlers=[read_organization, change_organization, list_tokens, make_token, revoke_token],
)
