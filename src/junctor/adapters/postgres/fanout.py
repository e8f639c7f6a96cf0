"""App hooks at the door: their subscribers, and deliveries stored with all their copies at once.

The statements and their reasons are in ``queries/fanout.sql``. Deliveries go in by the statement of
the hot path (``accept``); here it has company in its transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from junctor.adapters.postgres.arrays import Buffers, Longs, Texts, Times, Uuids
from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.queries import load
from junctor.language.ids import milliseconds
from junctor.ports.inbox import NewDelivery

__all__ = ["AppRow", "Marked", "PostgresFanout", "Spread", "SubscriberRow", "columns", "received"]

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class AppRow:
    """An app hook as it lies in the database."""

    organization_id: UUID
    id: UUID
    connector: str
    app: str
    settings: Mapping[str, Any]
    enabled: bool
    generation: int


@dataclass(frozen=True, slots=True)
class SubscriberRow:
    """A hook of an active scenario, and the account of its connection."""

    organization_id: UUID
    id: UUID
    scenario_id: UUID
    connector: str
    kind: str
    settings: Mapping[str, Any]
    sealed: bytes | None
    published: int
    connection_id: UUID
    connection_kind: str
    connection_settings: Mapping[str, Any]
    account_id: str | None


@dataclass(frozen=True, slots=True)
class Marked:
    """What a delivery says of the app itself: these connections of it are told."""

    connections: tuple[UUID, ...]
    reason: str
    at: datetime
    installed: bool


@dataclass(slots=True)
class Spread:
    """One delivery to an app's address, with its copies: all of it is stored, or nothing."""

    organization_id: UUID
    app_hook_id: UUID
    generation: int
    """Of the list by which the copies were made."""
    copies: tuple[NewDelivery, ...]
    marked: Marked | None = None
    stale: bool = field(default=False)
    """Set when storing: the list has changed since, so nothing of it was stored."""


class PostgresFanout:
    """The statements, over one engine line."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._sql = load("fanout")

    async def app_hook(self, token: str) -> AppRow | None:
        """The app hook of an address, if there is one."""
        rows = await self._rows("app_hook_by_token", token=token)
        return AppRow(*rows[0]) if rows else None

    async def subscribers(self, app: AppRow) -> list[SubscriberRow]:
        """All that may be handed something; the connector picks."""
        rows = await self._rows(
            "subscribers", organization=app.organization_id, connector=app.connector
        )
        return [SubscriberRow(*row) for row in rows]

    async def accounts(
        self, app: AppRow, kind: str
    ) -> list[tuple[UUID, Mapping[str, Any], str | None]]:
        """Connections of a kind: (id, settings, account)."""
        rows = await self._rows(
            "app_accounts", organization=app.organization_id, connector=app.connector, kind=kind
        )
        return [(row[0], row[1], row[2]) for row in rows]

    async def refuse(self, app: AppRow, reason: str) -> int | None:
        """Counts a delivery that was refused; the generation that the hook has by now."""
        rows = await self._rows(
            "refuse_app", organization=app.organization_id, id=app.id, reason=reason
        )
        return int(rows[0][0]) if rows else None

    async def accept(self, spreads: Sequence[Spread], *, again: bool = False) -> None:
        """Stores them in one transaction, marks what is out of date, and counts the rest.

        No two may share a dedup key of one hook. As with a hook's own deliveries, what a lost
        connection had stored all the same, and a worker has done by now, does not come back.
        ``again``: they lay in a spool, and may have been stored before; they came when their ids
        say.
        """
        tries = int(again)

        async def work(connection: AsyncConnection[Row]) -> None:
            nonlocal tries
            tries += 1
            async with connection.transaction():
                await self._mark_stale(connection, spreads)
                good = [each for each in spreads if not each.stale]
                copies = [copy for each in good for copy in each.copies]
                if copies:
                    await self._line.execute(connection, "accept", columns(copies))
                if copies and tries > 1:
                    await self._leave_begun(connection, copies, spooled=again)
                for each in good:
                    if each.marked is not None and each.marked.connections:
                        await self._mark(connection, each.organization_id, each.marked)
                if good:
                    await self._count(connection, good)

        await self._line.run(work)

    async def _mark_stale(
        self, connection: AsyncConnection[Row], spreads: Sequence[Spread]
    ) -> None:
        asked = {(each.organization_id, each.app_hook_id) for each in spreads}
        cursor = await connection.execute(
            self._sql["generations"],
            {"organizations": [row[0] for row in asked], "ids": [row[1] for row in asked]},
        )
        now = {(row[0], row[1]): row[2] for row in await cursor.fetchall()}
        for each in spreads:
            known = now.get((each.organization_id, each.app_hook_id))
            each.stale = known != each.generation

    async def _leave_begun(
        self, connection: AsyncConnection[Row], copies: Sequence[NewDelivery], *, spooled: bool
    ) -> None:
        ids = {
            "organizations": Uuids(each.organization_id for each in copies),
            "ids": Uuids(each.id for each in copies),
        }
        await self._line.execute(connection, "begun", ids)
        if spooled:
            times = received(copies)
            await connection.execute(load("spool")["spooled_received"], {**ids, "times": times})

    async def _mark(
        self, connection: AsyncConnection[Row], organization_id: UUID, marked: Marked
    ) -> None:
        await connection.execute(
            self._sql["renew_accounts" if marked.installed else "end_accounts"],
            {
                "organization": organization_id,
                "connections": list(marked.connections),
                "reason": marked.reason,
                "at": marked.at,
            },
        )

    async def _count(self, connection: AsyncConnection[Row], spreads: Sequence[Spread]) -> None:
        sums: dict[tuple[UUID, UUID], list[int]] = {}
        for each in spreads:
            # What the app's own address learns from is not in vain.
            wanted = bool(each.copies or each.marked)
            sums.setdefault((each.organization_id, each.app_hook_id), [0, 0])[not wanted] += 1
        await connection.execute(
            self._sql["count_app"],
            {
                "organizations": [key[0] for key in sums],
                "ids": [key[1] for key in sums],
                "delivered": Longs(counts[0] for counts in sums.values()),
                "unwanted": Longs(counts[1] for counts in sums.values()),
            },
        )

    async def _rows(self, name: str, **parameters: Any) -> list[Row]:
        async def work(connection: AsyncConnection[Row]) -> list[Row]:
            cursor = await connection.execute(self._sql[name], parameters)
            return await cursor.fetchall()

        return await self._line.run(work)


def columns(copies: Sequence[NewDelivery]) -> dict[str, Any]:
    """The parameters of the statement ``accept``."""
    given = list(zip(*copies, strict=True))
    return {
        "organizations": Uuids(given[0]),
        "ids": Uuids(given[1]),
        "scenarios": Uuids(given[2]),
        "order_keys": Texts(given[3]),
        "hooks": Uuids(given[4]),
        "payloads": Buffers(given[5]),
        "keys": Texts(given[6]),
        "servers": Texts(given[7]),
    }


def received(deliveries: Sequence[NewDelivery]) -> Times:
    """When deliveries came that are stored later: their ids tell."""
    return Times(datetime.fromtimestamp(milliseconds(each.id) / 1000, UTC) for each in deliveries)
