"""The first organisation and its owner's token: made once, shown once."""

from __future__ import annotations

from psycopg import AsyncConnection

from junctor.app.core import Core
from junctor.language.connector import Secret

__all__ = ["ensure_owner"]

_LOCK = 0x6A6374_01
"""So that two first starts at once make one owner."""


async def ensure_owner(core: Core, *, actor: str = "system:setup") -> Secret | None:
    """The owner's token at the first call on a database; ``None`` ever after."""
    connection = await AsyncConnection.connect(core.url, autocommit=True)
    async with connection:
        await connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        if await core.catalog.organizations():
            return None
        organization, _team = await core.catalog.create_organization("My organisation", actor=actor)
        _token, text = await core.catalog.create_token(
            organization.organization_id, actor=actor, name="Owner", scopes=["owner"]
        )
        return text
