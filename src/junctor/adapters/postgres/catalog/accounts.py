"""Connections and hooks."""

# ruff: noqa: A002 - arguments are called as the columns are

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from junctor.adapters.postgres.catalog.base import Base, given, json_or_none
from junctor.errors import Conflict, Misconfigured
from junctor.language.ids import show
from junctor.ports.catalog import Connection, Hook, Json, Page

_CONNECTION = "The connection"
_HOOK = "The hook"
_TOKEN_BYTES = 16  # 128 bits, as 32 letters and digits


class PostgresAccounts(Base):
    """`ports.catalog.Accounts`."""

    async def create_connection(
        self,
        organization_id: UUID,
        *,
        actor: str,
        id: UUID,
        name: str,
        connector: str,
        kind: str,
        base_url: str,
        settings: Json,
        sealed: bytes,
        team_id: UUID | None = None,
    ) -> Connection:
        async with self._writing("A connection", organization_id) as connection:
            return await self._add(
                connection,
                Connection,
                "create_connection",
                {
                    "organization": organization_id,
                    "id": id,
                    "team": await self._team(connection, organization_id, team_id),
                    "name": name,
                    "connector": connector,
                    "kind": kind,
                    "base_url": base_url,
                    "settings": Jsonb(settings),
                    "sealed": sealed,
                    "actor": actor,
                },
                "con",
                {"name": name, "connector": connector, "base_url": base_url},
            )

    async def connections(
        self,
        organization_id: UUID,
        *,
        connector: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Connection]:
        return await self._newest(
            Connection, "connections", organization_id, cursor, limit, connector=connector
        )

    async def connection(self, organization_id: UUID, id: UUID) -> Connection:
        parameters = {"organization": organization_id, "id": id}
        return await self._read(_CONNECTION, Connection, "connection", parameters)

    async def update_connection(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        name: str | None = None,
        base_url: str | None = None,
        settings: Json | None = None,
        sealed: bytes | None = None,
    ) -> Connection:
        parameters = {
            "organization": organization_id,
            "id": id,
            "actor": actor,
            "revision": revision,
            "name": name,
            "base_url": base_url,
            "settings": json_or_none(settings),
            "sealed": sealed,
        }

        def why(stored: Connection) -> None:
            if sealed is None and base_url not in {None, stored.base_url}:
                raise Misconfigured(
                    reason="the address belongs to the secret: enter the secret again to change it"
                )

        async with self._writing("A connection", organization_id) as connection:
            row = await self._change(
                connection,
                _CONNECTION,
                Connection,
                "update_connection",
                parameters,
                reader="connection",
                why=why,
            )
            changed = given(name=name, base_url=base_url, settings=settings, secret=sealed)
            details: dict[str, Any] = {"changed": changed}
            if base_url is not None:
                details["base_url"] = base_url
            await self._audit(
                connection, organization_id, actor, "update", show("con", id), details
            )
        return row

    async def note_test(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        error: str | None,
    ) -> Connection:
        parameters = {"organization": organization_id, "id": id, "error": error}
        async with self._writing("A connection", organization_id) as connection:
            row = await self._change(
                connection, _CONNECTION, Connection, "note_test", parameters, reader="connection"
            )
            await self._audit(
                connection, organization_id, actor, "test", show("con", id), {"ok": error is None}
            )
        return row

    async def delete_connection(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        parameters = {"organization": organization_id, "id": id, "revision": revision}
        async with self._writing("A connection", organization_id) as connection:
            cursor = await connection.execute(self._sql["connection_users"], parameters)
            users = [str(row[0]) for row in await cursor.fetchall()]
            if users:
                raise Conflict(f"The connection is used by {', '.join(users)}: change these first")
            await self._remove(
                connection,
                _CONNECTION,
                Connection,
                "delete_connection",
                "connection",
                parameters,
                actor,
                show("con", id),
            )

    async def create_hook(
        self,
        organization_id: UUID,
        *,
        actor: str,
        name: str,
        connector: str,
        kind: str,
        id: UUID | None = None,
        scenario_id: UUID | None = None,
        module: int | None = None,
        connection_id: UUID | None = None,
        settings: Json | None = None,
        sealed: bytes | None = None,
        team_id: UUID | None = None,
    ) -> Hook:
        async with self._writing("A hook", organization_id) as connection:
            return await self._add(
                connection,
                Hook,
                "create_hook",
                {
                    "organization": organization_id,
                    "id": id or self._ids.new(),
                    "team": await self._team(connection, organization_id, team_id),
                    "scenario": scenario_id,
                    "module": module,
                    "name": name,
                    "connector": connector,
                    "kind": kind,
                    "token": secrets.token_hex(_TOKEN_BYTES),
                    "connection": connection_id,
                    "settings": Jsonb(settings or {}),
                    "sealed": sealed,
                    "actor": actor,
                },
                "hok",
                {"name": name, "connector": connector, "kind": kind},
            )

    async def hooks(
        self,
        organization_id: UUID,
        *,
        scenario_id: UUID | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Hook]:
        return await self._newest(
            Hook, "hooks", organization_id, cursor, limit, scenario=scenario_id
        )

    async def hook(self, organization_id: UUID, id: UUID) -> Hook:
        return await self._read(_HOOK, Hook, "hook", {"organization": organization_id, "id": id})

    async def update_hook(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        name: str | None = None,
        settings: Json | None = None,
        sealed: bytes | None = None,
        enabled: bool | None = None,
        connection_id: UUID | None = None,
    ) -> Hook:
        parameters = {
            "organization": organization_id,
            "id": id,
            "actor": actor,
            "revision": revision,
            "name": name,
            "settings": json_or_none(settings),
            "sealed": sealed,
            "enabled": enabled,
            "connection": connection_id,
        }
        details = {
            "changed": given(
                name=name,
                settings=settings,
                secret=sealed,
                enabled=enabled,
                connection_id=connection_id,
            )
        }
        return await self._change_hook("update_hook", parameters, actor, "update", details)

    async def bind_hook(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        scenario_id: UUID | None,
        module: int | None,
        revision: int | None = None,
    ) -> Hook:
        parameters = {
            "organization": organization_id,
            "id": id,
            "actor": actor,
            "revision": revision,
            "scenario": scenario_id,
            "module": module,
        }
        details = {
            "scenario": show("scn", scenario_id) if scenario_id else None,
            "module": module,
        }
        return await self._change_hook("bind_hook", parameters, actor, "bind", details)

    async def note_registration(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        registration: Json | None,
        error: str | None,
    ) -> Hook:
        parameters = {
            "organization": organization_id,
            "id": id,
            "registration": json_or_none(registration),
            "error": error,
        }
        details = {"registered": registration is not None, "error": error}
        return await self._change_hook("note_registration", parameters, actor, "register", details)

    async def _change_hook(
        self, query: str, parameters: dict[str, Any], actor: str, verb: str, details: Json
    ) -> Hook:
        organization_id, id_ = parameters["organization"], parameters["id"]
        async with self._writing("A hook", organization_id) as connection:
            row = await self._change(connection, _HOOK, Hook, query, parameters, reader="hook")
            await self._audit(connection, organization_id, actor, verb, show("hok", id_), details)
            await self._tell_doors(connection)
        return row

    async def delete_hook(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        parameters = {"organization": organization_id, "id": id, "revision": revision}
        async with self._writing("A hook", organization_id) as connection:
            await self._remove(
                connection, _HOOK, Hook, "delete_hook", "hook", parameters, actor, show("hok", id)
            )
            await self._tell_doors(connection)
