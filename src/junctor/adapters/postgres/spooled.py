"""What lay in a spool, into the inbox, and what the spool must know while the database is there.

Deliveries go in by the statement of the hot path (``accept``), as they would have; only those that
have left the inbox by now are left out, as a spool is drained again after a crash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from junctor.adapters.postgres.arrays import Uuids
from junctor.adapters.postgres.fanout import columns, received
from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.queries import load
from junctor.errors import NotFound
from junctor.ports.inbox import NewDelivery

__all__ = ["PostgresSpooled"]


class PostgresSpooled:
    """The statements, over one engine line."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._sql = load("spool")

    async def probe(self) -> None:
        """Raises what `hot.is_lost` knows if the database can't be written now."""

        async def work(connection: AsyncConnection[tuple[Any, ...]]) -> None:
            await connection.execute(self._sql["probe"])

        await self._line.run(work)

    async def accept(self, deliveries: Sequence[NewDelivery]) -> None:
        """Stores them in one transaction, with the time they were received at; no two may share a
        dedup key of one hook. Safe to repeat. `NotFound` if the scenario of one is gone: nobody
        would ever take it from the inbox.
        """

        async def work(connection: AsyncConnection[tuple[Any, ...]]) -> None:
            async with connection.transaction():
                cursor = await self._line.execute(connection, "accept", columns(deliveries))
                for delivery, first in await cursor.fetchall():
                    if delivery is not None and first is None:
                        raise NotFound("The scenario that this is for was deleted.")
                ids = {
                    "organizations": Uuids(each.organization_id for each in deliveries),
                    "ids": Uuids(each.id for each in deliveries),
                }
                await self._line.execute(connection, "begun", ids)
                times = received(deliveries)
                await connection.execute(self._sql["spooled_received"], {**ids, "times": times})

        await self._line.run(work)

    async def tokens(self, most: int) -> list[str]:
        """The tokens of hooks in use; those that had a delivery most recently are not known, so
        the newest come first.
        """
        return await self._texts("tokens", most)

    async def app_tokens(self, most: int) -> list[str]:
        """The tokens of apps' addresses in use, the newest first."""
        return await self._texts("app_tokens", most)

    async def _texts(self, name: str, most: int) -> list[str]:
        async def work(connection: AsyncConnection[tuple[Any, ...]]) -> list[str]:
            cursor = await connection.execute(self._sql[name], {"most": most})
            return [row[0] for row in await cursor.fetchall()]

        return await self._line.run(work)
