"""Waits on Postgres: opened with a commit, answered once, closed once (``queries/waits.sql``)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import errors

from junctor.adapters.postgres.arrays import Texts, Uuids
from junctor.adapters.postgres.hot import Line

__all__ = ["Closed", "PostgresWaits", "Seen", "Stuck", "StuckLine", "WaitedHook", "Watching"]


class Closed(NamedTuple):
    """How a wait ended; ``answer`` is sealed, ``None``: its time was over."""

    answer: bytes | None
    waited: float
    """Seconds."""
    over: bool
    """Whether its run was ended before there was one."""


class Watching(NamedTuple):
    """A wait that a delivery may answer, or has."""

    id: UUID
    run_id: UUID
    sealed: bytes
    also: bool
    taken: bool
    """This very delivery has answered it."""


class Seen(NamedTuple):
    """A delivery that came before: from the inbox (``payload``), or how its journal begins."""

    id: UUID
    payload: bytes | None
    received_at: datetime
    data: bytes | None
    blobs: list[bytes] | None


class WaitedHook(NamedTuple):
    """A hook that is waited for."""

    id: UUID
    scenario_id: UUID | None
    connector: str
    kind: str
    name: str
    active: bool
    since: datetime | None
    """Of the wait that was asked about."""


class StuckLine(NamedTuple):
    """A line that nobody can take from, and a hook of which something may be awaited there."""

    organization_id: UUID
    scenario_id: UUID
    order_key: str
    hook_id: UUID
    run_id: UUID
    """The run that it stands behind."""
    n: int
    """Raised by all that comes to it."""
    floor: UUID
    """Deliveries before that are no answer."""
    settled: UUID
    """What is stored from now on comes after that, unless it is late."""
    now: datetime


class Stuck(NamedTuple):
    """A delivery that nobody can take yet."""

    organization_id: UUID
    id: UUID
    payload: bytes | None
    """``None``: it is no answer."""
    received_at: datetime
    hook_id: UUID
    connector: str
    kind: str
    at: int = 0
    """Which of the lines asked for it stands in, from 1."""


class PostgresWaits:
    """What the runtime asks of the waits."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def known(self, organization_id: UUID, wait_id: UUID) -> tuple[bytes, bool] | None:
        """What it waits for (sealed), and whether it has looked back; ``None``: not opened."""
        rows = await self._fetch("wait_row", organization=organization_id, id=wait_id)
        return (rows[0][0], rows[0][2]) if rows else None

    async def before(
        self, organization_id: UUID, run_id: UUID, token_hash: bytes | None
    ) -> tuple[datetime | None, bool]:
        """When the run's last wait ended; whether a link's token is used already."""
        rows = await self._fetch(
            "wait_before", organization=organization_id, run=run_id, hash=token_hash
        )
        return rows[0][0], rows[0][1]

    async def hook(
        self, organization_id: UUID, *, hook_id: UUID | None, name: str, wait_id: UUID
    ) -> list[WaitedHook]:
        """The hooks of this id or, without one, of this name."""
        rows = await self._fetch(
            "hook_for_wait", organization=organization_id, id=hook_id, name=name, wait=wait_id
        )
        return [WaitedHook(*row) for row in rows]

    async def hooks(self, organization_id: UUID) -> list[tuple[UUID, str, str]]:
        """Hooks that can be waited for: id, name, scenario's name."""
        rows = await self._fetch("hooks_to_wait_for", organization=organization_id)
        return [(row[0], row[1], row[2]) for row in rows]

    async def close(self, organization_id: UUID, wait_id: UUID) -> Closed | None:
        """How it ended, the same whenever asked; ``None`` if it has not."""
        rows = await self._fetch("close_wait", organization=organization_id, id=wait_id)
        return Closed(*rows[0]) if rows else None

    async def still(self, organization_id: UUID, wait_id: UUID) -> None:
        """Lets it take no delivery, until its run comes to it again."""
        await self._fetch("still_wait", organization=organization_id, id=wait_id)

    async def sleep(self, organization_id: UUID, wait_id: UUID, run_id: UUID, kind: str) -> bool:
        """Lets its run wait until its time is over; False if that is decided already."""

        async def work(connection: Any) -> bool:
            async with connection.transaction():
                where = {"organization": organization_id, "id": wait_id}
                cursor = await self._line.execute(connection, "lock_wait", where)
                row = await cursor.fetchone()
                if row is None:
                    return False
                more = {"organization": organization_id, "run": run_id, "kind": kind}
                await self._line.execute(connection, "sleep_wait", {**more, "until": row[0]})
            return True

        return await self._line.run(work)

    async def answer(
        self,
        organization_id: UUID,
        wait_id: UUID,
        answer: bytes,
        *,
        by: str,
        delivery: UUID | None = None,
        came: datetime | None = None,
        fence: tuple[UUID, int] | None = None,
    ) -> bool:
        """Answers it, and makes its run due; False if it was answered, closed or given up before.

        ``delivery``: what answers it, and when it ``came``; one answers one wait. ``fence``: the
        claim of the scenario whose delivery that is.
        """
        scenario, number = fence or (None, 0)

        async def work(connection: Any) -> bool:
            async with connection.transaction():
                given = {
                    "organization": organization_id, "id": wait_id, "answer": answer, "by": by,
                    "delivery": delivery, "came": came, "scenario": scenario, "fence": number,
                }  # fmt: skip
                cursor = await self._line.execute(connection, "answer_wait", given)
                row = await cursor.fetchone()
                if row is None:
                    return False
                run = {"organization": organization_id, "run": row[0]}
                await self._line.execute(connection, "wake_wait", run)
            return True

        try:
            return await self._line.run(work)
        except errors.UniqueViolation:  # the same delivery has just answered another
            return False

    async def watching(
        self, organization_id: UUID, hook_id: UUID, delivery: UUID, received_at: datetime
    ) -> list[Watching]:
        """The open waits of a hook that a delivery of that time may answer, oldest first; before
        them the one that this delivery has answered.
        """
        rows = await self._fetch(
            "watching",
            organization=organization_id, hook=hook_id, delivery=delivery, received=received_at,
        )  # fmt: skip
        return [Watching(*row) for row in rows]

    async def seen(
        self, organization_id: UUID, hook: WaitedHook, since: datetime, run_id: UUID, most: int
    ) -> list[Seen]:
        """Deliveries of a hook since then that have answered nothing, the first first."""
        rows = await self._fetch(
            "seen_already",
            organization=organization_id, hook=hook.id, scenario=hook.scenario_id, since=since,
            run=run_id, most=most,
        )  # fmt: skip
        return [Seen(*row) for row in rows]

    async def stuck_lines(self, after: StuckLine | None, most: int) -> list[StuckLine]:
        """Lines behind other runs, of hooks that are watched, those after this one first."""
        rows = await self._fetch(
            "stuck_lines",
            after_organization=after and after.organization_id,
            after_scenario=after and after.scenario_id,
            after_key=after and after.order_key,
            after_hook=after and after.hook_id,
            most=most,
        )
        return [StuckLine(*row) for row in rows]

    async def stuck(
        self, fronts: Sequence[tuple[StuckLine, UUID]], known: Collection[UUID], most: int
    ) -> list[Stuck]:
        """What stands in these lines after a place of each, in their order; but these."""
        rows = await self._fetch("stuck_behind", **_places(fronts), known=Uuids(known), most=most)
        return [Stuck(*row) for row in rows]

    async def stuck_late(
        self,
        fronts: Sequence[tuple[StuckLine, UUID]],
        since: datetime,
        known: Collection[UUID],
        most: int,
    ) -> list[Stuck]:
        """What was stored before that place of each since then, but these."""
        rows = await self._fetch(
            "stuck_late",
            **_places(fronts), floors=Uuids(line.floor for line, _ in fronts), since=since,
            known=Uuids(known), most=most,
        )  # fmt: skip
        return [Stuck(*row) for row in rows]

    async def late(self, organization_id: UUID, wait_id: UUID, most: int) -> list[Stuck]:
        """Deliveries that came in time for a wait that is over, and that nobody has looked at."""
        rows = await self._fetch(
            "late_replies", organization=organization_id, id=wait_id, most=most
        )
        return [Stuck(*row) for row in rows]

    async def _fetch(self, query: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        return await self._line.fetch(query, parameters)


def _places(fronts: Sequence[tuple[StuckLine, UUID]]) -> dict[str, Any]:
    lines = [line for line, _ in fronts]
    return {
        "organizations": Uuids(line.organization_id for line in lines),
        "scenarios": Uuids(line.scenario_id for line in lines),
        "order_keys": Texts(line.order_key for line in lines),
        "hooks": Uuids(line.hook_id for line in lines),
        "fronts": Uuids(front for _, front in fronts),
    }
