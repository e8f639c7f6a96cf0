"""Data structures."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from psycopg.types.json import Jsonb

from junctor.adapters.postgres.catalog.base import Base, unpack
from junctor.language.ids import show
from junctor.ports.catalog import DataStructure, Json, Page


class PostgresStructures(Base):
    """`ports.catalog.DataStructures`."""

    async def create_structure(
        self,
        organization_id: UUID,
        *,
        actor: str,
        name: str,
        spec: Sequence[Json],
        strict: bool = False,
        team_id: UUID | None = None,
    ) -> DataStructure:
        id_ = self._ids.new()
        async with self._writing("A data structure", organization_id) as connection:
            made = await self._row(
                connection,
                DataStructure,
                "create_structure",
                {
                    "organization": organization_id,
                    "id": id_,
                    "team": await self._team(connection, organization_id, team_id),
                    "name": name,
                    "spec": Jsonb(list(spec)),
                    "strict": strict,
                    "actor": actor,
                },
            )
            assert made is not None
            await self._audit(
                connection, organization_id, actor, "create", show("str", id_), {"name": name}
            )
        return made

    async def structures(
        self, organization_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[DataStructure]:
        return await self._page(
            DataStructure,
            "structures",
            {"organization": organization_id, "before": unpack(cursor, UUID)},
            limit=limit,
            last=lambda row: str(row.id),
        )
