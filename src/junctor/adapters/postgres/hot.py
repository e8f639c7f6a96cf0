"""Inbox, backlog and ledger on Postgres: few statements, arrays in, rows out.

The statements and their reasons are in ``queries/hot.sql``. Each class uses one connection at a
time, reconnecting when it is lost; callers see the loss only after ``patience`` seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, AsyncCursor, AsyncRawCursor, errors
from psycopg.pq import Format

from junctor.adapters.postgres.arrays import (
    Bools,
    Buffers,
    Ints,
    Longs,
    Texts,
    Uuids,
    register,
)
from junctor.adapters.postgres.confidential import Confidential, wipe
from junctor.adapters.postgres.database import connect
from junctor.adapters.postgres.group import commit, keys_of, numbers_of
from junctor.adapters.postgres.kept import apply, end_waits, open_waits, tell
from junctor.adapters.postgres.queries import numbered
from junctor.adapters.system import uptime
from junctor.errors import NotSent
from junctor.ports.backlog import Claim, DueRun, Taken
from junctor.ports.inbox import Answered, NewDelivery
from junctor.ports.ledger import Write

__all__ = ["Line", "PostgresBacklog", "PostgresInbox", "PostgresLedger", "is_lost"]

T = TypeVar("T")
Row = tuple[Any, ...]

TAKEN_BYTES = 64 * 1024 * 1024
"""What one `take` brings at most, about; a scenario's next delivery always comes."""

_PLANS = "set enable_seqscan = off; set enable_bitmapscan = off; set jit = off"
"""Every statement here has its index. Planned while a table was nearly empty, it would read the
whole of it for as long as that plan is kept, and somebody may have put a million rows in."""

_LOST = (psycopg.OperationalError, psycopg.InterfaceError, NotSent)
_AGAIN = (errors.DeadlockDetected, errors.SerializationFailure)


def is_lost(error: BaseException) -> bool:
    """Whether the server, not the statement, was at fault, so that it is worth trying again.

    psycopg calls too much of something (SQLSTATE 54, "program limit exceeded") operational too;
    tried again, that would fail for ever.
    """
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return True  # a standby that is not the server any more, or not yet
    return isinstance(error, _LOST) and (getattr(error, "sqlstate", None) or "")[:2] != "54"


class Line:
    """One engine connection that comes back after it is lost.

    ``patience``: seconds of trying before the loss is raised; 0 raises at once.
    """

    def __init__(self, url: str, *, patience: float) -> None:
        self._url = url
        self._patience = patience
        self._connection: AsyncConnection[Row] | None = None
        self._lock = asyncio.Lock()
        self._queries = numbered(_FILES)

    async def run(self, work: Callable[[AsyncConnection[Row]], Awaitable[T]]) -> T:
        """Does ``work`` with the connection, one at a time, again after deadlocks and losses."""
        loop = asyncio.get_running_loop()
        # Counted from here: who waited for the line while it was lost is told without more ado.
        deadline = loop.time() + self._patience
        async with self._lock:
            pause = 0.05
            while True:
                try:
                    if self._connection is None or self._connection.closed:
                        self._connection = await connect(self._url, "engine")
                        register(self._connection)
                        await self._connection.execute(_PLANS)
                    return await work(self._connection)
                except _AGAIN:
                    continue
                except (*_LOST, errors.ReadOnlySqlTransaction) as error:
                    if not is_lost(error):
                        raise
                    await self._drop()
                    if loop.time() >= deadline:
                        raise
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 1.0)

    async def fetch(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """The rows of a named query."""

        async def work(connection: AsyncConnection[Row]) -> list[Row]:
            cursor = await self.execute(connection, name, parameters or {})
            return await cursor.fetchall() if cursor.description else []

        return await self.run(work)

    async def execute(
        self, connection: AsyncConnection[Row], name: str, parameters: Mapping[str, Any]
    ) -> AsyncCursor[Row]:
        """A named query on a connection; its parameters are numbered once, not at every call."""
        text, names = self._queries[name]
        cursor = AsyncRawCursor(connection)
        cursor.format = Format.BINARY
        return await cursor.execute(text, [parameters[each] for each in names])

    async def close(self) -> None:
        """Closes the connection."""
        async with self._lock:
            await self._drop()

    async def _drop(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                await connection.close()
            except _LOST:
                return  # it was lost; that is why we are here


_FILES = ("hot", "kept", "notices", "records", "stops", "waits")
"""Whose queries a `Line` knows; a name stands in one of them."""


class PostgresInbox:
    """`ports.inbox.Inbox` on Postgres."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def accept(
        self, deliveries: Sequence[NewDelivery], *, again: bool = False
    ) -> dict[UUID, UUID | None]:
        """One commit for the whole batch. ``again``: it may have been stored before.

        If the connection is lost, the batch may be stored all the same, and what was stored may be
        done and gone from the inbox when it is tried again: that must not come back.
        """
        tries = 0

        async def work(connection: AsyncConnection[Row]) -> dict[UUID, UUID | None]:
            nonlocal tries
            tries += 1
            if tries == 1 and not again:
                return await self._insert(connection, deliveries)
            async with connection.transaction():
                first = await self._insert(connection, deliveries)
                await self._line.execute(
                    connection,
                    "begun",
                    {
                        "organizations": Uuids(each.organization_id for each in deliveries),
                        "ids": Uuids(each.id for each in deliveries),
                    },
                )
            return first

        return await self._line.run(work)

    async def _insert(
        self, connection: AsyncConnection[Row], deliveries: Sequence[NewDelivery]
    ) -> dict[UUID, UUID | None]:
        columns = list(zip(*deliveries, strict=True))
        parameters: dict[str, Any] = {
            "organizations": Uuids(columns[0]),
            "ids": Uuids(columns[1]),
            "scenarios": Uuids(columns[2]),
            "order_keys": Texts(columns[3]),
            "hooks": Uuids(columns[4]),
            "payloads": Buffers(columns[5]),
            "servers": Texts(columns[7]),
        }
        keyed = any(columns[6])
        if keyed:
            parameters["keys"] = Texts(columns[6])
        name = "accept" if keyed else "accept_plain"
        cursor = await self._line.execute(connection, name, parameters)
        return {row[0]: row[1] for row in await cursor.fetchall() if row[0] is not None}

    async def answers(self, ids: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Answered]:
        """Stored answers of these deliveries."""
        rows = await self._line.fetch(
            "answers",
            {
                "organizations": Uuids(pair[0] for pair in ids),
                "ids": Uuids(pair[1] for pair in ids),
            },
        )
        return {
            row[0]: Answered(row[1], tuple((name, value) for name, value in row[2]), row[3])
            for row in rows
        }

    async def unanswered(self, organization_id: UUID, delivery_id: UUID) -> bool:
        """Whether it has no answer, and nobody will give one."""
        where = {"organizations": Uuids([organization_id]), "ids": Uuids([delivery_id])}
        return bool(await self._line.fetch("unanswered", where))


class PostgresBacklog:
    """`ports.backlog.Backlog` on Postgres. ``owner`` is unique per worker process."""

    def __init__(self, line: Line, *, owner: str, lease: float) -> None:
        self._line = line
        self._owner = owner
        self._lease = lease

    async def claim(self, limit: int, each: int, full: Sequence[UUID] = ()) -> list[Claim]:
        """Claims what is ready; see the query."""
        parameters = {
            "limit": limit,
            "each": each,
            "lease": self._lease,
            "owner": self._owner,
            "full": Uuids(full),
        }

        tries = 0

        async def work(connection: AsyncConnection[Row]) -> tuple[float, list[Row]]:
            nonlocal tries
            tries += 1
            if tries > 1:  # it was away, and what seems to be over could not be renewed
                return 0.0, []
            until = uptime() + self._lease
            cursor = await self._line.execute(connection, "claim", parameters)
            return until, await cursor.fetchall()

        until, rows = await self._line.run(work)
        return [
            Claim(
                organization_id=row[0],
                scenario_id=row[1],
                order_key=row[2],
                fence=row[3],
                due=row[4] is not None,
                waits=row[4] is not None,
                blocked_by_run=row[5],
                published=row[7],
                draft=row[8],
                detail=row[9],
                retention=row[10],
                cautious_until=row[11],
                crashes=row[12],
                errors=row[13],
                until=until,
            )
            for row in rows
        ]

    async def take(
        self, claims: Sequence[tuple[Claim, int]], busy: Sequence[UUID]
    ) -> list[tuple[Claim, list[Taken]]]:
        """The next deliveries of claims we hold."""
        most = max(1, TAKEN_BYTES // max(1, len(claims)))
        rows = await self._line.fetch(
            "take",
            {
                **keys_of([claim for claim, _ in claims]),
                "fences": Longs(claim.fence for claim, _ in claims),
                "limits": Ints(limit for _, limit in claims),
                "busy": Uuids(busy),
                "most": most,
            },
        )
        found: dict[int, list[Taken]] = {}
        held: set[int] = set()
        for position, n, due, delivery, payload, server, received_at, hook, attempts, waits in rows:
            taken = found.setdefault(position, [])
            if waits:
                held.add(position)
            claims[position - 1][0].n = n
            claims[position - 1][0].due = due
            if delivery is not None:
                taken.append(Taken(delivery, payload, server, received_at, hook, attempts))
        out = []
        for position, (claim, limit) in enumerate(claims, start=1):
            if position not in found:
                claim.stale = True
                continue
            taken = found[position]
            claim.more = len(taken) >= limit or sum(len(each.payload) for each in taken) >= most
            claim.more |= position in held  # given back, it must not be taken for empty
            out.append((claim, found[position]))
        return out

    async def due(self, claim: Claim, limit: int) -> list[DueRun]:
        """Runs whose wait is over."""
        rows = await self._line.fetch(
            "due",
            {
                "organization": claim.organization_id,
                "scenario": claim.scenario_id,
                "order_key": claim.order_key,
                "busy": Uuids(claim.busy),
                "limit": limit,
            },
        )
        return [DueRun(*row) for row in rows]

    async def attempt(
        self, deliveries: Sequence[tuple[Claim, UUID]], *, by: int = 1
    ) -> dict[UUID, int]:
        """Counts a try of each."""
        of = {
            "organizations": Uuids(claim.organization_id for claim, _ in deliveries),
            "ids": Uuids(delivery for _, delivery in deliveries),
            "fences": Longs(claim.fence for claim, _ in deliveries),
        }
        return {row[0]: row[1] for row in await self._line.fetch("attempt", {**of, "by": by})}

    async def tried(self, claim: Claim, runs: Sequence[UUID], *, by: int = 1) -> dict[UUID, int]:
        """Counts a try of each run."""
        of = {"organization": claim.organization_id, "fence": claim.fence, "runs": Uuids(runs)}
        return {row[0]: row[1] for row in await self._line.fetch("tried", {**of, "by": by})}

    async def delivery(self, organization_id: UUID, id: UUID) -> Taken | None:  # noqa: A002 - the field's name
        """One stored delivery."""
        rows = await self._line.fetch("delivery", {"organization": organization_id, "id": id})
        return Taken(id, *rows[0]) if rows else None

    async def recorded(
        self, organization_id: UUID, run: UUID
    ) -> list[tuple[int, bytes, list[bytes]]]:
        """A run's segments."""
        rows = await self._line.fetch("recorded", {"organization": organization_id, "run": run})
        return [(row[0], row[1], row[2]) for row in rows]

    async def begun(self, organization_id: UUID, runs: Sequence[UUID]) -> set[UUID]:
        """Those that have segments."""
        of = {"organization": organization_id, "runs": Uuids(runs)}
        return {row[0] for row in await self._line.fetch("has_begun", of)}

    async def run_row(self, organization_id: UUID, run: UUID) -> tuple[DueRun, str] | None:
        """A run's row."""
        rows = await self._line.fetch("run_row", {"organization": organization_id, "run": run})
        return (DueRun(*rows[0][:-1]), rows[0][-1]) if rows else None

    async def release(self, claims: Sequence[Claim]) -> None:
        """Gives claims back in one transaction: lock in order, delete the empty, reset the rest."""
        # Nothing waits for the disk: to lose it with the server is to have died before it.
        held = sorted(
            (claim for claim in claims if not claim.stale),
            key=lambda claim: (claim.organization_id, claim.scenario_id, claim.order_key),
        )
        if not held:
            return
        waits = [claim.waits or claim.blocked_by_run is not None for claim in held]
        parameters = {
            **keys_of(held),
            "fences": Longs(claim.fence for claim in held),
            "ns": Longs(claim.n for claim in held),
            "mores": Bools(claim.more for claim in held),
            "waits": Bools(waits),
            "blocks": Uuids(claim.blocked_by_run for claim in held),
            "cautious": Bools(claim.cautious_until is not None and claim.more for claim in held),
        }

        idle = ["release_idle"] if any(waits) else []

        async def work(connection: AsyncConnection[Row]) -> None:
            async with connection.pipeline(), connection.transaction():
                await connection.execute("set local synchronous_commit = off")
                for name in ("lock_release", "release_empty", "release_rest", *idle):
                    await self._line.execute(connection, name, parameters)

        await self._line.run(work)


class PostgresLedger:
    """`ports.ledger.Ledger` on Postgres."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._confidential = Confidential(line.fetch)

    async def commit(self, writes: Sequence[Write]) -> list[bool]:
        """One statement for the group; a transaction where there is more to apply."""
        ending = await self._confidential.ending(writes)
        if not ending and not any(
            write.kept or write.opens or write.stills or write.tells for write in writes
        ):
            return self._seen(writes, await commit(self._line.fetch, writes))

        async def work(connection: AsyncConnection[Row]) -> set[int]:
            async def fetch(name: str, parameters: Mapping[str, Any]) -> list[Row]:
                cursor = await self._line.execute(connection, name, parameters)
                return await cursor.fetchall() if cursor.description else []

            async with connection.transaction():
                if kept := [write for write in writes if write.kept]:
                    await apply(fetch, kept)
                if stopped := [write for write in writes if write.stills]:
                    await end_waits(fetch, stopped)
                held = await commit(fetch, writes)
                claims = numbers_of(writes)
                ours = [write for write in writes if claims[id(write.claim)][0] in held]
                await open_waits(fetch, ours)
                await tell(fetch, ours)
                await wipe(fetch, [w for w in ending if claims[id(w.claim)][0] in held])
                return held

        return self._seen(writes, await self._line.run(work))

    @staticmethod
    def _seen(writes: Sequence[Write], held: set[int]) -> list[bool]:
        """Tells each write whether its claim was ours."""
        claims = numbers_of(writes)
        for at, claim in claims.values():
            if at not in held:
                claim.stale = True
        return [claims[id(write.claim)][0] in held for write in writes]
