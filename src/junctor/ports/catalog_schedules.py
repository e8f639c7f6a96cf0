"""The catalog's schedules; `ports.catalog` says how all its parts behave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from junctor.language.firings import Missed
from junctor.ports.catalog_rows import Json

__all__ = ["Schedules", "StoredSchedule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSchedule:
    """When a scenario starts by itself, and how it stands."""

    organization_id: UUID
    scenario_id: UUID
    scheduling: Json
    """Make's JSON, see `language.schedule`."""
    zone: str | None
    """``None``: the organisation's."""
    missed: Missed
    max_per_minute: int | None
    """Runs that may start in a minute, by schedule and by hook; the others wait."""
    paused: bool
    anchor_at: datetime | None
    """What an interval counts from: the activation, or its last change."""
    next_at: datetime | None
    """``None``: nothing is planned (off, paused, ended), or not yet."""
    last_at: datetime | None
    last_run: UUID | None
    missed_count: int
    """Firings that nothing was done about."""
    revision: int
    updated_at: datetime
    updated_by: str


class Schedules(Protocol):
    """At most one per scenario."""

    async def schedule(self, organization_id: UUID, scenario_id: UUID) -> StoredSchedule:
        """A scenario's schedule."""

    async def add_schedule(
        self, organization_id: UUID, scenario_id: UUID, *, actor: str, scheduling: Json
    ) -> None:
        """Gives a scenario its first schedule; one that it has stays as it is."""

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
        """Sets a scenario's schedule; what means other instants is planned anew."""

    async def delete_schedule(
        self, organization_id: UUID, scenario_id: UUID, *, actor: str, revision: int | None = None
    ) -> None:
        """Takes it away."""

    async def server_clock(self) -> datetime:
        """The database's clock, which schedules go by."""
