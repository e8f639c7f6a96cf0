"""Data stores and their records."""

# ruff: noqa: A002 - arguments are called as the columns are

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

from psycopg.types.json import Jsonb

from junctor.adapters.postgres.catalog.base import Base, given, unpack
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
        structure_id: UUID | None = None,
        team_id: UUID | None = None,
    ) -> DataStore:
        async with self._writing("A data store", organization_id) as connection:
            return await self._add(
                connection,
                DataStore,
                "create_store",
                {
                    "organization": organization_id,
                    "id": self._ids.new(),
                    "team": await self._team(connection, organization_id, team_id),
                    "name": name,
                    "structure": structure_id,
                    "actor": actor,
                },
                "dst",
                {"name": name},
            )

    async def stores(
        self, organization_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[DataStore]:
        return await self._newest(DataStore, "stores", organization_id, cursor, limit)

    async def store(self, organization_id: UUID, id: UUID) -> DataStore:
        parameters = {"organization": organization_id, "id": id}
        return await self._read(_WHAT, DataStore, "store", parameters)

    async def update_store(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        name: str | None = None,
        structure_id: UUID | None = None,
        unbind: bool = False,
    ) -> DataStore:
        parameters = {
            "organization": organization_id,
            "id": id,
            "actor": actor,
            "revision": revision,
            "name": name,
            "structure": structure_id,
            "unbind": unbind,
        }
        async with self._writing("A data store", organization_id) as connection:
            row = await self._change(
                connection, _WHAT, DataStore, "update_store", parameters, reader="store"
            )
            changed = given(name=name, structure=structure_id or (unbind or None))
            await self._audit(
                connection, organization_id, actor, "update", show("dst", id), {"changed": changed}
            )
        return row

    async def delete_store(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        parameters = {"organization": organization_id, "id": id, "revision": revision}
        async with self._writing("A data store", organization_id) as connection:
            await self._unused(connection, _WHAT, "stores", parameters)
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

    async def put_records(
        self, organization_id: UUID, store_id: UUID, records: Mapping[str, Json], *, actor: str
    ) -> None:
        parameters = {
            "organization": organization_id,
            "store": store_id,
            "keys": list(records),
            "data": [json.dumps(data) for data in records.values()],
            "actor": actor,
        }
        async with self._writing("The record", organization_id) as connection:
            await connection.execute(self._sql["put_records"], parameters)
            await self._audit(
                connection,
                organization_id,
                actor,
                "put_records",
                show("dst", store_id),
                {"count": len(records)},
            )

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

    async def count_records(self, organization_id: UUID, store_id: UUID) -> int:
        parameters = {"organization": organization_id, "store": store_id}
        async with self._tenant(organization_id) as connection:
            return int(await self._value(connection, "count_records", parameters))

    async def clear_records(self, organization_id: UUID, store_id: UUID, *, actor: str) -> int:
        parameters = {"organization": organization_id, "store": store_id, "id": store_id}
        async with self._writing("The record", organization_id) as connection:
            if await self._row(connection, DataStore, "store", parameters) is None:
                raise NotFound(what=_WHAT)
            count = int(await self._value(connection, "clear_records", parameters))
            await self._audit(
                connection,
                organization_id,
                actor,
                "clear_records",
                show("dst", store_id),
                {"count": count},
            )
        return count
