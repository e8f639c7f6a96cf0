"""Runs, their segments, and what waits to become one."""

# ruff: noqa: A002 - arguments are called as the columns are

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from junctor.adapters.postgres.catalog.base import Base, pack, unpack
from junctor.ports.catalog import Page, Queue, Run, Segment
from junctor.ports.inbox import Answered

_After = tuple[bool, datetime | None, UUID, str]
"""The queue before a page: whether no run blocks it, its oldest delivery, scenario, order key."""


@dataclass(frozen=True, slots=True)
class _StoredAnswer:
    status: int
    headers: list[Any]
    body: bytes


class PostgresHistory(Base):
    """`ports.catalog.History`."""

    async def runs(
        self,
        organization_id: UUID,
        *,
        scenario_id: UUID | None = None,
        states: Sequence[str] = (),
        name: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Run]:
        return await self._page(
            Run,
            "runs",
            {
                "organization": organization_id,
                "scenario": scenario_id,
                "states": list(states),
                "name": name,
                "before": unpack(cursor, UUID),
            },
            limit=limit,
            last=lambda row: str(row.id),
        )

    async def run(self, organization_id: UUID, id: UUID) -> Run:
        return await self._read("The run", Run, "run", {"organization": organization_id, "id": id})

    async def answer(self, organization_id: UUID, run_id: UUID) -> Answered | None:
        parameters = {"organization": organization_id, "run": run_id}
        found = await self._list(_StoredAnswer, "answer", parameters)
        if not found:
            return None
        headers = tuple((name, value) for name, value in found[0].headers)
        return Answered(found[0].status, headers, found[0].body)

    async def segments(
        self, organization_id: UUID, run_id: UUID, *, after: int = -1, limit: int = 100
    ) -> list[Segment]:
        return await self._list(
            Segment,
            "segments",
            {"organization": organization_id, "run": run_id, "after": after, "limit": limit},
        )

    async def queues(
        self,
        organization_id: UUID,
        *,
        scenario_id: UUID | None = None,
        cursor: str | None = None,
        limit: int = 1000,
    ) -> Page[Queue]:
        after = unpack(cursor, msgspec.json.Decoder(_After).decode)
        free, oldest, scenario, key = after or (None, None, None, None)
        parameters = {
            "organization": organization_id,
            "scenario": scenario_id,
            "free": free,
            "oldest": oldest,
            "after": scenario,
            "key": key,
            "limit": limit + 1,
        }
        rows = await self._list(Queue, "queues", parameters)
        if len(rows) <= limit:
            return Page(rows, None)
        last = rows[limit - 1]
        place = (last.blocked_by_run is None, last.oldest_at, last.scenario_id, last.order_key)
        return Page(rows[:limit], pack(msgspec.json.encode(place).decode()))
