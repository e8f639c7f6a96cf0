"""When scenarios start by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from junctor.adapters.postgres.catalog.base import Base
from junctor.adapters.postgres.database import Connection
from junctor.adapters.postgres.queries import load
from junctor.errors import Conflict, NotFound
from junctor.language.firings import Missed
from junctor.language.ids import show
from junctor.ports.catalog import Json, StoredSchedule

_WHAT = "The scenario's schedule"


class PostgresSchedules(Base):
    """`ports.catalog.Schedules`."""

    @property
    def _queries(self) -> Mapping[str, str]:
        return load("schedules")

    async def schedule(self, organization_id: UUID, scenario_id: UUID) -> StoredSchedule:
        where = {"organization": organization_id, "scenario": scenario_id}
        async with self._tenant(organization_id) as connection:
            found = await self._stored(connection, "schedule", where)
        if found is None:
            raise NotFound(what=_WHAT)
        return found

    async def add_schedule(
        self, organization_id: UUID, scenario_id: UUID, *, actor: str, scheduling: Json
    ) -> None:
        where = {"organization": organization_id, "scenario": scenario_id}
        async with self._writing(_WHAT, organization_id) as connection:
            await connection.execute(
                self._queries["add_schedule"],
                {
                    **where,
                    "active": await self._active(connection, where),
                    "scheduling": Jsonb(scheduling),
                    "actor": actor,
                },
            )

    async def put_schedule(
        self,
        organization_id: UUID,
        scenario_id: UUID,
        *,
        actor: str,
        scheduling: Json,
        zone: str | None = None,
        missed: Missed = "once",
        max_per_minute: int | None = None,
        paused: bool = False,
        revision: int | None = None,
    ) -> StoredSchedule:
        where = {"organization": organization_id, "scenario": scenario_id}
        given = {
            "zone": zone,
            "missed": missed,
            "max_per_minute": max_per_minute,
            "paused": paused,
        }
        async with self._writing(_WHAT, organization_id) as connection:
            stored = await self._stored(
                connection,
                "put_schedule",
                {
                    **where,
                    **given,
                    "active": await self._active(connection, where),
                    "scheduling": Jsonb(scheduling),
                    "actor": actor,
                    "revision": revision,
                },
            )
            if stored is None:
                raise Conflict(what=_WHAT)
            await self._audit(
                connection,
                organization_id,
                actor,
                "schedule",
                show("scn", scenario_id),
                {"scheduling": dict(scheduling), **given},
            )
        return stored

    async def delete_schedule(
        self, organization_id: UUID, scenario_id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        where = {"organization": organization_id, "scenario": scenario_id, "revision": revision}
        async with self._writing(_WHAT, organization_id) as connection:
            cursor = await connection.execute(self._queries["delete_schedule"], where)
            if await cursor.fetchone() is None:
                if await self._stored(connection, "schedule", where) is None:
                    raise NotFound(what=_WHAT)
                raise Conflict(what=_WHAT)
            await self._audit(
                connection, organization_id, actor, "unschedule", show("scn", scenario_id)
            )

    async def server_clock(self) -> datetime:
        async with self._api.connection() as connection:
            row = await (await connection.execute(self._queries["server_clock"])).fetchone()
        assert row is not None
        now: datetime = row[0]
        return now

    async def _active(self, connection: Connection, where: Mapping[str, Any]) -> bool:
        row = await (await connection.execute(self._queries["schedule_scenario"], where)).fetchone()
        if row is None:
            raise NotFound(what="The scenario")
        return bool(row[0])

    async def _stored(
        self, connection: Connection, name: str, parameters: Mapping[str, Any]
    ) -> StoredSchedule | None:
        async with connection.cursor(row_factory=class_row(StoredSchedule)) as cursor:
            await cursor.execute(self._queries[name], parameters, binary=True)
            return await cursor.fetchone()
