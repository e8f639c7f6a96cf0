"""Organisations, teams, tokens, processes, and the audit log."""

# ruff: noqa: A002 - arguments are called as the columns are

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from junctor.adapters.postgres.catalog.base import Base, unpack
from junctor.adapters.postgres.database import tenant
from junctor.errors import Misconfigured, NotFound
from junctor.language.connector import Secret
from junctor.language.ids import show
from junctor.ports.catalog import AuditEntry, Json, Node, Organization, Page, Retention, Team, Token

TOKEN_PREFIX: Final = "jct_"  # noqa: S105 - the part of a token that isn't secret


class PostgresOrganizations(Base):
    """`ports.catalog.Organizations`."""

    async def create_organization(
        self,
        name: str,
        *,
        actor: str,
        zone: str = "UTC",
        locale: str = "en",
        country: str = "",
        team: str = "Everyone",
    ) -> tuple[Organization, Team]:
        _check_zone(zone)
        parameters = {
            "organization": self._ids.new(),
            "name": name,
            "zone": zone,
            "locale": locale,
            "country": country,
            "actor": actor,
        }
        # The engine's role: the API's can't see an organisation that isn't named yet.
        async with self._engine.connection() as connection, connection.transaction():
            made = await self._row(connection, Organization, "create_organization", parameters)
            assert made is not None
            first = await self._row(
                connection, Team, "create_team", {**parameters, "id": self._ids.new(), "name": team}
            )
            assert first is not None
            await self._audit(
                connection,
                made.organization_id,
                actor,
                "create",
                show("org", made.organization_id),
                {"name": name},
            )
        return made, first

    async def organizations(self) -> list[Organization]:
        async with self._engine.connection() as connection:
            return await self._rows(connection, Organization, "organizations", {})

    async def organization(self, organization_id: UUID) -> Organization:
        return await self._read(
            "The organisation", Organization, "organization", {"organization": organization_id}
        )

    async def update_organization(
        self,
        organization_id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        name: str | None = None,
        zone: str | None = None,
        locale: str | None = None,
        country: str | None = None,
        retention: Retention | None = None,
    ) -> Organization:
        if zone is not None:
            _check_zone(zone)
        changes = {
            "name": name,
            "zone": zone,
            "locale": locale,
            "country": country,
            "retention": retention,
        }
        parameters = {"organization": organization_id, "revision": revision, **changes}
        what = "The organisation"
        async with self._writing(what, organization_id) as connection:
            row = await self._change(
                connection,
                what,
                Organization,
                "update_organization",
                parameters,
                reader="organization",
            )
            await self._audit(
                connection,
                organization_id,
                actor,
                "update",
                show("org", organization_id),
                {key: value for key, value in changes.items() if value is not None},
            )
        return row

    async def teams(self, organization_id: UUID) -> list[Team]:
        return await self._list(Team, "teams", {"organization": organization_id})

    async def create_token(
        self,
        organization_id: UUID,
        *,
        actor: str,
        name: str,
        scopes: Sequence[str],
        expires_at: datetime | None = None,
    ) -> tuple[Token, Secret]:
        text = Secret(TOKEN_PREFIX + secrets.token_urlsafe(32))
        async with self._writing("A token", organization_id) as connection:
            made = await self._add(
                connection,
                Token,
                "create_token",
                {
                    "organization": organization_id,
                    "id": self._ids.new(),
                    "name": name,
                    "hash": _hash(text),
                    "scopes": list(scopes),
                    "actor": actor,
                    "expires_at": expires_at,
                },
                "tok",
                {"name": name, "scopes": list(scopes)},
            )
        return made, text

    async def find_token(self, text: str) -> Token | None:
        if not text.startswith(TOKEN_PREFIX):
            return None
        async with self._engine.connection() as connection:
            return await self._row(connection, Token, "find_token", {"hash": _hash(text)})

    async def tokens(self, organization_id: UUID) -> list[Token]:
        return await self._list(Token, "tokens", {"organization": organization_id})

    async def revoke_token(self, organization_id: UUID, id: UUID, *, actor: str) -> Token:
        async with self._writing("A token", organization_id) as connection:
            row = await self._row(
                connection, Token, "revoke_token", {"organization": organization_id, "id": id}
            )
            if row is None:
                raise NotFound(what="The token")
            await self._audit(connection, organization_id, actor, "revoke", show("tok", id))
        return row

    async def nodes(self) -> list[Node]:
        async with self._engine.connection() as connection:
            return await self._rows(connection, Node, "nodes", {})

    async def note(
        self,
        organization_id: UUID,
        *,
        actor: str,
        verb: str,
        object: str,
        details: Json,
    ) -> None:
        async with tenant(self._api, organization_id) as connection:
            await self._audit(connection, organization_id, actor, verb, object, details)

    async def audit(
        self, organization_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[AuditEntry]:
        return await self._page(
            AuditEntry,
            "audit",
            {"organization": organization_id, "before": unpack(cursor, int)},
            limit=limit,
            last=lambda entry: str(entry.seq),
        )

    async def verify_audit(self, organization_id: UUID) -> int | None:
        async with tenant(self._api, organization_id) as connection:
            found = await self._value(connection, "verify_audit", {"organization": organization_id})
        return None if found is None else int(found)


def _hash(text: str) -> bytes:
    # A token holds 256 random bits: a slow password hash would add nothing.
    return hashlib.sha256(text.encode()).digest()


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Misconfigured(
            reason=f"'{zone[:60]}' is no time zone; one is written like Europe/Berlin"
        ) from error
