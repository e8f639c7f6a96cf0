"""The catalog's app hooks; `ports.catalog` says how all its parts behave."""

# ruff: noqa: A002 - arguments are called as the columns are

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from junctor.ports.catalog_rows import Json

__all__ = ["AppHook", "AppHooks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppHook:
    """The one address of an app at a vendor. ``app`` is what its deliveries call the app."""

    organization_id: UUID
    id: UUID
    connector: str
    app: str
    token: str = field(repr=False)
    settings: Json
    enabled: bool
    delivered: int
    """Deliveries that somebody wanted."""
    unwanted: int
    """Deliveries that were acknowledged, and kept nowhere."""
    refused: int
    refused_reason: str | None
    last_at: datetime | None
    revision: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


class AppHooks(Protocol):
    """Addresses of apps. There are few: no pages."""

    async def ensure_app_hook(
        self, organization_id: UUID, *, actor: str, connector: str, app: str
    ) -> AppHook:
        """The address of an app; a new one, with a token of 128 random bits, if it has none."""

    async def app_hooks(self, organization_id: UUID) -> list[AppHook]:
        """All of the organisation, oldest first."""

    async def app_hook(self, organization_id: UUID, id: UUID) -> AppHook:
        """One of them."""

    async def update_app_hook(
        self,
        organization_id: UUID,
        id: UUID,
        *,
        actor: str,
        revision: int | None = None,
        settings: Json | None = None,
        enabled: bool | None = None,
    ) -> AppHook:
        """Changes what is given; the next delivery is judged by it."""

    async def delete_app_hook(
        self, organization_id: UUID, id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        """Its address is gone from then on."""
