"""Custom variables."""

# ruff: noqa: A002 - arguments are called as the columns are

from __future__ import annotations

from uuid import UUID

from psycopg.types.json import Jsonb

from junctor.adapters.postgres.catalog.base import Base
from junctor.language.ids import show
from junctor.ports.catalog import Json, Page, Variable

_WHAT = "The variable"


class PostgresVariables(Base):
    """`ports.catalog.Variables`."""

    async def create_variable(
        self,
        organization_id: UUID,
        *,
        actor: str,
        name: str,
        value: Json,
        team_id: UUID | None = None,
    ) -> Variable:
        async with self._writing("A variable", organization_id) as connection:
            return await self._add(
                connection,
                Variable,
                "create_variable",
                {
                    "organization": organization_id,
                    "id": self._ids.new(),
                    "team": team_id,
                    "name": name,
                    "value": Jsonb(value),
                    "actor": actor,
                },
                "var",
                {"name": name},
            )

    async def variables(
        self, organization_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[Variable]:
        return await self._newest(Variable, "variables", organization_id, cursor, limit)

    async def variable(self, organization_id: UUID, id: UUID) -> Variable:
        parameters = {"organization": organization_id, "id": id}
        return await self._read(_WHAT, Variable, "variable", parameters)

    async def update_variable(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        value: Json,
    ) -> Variable:
        parameters = {
            "organization": organization_id,
            "id": id,
            "actor": actor,
            "revision": revision,
            "value": Jsonb(value),
        }
        async with self._writing(_WHAT, organization_id) as connection:
            row = await self._change(
                connection, _WHAT, Variable, "update_variable", parameters, reader="variable"
            )
            await self._audit(
                connection, organization_id, actor, "update", show("var", id), {"name": row.name}
            )
        return row

    async def delete_variable(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        parameters = {"organization": organization_id, "id": id, "revision": revision}
        async with self._writing(_WHAT, organization_id) as connection:
            await self._remove(
                connection,
                _WHAT,
                Variable,
                "delete_variable",
                "variable",
                parameters,
                actor,
                show("var", id),
            )
