"""Data stores and their records."""

# ruff: noqa: A002 - arguments are called as the columns are

from __future__ import annotations

from uuid import UUID

from psycopg.types.json import Jsonb

from junctor.adapters.postgres.catalog.base import Base, unpack
from junctor.errors import NotFound
from junctor.language.ids import show
from junctor.ports.catalog import DataRecord, DataStore, Json, Page

_WHAT = "The data store"


class PostgresStores(Base):
    """`ports.catalog.DataStores`."""

    async def create_store(
        self,
        organization_id: UUID,
        *,
        actor: str,
        name: str,
        structure: Json | None = None,
        structure_id: UUID | None = None,
        team_id: UUID | None = None,
    ) -> DataStore:
        id_ = self._ids.new()
        async with self._writing("A data store", organization_id) as connection:
            made = await self._row(
                connection,
                DataStore,
                "create_store",
                {
                    "organization": organization_id,
                    "id": id_,
                    "team": await self._team(connection, organization_id, team_id),
                    "name": name,
                    "structure": Jsonb(structure or {}),
                    "structure_id": structure_id,
                    "actor": actor,
                },
            )
            assert made is not None
            await self._audit(
                connection, organization_id, actor, "create", show("dst", id_), {"name": name}
            )
        return made

    async def stores(
        self, organization_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[DataStore]:
        return await self._page(
            DataStore,
            "stores",
            {"organization": organization_id, "before": unpack(cursor, UUID)},
            limit=limit,
            last=lambda row: str(row.id),
        )

    async def store(self, organization_id: UUID, id: UUID) -> DataStore:
        parameters = {"organization": organization_id, "id": id}
        return await self._read(_WHAT, DataStore, "store", parameters)

    async def delete_store(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        parameters = {"organization": organization_id, "id": id, "revision": revision}
        async with self._writing("A data store", organization_id) as connection:
            await self._remove(
                connection,
                _WHAT,
                DataStore,
                "delete_store",
                "store",
                parameters,
                actor,
                show("dst", id),
            )

    async def put_record(
        self, organization_id: UUID, store_id: UUID, key: str, data: Json, *, actor: str
    ) -> DataRecord:
        parameters = {
            "organization": organization_id,
            "store": store_id,
            "key": key,
            "data": Jsonb(data),
            "actor": actor,
        }
        async with self._writing("The record", organization_id) as connection:
            row = await self._row(connection, DataRecord, "put_record", parameters)
            assert row is not None
            await self._audit(
                connection,
                organization_id,
                actor,
                "put_record",
                show("dst", store_id),
                {"key": key},
            )
        return row

    async def record(self, organization_id: UUID, store_id: UUID, key: str) -> DataRecord:
        parameters = {"organization": organization_id, "store": store_id, "key": key}
        return await self._read("The record", DataRecord, "record", parameters)

    async def records(
        self, organization_id: UUID, store_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[DataRecord]:
        return await self._page(
            DataRecord,
            "records",
            {"organization": organization_id, "store": store_id, "after": unpack(cursor, str)},
            limit=limit,
            last=lambda row: row.key,
        )

    async def delete_record(
        self, organization_id: UUID, store_id: UUID, key: str, *, actor: str
    ) -> None:
        parameters = {"organization": organization_id, "store": store_id, "key": key}
        async with self._writing("The record", organization_id) as connection:
            if await self._value(connection, "delete_record", parameters) is None:
                raise NotFound(what="The record")
            await self._audit(
                connection,
                organization_id,
                actor,
                "delete_record",
                show("dst", store_id),
                {"key": key},
            )
