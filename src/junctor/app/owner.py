"""The first organisation and its owner's token: each made once, the token shown once."""

from __future__ import annotations

from uuid import UUID

from psycopg import AsyncConnection

from junctor.app.core import Core
from junctor.language.connector import Secret

__all__ = ["ensure_organization", "ensure_owner"]

_LOCK = 0x6A6374_01
"""So that two first starts at once make one."""
_ACTOR = "system:setup"


async def ensure_organization(core: Core) -> UUID:
    """The installation's first organisation, made if there is none."""
    found = await core.catalog.organizations()
    if found:
        return found[0].organization_id
    connection = await AsyncConnection.connect(core.url, autocommit=True)
    async with connection:
        await connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        found = await core.catalog.organizations()
        if found:
            return found[0].organization_id
        made, _team = await core.catalog.create_organization("My organisation", actor=_ACTOR)
        return made.organization_id


async def ensure_owner(core: Core) -> Secret | None:
    """The owner's token, if there is no token yet; ``None`` ever after."""
    organization_id = await ensure_organization(core)
    if await core.catalog.tokens(organization_id):
        return None
    connection = await AsyncConnection.connect(core.url, autocommit=True)
    async with connection:
        await connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        if await core.catalog.tokens(organization_id):
            return None
        _token, text = await core.catalog.create_token(
            organization_id, actor=_ACTOR, name="Owner", scopes=["owner"]
        )
        return text
