"""Calls between scenarios, and custom variables, as the workers see them.

The statements and their reasons are in ``queries/calls.sql``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.queries import load
from junctor.errors import NotFound
from junctor.ports.inbox import Answered

__all__ = ["Callee", "Ended", "PostgresCalls"]

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Callee:
    """A scenario to be called."""

    name: str
    active: bool
    published: int | None
    stored: bool
    """Whether the call lies in its inbox."""
    state: str | None
    """The called run's, if it has begun and says so."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    state: str
    error: Mapping[str, Any] | None
    answer: Answered | None
    """What it answered; kept for an hour, a confidential run's for five minutes."""
    old: bool
    """It began so long ago that its answer may be forgotten."""


class PostgresCalls:
    """On a `Line`, whose patience is that of each method."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._sql = load("calls")

    async def variables(
        self, organization_id: UUID, scenario_id: UUID
    ) -> dict[str, Mapping[str, Any]]:
        """Stored values, ``{"type", "value"}``, by ``organization.name`` and ``team.name``."""
        rows = await self._rows(
            "custom_variables", {"organization": organization_id, "scenario": scenario_id}
        )
        return {
            f"{'team' if of_team else 'organization'}.{name}": value
            for of_team, name, value in rows
        }

    async def callee(self, organization_id: UUID, scenario_id: UUID, run_id: UUID) -> Callee | None:
        """The scenario, and what is known of this call of it; ``None`` if it isn't there."""
        rows = await self._rows(
            "callee", {"organization": organization_id, "scenario": scenario_id, "run": run_id}
        )
        return Callee(*rows[0]) if rows else None

    async def standing(self, organization_id: UUID, runs: Sequence[UUID]) -> dict[UUID, str]:
        """The order keys of those of these runs that are not over."""
        rows = await self._rows("standing", {"organization": organization_id, "runs": list(runs)})
        return dict(rows)

    async def begin(
        self,
        organization_id: UUID,
        scenario_id: UUID,
        run_id: UUID,
        *,
        order_key: str,
        payload: bytes,
    ) -> None:
        """Puts the call in the inbox, unless it is there or was: again is as once, for ever.

        `NotFound` if the scenario is gone.
        """
        parameters = {
            "organization": organization_id,
            "scenario": scenario_id,
            "run": run_id,
            "order_key": order_key,
            "payload": payload,
        }

        async def work(connection: AsyncConnection[Row]) -> bool:
            async with connection.pipeline(), connection.transaction():
                for name in ("lock_call", "hold_call", "begin_call"):
                    cursor = await connection.execute(self._sql[name], parameters)
                row = await cursor.fetchone()
            return bool(row and row[0])

        if not await self._line.run(work):
            raise NotFound(what="The scenario that is called")

    async def resume(self, organization_id: UUID, run_id: UUID) -> bool:
        """Lets a stopped run go on from its journal; False if it is not stopped any more."""
        parameters = {"organization": organization_id, "run": run_id}

        async def work(connection: AsyncConnection[Row]) -> bool:
            async with connection.transaction():
                cursor = await connection.execute(load("hot")["resume"], parameters)
                if await cursor.fetchone() is None:
                    return False
                await connection.execute(self._sql["forget_failure"], parameters)
                return True

        return await self._line.run(work)

    async def ends(self, runs: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Ended]:
        """Those of these (organisation, run) pairs that have ended."""
        rows = await self._rows(
            "ends",
            {"organizations": [pair[0] for pair in runs], "runs": [pair[1] for pair in runs]},
        )
        return {
            run: Ended(
                state,
                error,
                None
                if status is None
                else Answered(status, tuple((name, value) for name, value in headers), body),
                old,
            )
            for run, state, error, status, headers, body, old in rows
        }

    async def _rows(self, name: str, parameters: dict[str, Any]) -> list[Row]:
        async def work(connection: AsyncConnection[Row]) -> list[Row]:
            cursor = await connection.execute(self._sql[name], parameters, binary=True)
            return await cursor.fetchall()

        return await self._line.run(work)
