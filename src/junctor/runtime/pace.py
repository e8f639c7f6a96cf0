"""How many runs of a scenario may start in a minute: what is over waits, and is never lost.

Only few scenarios have such a limit, so the limits of all are kept here, a few seconds old. The
places of a minute are one row (table ``schedules``) that all workers take from, and the scheduler
too. A claim without places is kept, not given back, until others come: to give it back would only
have it claimed again at once. What a person, a call or a resume starts is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.queries import load
from junctor.ports.backlog import Claim

__all__ = ["Pace"]

FRESH: Final = 5.0
"""Seconds for which the limits are believed."""


class Pace:
    """Gives out starts. One per worker; ``line`` is a connection of the engine's role."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._sql = load("schedules")
        self._limits: dict[tuple[UUID, UUID], int] = {}
        self._until = 0.0
        self._granted: dict[Claim, int] = {}

    async def grant(self, wanted: Sequence[tuple[Claim, int]]) -> list[tuple[Claim, int]]:
        """Those claims that may start something, with how many."""
        if not wanted:
            return []
        self._granted.clear()
        now = time.monotonic()
        if now >= self._until:
            rows = await self._execute("limits", {})
            self._limits = {(row[0], row[1]): row[2] for row in rows}
            self._until = now + FRESH
        if not self._limits:
            return list(wanted)
        out = []
        for claim, limit in wanted:
            granted = limit
            limited = (claim.organization_id, claim.scenario_id) in self._limits
            if limited and not claim.order_key.startswith("~"):
                granted = await self._reserve(claim, limit)
            if granted:
                out.append((claim, granted))
        return out

    def concerns(self, claim: Claim) -> bool:
        """Whether it may start only so many: granted ones must be started, or given back."""
        return claim in self._granted

    async def used(self, claim: Claim, count: int) -> None:
        """Says how many of the granted starts there was something for."""
        granted = self._granted.pop(claim, count)
        if granted > count:
            where = {"organization": claim.organization_id, "scenario": claim.scenario_id}
            await self._execute("give_back", {**where, "unused": granted - count})

    async def _reserve(self, claim: Claim, wanted: int) -> int:
        if claim.paced:
            return 0
        where = {"organization": claim.organization_id, "scenario": claim.scenario_id}
        rows = await self._execute("reserve", {**where, "wanted": wanted})
        if not rows:
            return wanted  # its limit was taken away just now
        granted, seconds = rows[0]
        if granted <= 0:
            claim.paced_until = time.monotonic() + max(0.0, seconds)
            return 0
        self._granted[claim] = granted
        return int(granted)

    async def _execute(self, name: str, parameters: Mapping[str, Any]) -> list[Any]:
        async def work(connection: Any) -> Any:
            cursor = await connection.execute(self._sql[name], parameters)
            return await cursor.fetchall() if cursor.description else []

        rows: list[Any] = await self._line.run(work)
        return rows
