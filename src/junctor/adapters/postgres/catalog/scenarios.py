"""Scenarios and their versions."""

# ruff: noqa: A002 - arguments are called as the columns are

from __future__ import annotations

from typing import Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from junctor.adapters.postgres.catalog.base import Base, unpack
from junctor.errors import Conflict, NotFound
from junctor.language.ids import show
from junctor.ports.catalog import (
    Detail,
    Json,
    Page,
    Retention,
    Scenario,
    Version,
    VersionInfo,
)

_WHAT = "The scenario"


class PostgresScenarios(Base):
    """`ports.catalog.Scenarios`."""

    async def create_scenario(
        self,
        organization_id: UUID,
        *,
        actor: str,
        name: str,
        blueprint: str,
        bindings: Json | None = None,
        team_id: UUID | None = None,
        detail: Detail = "full",
        retention: Retention | None = None,
        confidential: bool = False,
    ) -> Scenario:
        id_ = self._ids.new()
        async with self._writing(_WHAT, organization_id) as connection:
            made = await self._add(
                connection,
                Scenario,
                "create_scenario",
                {
                    "organization": organization_id,
                    "id": id_,
                    "team": await self._team(connection, organization_id, team_id),
                    "name": name,
                    "detail": detail,
                    "retention": retention,
                    "confidential": confidential,
                    "actor": actor,
                },
                "scn",
                {"name": name},
            )
            await connection.execute(
                self._sql["create_version"],
                {
                    "organization": organization_id,
                    "scenario": id_,
                    "version": 1,
                    "blueprint": blueprint,
                    "bindings": Jsonb(bindings or {}),
                    "actor": actor,
                },
            )
        return made

    async def scenarios(
        self,
        organization_id: UUID,
        *,
        active: bool | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Scenario]:
        return await self._newest(
            Scenario, "scenarios", organization_id, cursor, limit, active=active
        )

    async def scenario(self, organization_id: UUID, id: UUID) -> Scenario:
        parameters = {"organization": organization_id, "id": id}
        return await self._read(_WHAT, Scenario, "scenario", parameters)

    async def update_scenario(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        name: str | None = None,
        detail: Detail | None = None,
        retention: Retention | None = None,
        confidential: bool | None = None,
    ) -> Scenario:
        changes = {
            "name": name,
            "detail": detail,
            "retention": retention,
            "confidential": confidential,
        }
        parameters = {
            "organization": organization_id,
            "id": id,
            "actor": actor,
            "revision": revision,
            **changes,
        }
        async with self._writing(_WHAT, organization_id) as connection:
            row = await self._change(
                connection, _WHAT, Scenario, "update_scenario", parameters, reader="scenario"
            )
            await self._audit(
                connection,
                organization_id,
                actor,
                "update",
                show("scn", id),
                {key: value for key, value in changes.items() if value is not None},
            )
        return row

    async def save_draft(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        blueprint: str,
        bindings: Json,
        confidential: bool = False,
        revision: int | None = None,
    ) -> Scenario:
        parameters = {
            "organization": organization_id,
            "id": id,
            "confidential": confidential,
            "actor": actor,
            "revision": revision,
        }
        async with self._writing(_WHAT, organization_id) as connection:
            # Locked by a statement of its own: the next one must see what another saver committed.
            await connection.execute(self._sql["lock_scenario"], parameters)
            row = await self._change(
                connection, _WHAT, Scenario, "raise_draft", parameters, reader="scenario"
            )
            await connection.execute(
                self._sql["create_version"],
                {
                    "organization": organization_id,
                    "scenario": id,
                    "version": row.draft,
                    "blueprint": blueprint,
                    "bindings": Jsonb(bindings),
                    "actor": actor,
                },
            )
            await self._audit(
                connection,
                organization_id,
                actor,
                "save",
                show("scn", id),
                {"version": row.draft},
            )
        return row

    async def publish(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        version: int | None = None,
        revision: int | None = None,
    ) -> Scenario:
        parameters = {
            "organization": organization_id,
            "id": id,
            "actor": actor,
            "version": version,
            "revision": revision,
        }

        def why(stored: Scenario) -> None:
            if revision is None or stored.revision == revision:
                raise NotFound(what=f"Version {version} of the scenario")

        async with self._writing(_WHAT, organization_id) as connection:
            row = await self._change(
                connection, _WHAT, Scenario, "publish", parameters, reader="scenario", why=why
            )
            await self._audit(
                connection,
                organization_id,
                actor,
                "publish",
                show("scn", id),
                {"version": row.published},
            )
            await self._tell_doors(connection)  # who answers, and in which order, may be another
        return row

    async def set_active(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        active: bool,
        revision: int | None = None,
    ) -> Scenario:
        parameters = {
            "organization": organization_id,
            "id": id,
            "actor": actor,
            "active": active,
            "revision": revision,
        }

        def why(stored: Scenario) -> None:
            if active and stored.published is None:
                raise Conflict(f"The scenario '{stored.name}' can't run yet: publish it first")

        async with self._writing(_WHAT, organization_id) as connection:
            row = await self._change(
                connection, _WHAT, Scenario, "set_active", parameters, reader="scenario", why=why
            )
            verb = "activate" if active else "deactivate"
            await self._audit(connection, organization_id, actor, verb, show("scn", id))
            await self._tell_doors(connection)  # one that was draining takes deliveries again
        return row

    async def hold_scenario(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        how: Literal["pause", "proceed", "drain"],
        revision: int | None = None,
    ) -> Scenario:
        parameters = {
            "organization": organization_id,
            "id": id,
            "actor": actor,
            "revision": revision,
        }

        def why(stored: Scenario) -> None:
            if not stored.active:
                raise Conflict(f"The scenario '{stored.name}' is not active: activate it first")

        async with self._writing(_WHAT, organization_id) as connection:
            row = await self._change(
                connection, _WHAT, Scenario, how, parameters, reader="scenario", why=why
            )
            await self._audit(connection, organization_id, actor, how, show("scn", id))
            await self._tell_doors(connection)
        return row

    async def delete_scenario(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        parameters = {"organization": organization_id, "id": id, "revision": revision}
        async with self._writing(_WHAT, organization_id) as connection:
            name = await self._value(connection, "delete_scenario", parameters)
            if name is None:
                stored = await self._row(connection, Scenario, "scenario", parameters)
                if stored is None:
                    raise NotFound(what=_WHAT)
                if stored.active:
                    raise Conflict(f"The scenario '{stored.name}' is active: deactivate it first")
                raise Conflict(what=_WHAT)
            dropped = await self._value(connection, "forget_deliveries", parameters)
            await self._audit(
                connection,
                organization_id,
                actor,
                "delete",
                show("scn", id),
                {"name": name, "deliveries": dropped},
            )
            await self._tell_doors(connection)

    async def versions(
        self,
        organization_id: UUID,
        scenario_id: UUID,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[VersionInfo]:
        return await self._page(
            VersionInfo,
            "versions",
            {
                "organization": organization_id,
                "scenario": scenario_id,
                "before": unpack(cursor, int),
            },
            limit=limit,
            last=lambda row: str(row.version),
        )

    async def version(self, organization_id: UUID, scenario_id: UUID, version: int) -> Version:
        return await self._read(
            f"Version {version} of the scenario",
            Version,
            "version",
            {"organization": organization_id, "scenario": scenario_id, "version": version},
        )
