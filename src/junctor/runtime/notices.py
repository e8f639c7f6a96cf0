"""Notices: what somebody may have to know, written down where it happens.

Failures of a scenario in a row are counted here, too; one that asks for its items by itself is
switched off after as many as its settings say (``maxErrors``), as it would fail for ever. What
comes by hook keeps coming in and is kept, so such a scenario stays on. Telling is another's work
(`runtime.notifying`): a notice is a row, and lost with nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
import structlog
from psycopg import AsyncConnection

from junctor.adapters.postgres.database import Pool
from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.queries import load
from junctor.adapters.system import system_ids
from junctor.errors import Retry
from junctor.language.ids import derived, uuid7
from junctor.runtime.flight import Flight

__all__ = ["Kind", "Notices", "backup_failed", "once_a_day"]

log = structlog.get_logger(__name__)

Kind = Literal[
    "run_stopped",
    "errors_repeated",
    "scenario_deactivated",
    "queue_full",
    "connection_marked",
    "connection_expires",
    "key_old",
    "unusual_use",
    "disk_low",
    "backup_failed",
    "spool_damaged",
]
"""``run_stopped``: a run is incomplete or uncertain and nobody tries it again by itself;
``errors_repeated``: the 3rd, 10th, 100th … failure in a row; the others as they read.
"""

_REPEATED = frozenset({3, 10, 100, 1000, 10_000})
_AT_ONCE = 50
"""Ends that are counted in one commit; so long others wait for the line."""
_BY_ITSELF = frozenset({"delivery", "schedule"})
"""What starts the runs that count: a person's own tries, repeats and calls do not."""

_Execute = Callable[[str, Mapping[str, Any]], Awaitable[list[Any]]]


class Notices:
    """Writes notices. One per worker process."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._sql = load("notices")
        self._ids = system_ids()
        self._over: list[Flight] = []
        self._turn = asyncio.Lock()

    async def add(
        self,
        kind: Kind,
        organization_id: UUID,
        *,
        execute: _Execute | None = None,
        scenario_id: UUID | None = None,
        run_id: UUID | None = None,
        subject: str = "",
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes one down; with ``execute`` in the transaction that it is of."""
        parameters = {
            "organization": organization_id,
            "id": self._ids.new(),
            "kind": kind,
            "scenario": scenario_id,
            "run": run_id,
            "subject": subject,
            "params": msgspec.json.encode(dict(params or {})).decode(),
        }
        await (execute or self._execute)("add_notice", parameters)

    def concerns(self, flight: Flight) -> bool:
        """Whether the end of a run changes anything that `ended` would write."""
        if flight.trigger not in _BY_ITSELF and flight.trigger != "break":
            return False
        return (
            flight.error is not None
            or flight.left is not None
            or (flight.claim.errors > 0 and flight.trigger in _BY_ITSELF)
        )

    async def ended(self, flight: Flight) -> None:
        """Counts how a run ended; never raises, as the run is over whatever becomes of this.

        Those that end meanwhile go into one commit: where each of a million deliveries fails,
        others would wait behind as many.
        """
        self._over.append(flight)
        async with self._turn:  # a turn for each, so its own has been written when it returns
            some, self._over = self._over[:_AT_ONCE], self._over[_AT_ONCE:]
            if some and not await self._written(some) and len(some) > 1:
                for each in some:
                    await self._written([each])

    async def _written(self, flights: Sequence[Flight]) -> bool:
        async def work(connection: AsyncConnection[Any]) -> None:
            async def execute(name: str, parameters: Mapping[str, Any]) -> list[Any]:
                cursor = await connection.execute(self._sql[name], parameters)
                return await cursor.fetchall() if cursor.description else []

            async with connection.transaction():
                for flight in flights:
                    await self._ended(flight, execute)

        try:
            await self._line.run(work)
        except Exception as error:
            if len(flights) == 1:
                run = str(flights[0].run_id)
                log.warning("notice_not_written", run=run, error=str(error))
            return False
        return True

    async def _ended(self, flight: Flight, execute: _Execute) -> None:
        claim, error = flight.claim, flight.error
        where = {"organization": claim.organization_id, "scenario": claim.scenario_id}
        if flight.left is not None:  # one notice for them all: a run may set a million aside
            run_id, why = flight.left
            params = {"state": "incomplete", "code": why.code, "type": why.make_type}
            await self.add(
                "run_stopped",
                claim.organization_id,
                scenario_id=claim.scenario_id,
                run_id=run_id,
                execute=execute,
                params={**params, "bundles": flight.left_count},
            )
        if error is None:
            if claim.errors > 0 and flight.trigger in _BY_ITSELF:
                claim.errors = 0
                await execute("errors_over", where)
            return
        about: dict[str, Any] = {
            "execute": execute,
            "scenario_id": claim.scenario_id,
            "run_id": flight.run_id,
            # Not what was said: that stays in the run, whose journal is encrypted and goes in time.
            "params": {"state": flight.state, "code": error.code, "type": error.make_type},
        }
        if flight.state in {"incomplete", "uncertain"} and not flight.again:
            await self.add("run_stopped", claim.organization_id, **about)
        if flight.trigger not in _BY_ITSELF:
            return
        plan = flight.prepared.plan if flight.prepared is not None else None
        asks = plan is not None and (flight.trigger == "schedule" or _polls(plan.head))
        most = plan.max_errors if plan is not None and asks and not isinstance(error, Retry) else 0
        ((count, off),) = await execute("error_counted", {**where, "most": most or None})
        claim.errors = count
        about["params"] = {**about["params"], "errors": count}
        if off:
            await self.add("scenario_deactivated", claim.organization_id, **about)
        elif count in _REPEATED:
            await self.add("errors_repeated", claim.organization_id, **about)

    async def _execute(self, name: str, parameters: Mapping[str, Any]) -> list[Any]:
        async def work(connection: Any) -> list[Any]:
            cursor = await connection.execute(self._sql[name], parameters)
            return await cursor.fetchall() if cursor.description else []

        return await self._line.run(work)


def _polls(head: Any) -> bool:
    return head is not None and head.polls


async def once_a_day(
    engine: Pool,
    kind: Kind,
    subject: str,
    *,
    params: Mapping[str, Any],
    organizations: Iterable[UUID] | None = None,
    scenario_id: UUID | None = None,
    now: datetime | None = None,
) -> int:
    """Writes a notice that is about a state, which is found again and again; returns how many were
    new.

    ``organizations``: whom it concerns; ``None``: all, as it is about the installation. One of a
    kind, ``subject`` and day (UTC) is written once, whoever finds it, and however often.
    """
    day = (now or datetime.now(UTC)).astimezone(UTC).date()
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    sql = load("notices")
    async with engine.connection() as connection:
        if organizations is None:
            rows = await (await connection.execute(sql["every_organization"])).fetchall()
            organizations = [row[0] for row in rows]
        written = 0
        for each in organizations:
            first = uuid7(int(midnight.timestamp() * 1000), each.bytes)
            parameters = {
                "organization": each,
                "id": derived(first, kind, subject, each.bytes),
                "kind": kind,
                "scenario": scenario_id,
                "run": None,
                "subject": subject,
                "params": msgspec.json.encode(dict(params)).decode(),
            }
            written += (await connection.execute(sql["add_notice"], parameters)).rowcount
    return written


async def backup_failed(engine: Pool, code: str, *, subject: str = "backup") -> int:
    """Tells everybody, once a day for each ``subject``, that a backup failed. ``code``: an error's
    stable code (`JunctorError.code`), as messages hold no text that may be confidential.
    """
    return await once_a_day(engine, "backup_failed", subject, params={"code": code})
