"""The catalog's custom variables; `ports.catalog` says how all its parts behave."""

# ruff: noqa: A002 - arguments are called as the columns are

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from junctor.ports.catalog_rows import Json, Page, Variable

__all__ = ["Variables"]


class Variables(Protocol):
    """Custom variables of the organisation and its teams. Values are ``{"type", "value"}``."""

    async def create_variable(
        self,
        organization_id: UUID,
        *,
        actor: str,
        name: str,
        value: Json,
        team_id: UUID | None = None,
    ) -> Variable:
        """A new variable: of a team, or the organisation's. `Conflict` if the name is taken."""

    async def variables(
        self, organization_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[Variable]:
        """Variables."""

    async def variable(self, organization_id: UUID, id: UUID) -> Variable:
        """One variable."""

    async def update_variable(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        value: Json,
    ) -> Variable:
        """Gives it another value. Runs that have begun keep the one they read."""

    async def delete_variable(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        """Mappings that read it find nothing from then on."""
