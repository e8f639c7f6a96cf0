"""The part of the catalogue that holds records: data stores, and the structures they may have.

What every part of it does alike is said in `ports.catalog`.
"""

# ruff: noqa: A002 - arguments are called as the columns are

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from junctor.ports.catalog_rows import DataRecord, DataStore, DataStructure, Json, Page

__all__ = ["DataStores", "DataStructures"]


class DataStores(Protocol):
    """Data stores and their records.

    A record's data is JSON as `language.records.stored` makes it; nobody here looks into it.
    """

    async def create_store(
        self,
        organization_id: UUID,
        *,
        actor: str,
        name: str,
        structure_id: UUID | None = None,
        team_id: UUID | None = None,
    ) -> DataStore:
        """A new, empty data store; in the first team by default."""

    async def stores(
        self, organization_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[DataStore]:
        """Data stores."""

    async def store(self, organization_id: UUID, id: UUID) -> DataStore:
        """One data store."""

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
        """Changes what is given; ``unbind`` takes its structure away. Records stay as they are."""

    async def delete_store(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        """With all its records. `Conflict` while a draft or a published version uses it."""

    async def put_record(
        self, organization_id: UUID, store_id: UUID, key: str, data: Json, *, actor: str
    ) -> DataRecord:
        """Adds or replaces a record."""

    async def put_records(
        self, organization_id: UUID, store_id: UUID, records: Mapping[str, Json], *, actor: str
    ) -> None:
        """Adds or replaces some hundred records at once, in one transaction."""

    async def record(self, organization_id: UUID, store_id: UUID, key: str) -> DataRecord:
        """One record."""

    async def records(
        self, organization_id: UUID, store_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[DataRecord]:
        """By key."""

    async def count_records(self, organization_id: UUID, store_id: UUID) -> int:
        """How many there are."""

    async def delete_record(
        self, organization_id: UUID, store_id: UUID, key: str, *, actor: str
    ) -> None:
        """Removes one record."""

    async def clear_records(self, organization_id: UUID, store_id: UUID, *, actor: str) -> int:
        """Removes all records; says how many there were."""


class DataStructures(Protocol):
    """What records and bundles should look like: fields as `language.structures` reads them."""

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
        """A new data structure; in the first team by default."""

    async def structures(
        self, organization_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[DataStructure]:
        """Data structures."""

    async def structure(self, organization_id: UUID, id: UUID) -> DataStructure:
        """One data structure."""

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
        """Changes what is given. Stored records stay as they are."""

    async def delete_structure(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        """`Conflict` while a data store, a draft or a published version uses it."""
