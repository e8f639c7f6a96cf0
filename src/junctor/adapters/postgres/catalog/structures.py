"""Data structures."""

# ruff: noqa: A002 - arguments are called as the columns are

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from junctor.adapters.postgres.catalog.base import Base, given
from junctor.errors import Conflict
from junctor.language.ids import show
from junctor.ports.catalog import DataStructure, Page

_WHAT = "The data structure"


class PostgresStructures(Base):
    """`ports.catalog.DataStructures`."""

    async def create_structure(
        self,
        organization_id: UUID,
        *,
        actor: str,
        name: str,
        spec: Sequence[Mapping[str, Any]],
        strict: bool = False,
        team_id: UUID | None = None,
    ) -> DataStructure:
        async with self._writing("A data structure", organization_id) as connection:
            return await self._add(
                connection,
                DataStructure,
                "create_structure",
                {
                    "organization": organization_id,
                    "id": self._ids.new(),
                    "team": await self._team(connection, organization_id, team_id),
                    "name": name,
                    "spec": Jsonb(list(spec)),
                    "strict": strict,
                    "actor": actor,
                },
                "str",
                {"name": name},
            )

    async def structures(
        self, organization_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[DataStructure]:
        return await self._newest(DataStructure, "structures", organization_id, cursor, limit)

    async def structure(self, organization_id: UUID, id: UUID) -> DataStructure:
        parameters = {"organization": organization_id, "id": id}
        return await self._read(_WHAT, DataStructure, "structure", parameters)

    async def update_structure(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        name: str | None = None,
        spec: Sequence[Mapping[str, Any]] | None = None,
        strict: bool | None = None,
    ) -> DataStructure:
        parameters = {
            "organization": organization_id,
            "id": id,
            "actor": actor,
            "revision": revision,
            "name": name,
            "spec": None if spec is None else Jsonb(list(spec)),
            "strict": strict,
        }
        async with self._writing("A data structure", organization_id) as connection:
            row = await self._change(
                connection, _WHAT, DataStructure, "update_structure", parameters, reader="structure"
            )
            changed = given(name=name, spec=spec, strict=strict)
            await self._audit(
                connection, organization_id, actor, "update", show("str", id), {"changed": changed}
            )
        return row

    async def delete_structure(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        parameters = {"organization": organization_id, "id": id, "revision": revision}
        async with self._writing("A data structure", organization_id) as connection:
            cursor = await connection.execute(self._sql["structure_stores"], parameters)
            stores = [f"the data store '{row[0]}'" for row in await cursor.fetchall()]
            if stores:
                raise Conflict(f"{_WHAT} is used by {', '.join(stores)}: change these first")
            await self._unused(connection, _WHAT, "structures", parameters)
            await self._remove(
                connection,
                _WHAT,
                DataStructure,
                "delete_structure",
                "structure",
                parameters,
                actor,
                show("str", id),
            )
