"""What an organisation may keep, and what it keeps; the same for API and command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from junctor.adapters.postgres.database import tenant
from junctor.adapters.postgres.queries import load
from junctor.app.core import Core
from junctor.errors import Misconfigured
from junctor.language import ids

__all__ = ["LIMITS", "Quota", "Used", "change_quota", "quota_of", "used_by"]

LIMITS: Mapping[str, str] = {
    "queued_deliveries": "deliveries that wait",
    "queued_bytes": "bytes of deliveries that wait",
    "stored_bytes": "bytes of history and files",
    "records": "records in data stores",
}
"""What can be limited."""

MOST = 2**53
"""Beyond it JSON's numbers are not exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What an organisation may keep; ``None``: as much as there is room for."""

    queued_deliveries: int | None = None
    queued_bytes: int | None = None
    stored_bytes: int | None = None
    records: int | None = None
    queue_minutes: int = 60
    """So long an active scenario's oldest delivery waits before that is a notice; 0: never."""
    updated_at: datetime | None = None
    updated_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What it keeps. What has no limit is not counted: ``None``."""

    queued_deliveries: int
    queued_bytes: int
    oldest_at: datetime | None
    """Since when the oldest delivery waits."""
    stored_bytes: int | None
    records: int | None
    counted_at: datetime | None
    """When the last two were counted."""


async def quota_of(core: Core, organization_id: UUID) -> Quota:
    """What it may keep."""
    rows = await _rows(core, organization_id, "quota")
    if not rows:
        return Quota()
    names = (*LIMITS, "queue_minutes", "updated_at", "updated_by")
    return Quota(**dict(zip(names, rows[0], strict=True)))


async def used_by(core: Core, organization_id: UUID) -> Used:
    """What it keeps: the queue now, the rest as counted in the last ten minutes."""
    quota = await quota_of(core, organization_id)
    ((count, size, oldest, stored, records, counted),) = await _rows(core, organization_id, "usage")
    return Used(
        queued_deliveries=count,
        queued_bytes=size,
        oldest_at=oldest,
        stored_bytes=stored if quota.stored_bytes is not None else None,
        records=records if quota.records is not None else None,
        counted_at=counted,
    )


async def change_quota(
    core: Core, organization_id: UUID, changes: Mapping[str, int | None], *, actor: str
) -> Quota:
    """Changes what is given; ``None`` takes a limit away. `Misconfigured` names what can't be."""
    before = await quota_of(core, organization_id)
    for name, value in changes.items():
        if name not in {*LIMITS, "queue_minutes"}:
            raise Misconfigured(f"'{name}' is no limit. There are: {', '.join(LIMITS)}.", path=name)
        most = 100_000 if name == "queue_minutes" else MOST
        if (value is None and name == "queue_minutes") or not 0 <= (value or 0) <= most:
            raise Misconfigured(f"{name} is a whole number from 0 to {most}.", path=name)
    values: dict[str, Any] = dict(changes)
    wanted = replace(before, **values)
    parameters = {name: getattr(wanted, name) for name in (*LIMITS, "queue_minutes")}
    async with tenant(core.api, organization_id) as connection:
        where = {"organization": organization_id, "actor": actor}
        await connection.execute(load("quotas")["set_quota"], {**where, **parameters})
        await connection.execute(
            load("catalog")["append_audit"],
            {
                **where,
                "verb": "update",
                "object": ids.show("org", organization_id),
                "details": Jsonb({"quotas": values}),
            },
        )
    async with core.engine.connection() as connection:
        await connection.execute(load("quotas")["count_usage"], {"organization": organization_id})
    return await quota_of(core, organization_id)


async def _rows(core: Core, organization_id: UUID, name: str) -> list[tuple[Any, ...]]:
    async with tenant(core.api, organization_id) as connection:
        cursor = await connection.execute(
            load("quotas")[name], {"organization": organization_id}, binary=True
        )
        return await cursor.fetchall()
