"""Runs that somebody wants to end: looked for by the worker that is at them.

A wish is a row (`stops`), so it reaches whoever owns the run, now or after a crash. A worker looks
when it is told (`junctor_stop`, a hint) and once a second. A run stops before its next operation,
never within one: what has been sent is recorded first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from psycopg import AsyncConnection

from junctor.adapters.postgres.arrays import Uuids
from junctor.adapters.postgres.hot import Line
from junctor.engine.commands import Address, Settle
from junctor.engine.nodes import Halt
from junctor.errors import Stopped
from junctor.runtime.hints import hinted

__all__ = ["Stops", "Wish"]

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""Between looks that nobody hinted at."""


class Wish(NamedTuple):
    """How a run is to end: ``keep`` leaves it incomplete, to be resumed; else it is discarded."""

    keep: bool
    actor: str


class Stops:
    """What is wished, as last seen. One per worker process; ``look`` says where to read it."""

    def __init__(self, line: Line | None = None) -> None:
        self._line = line
        self._wished: dict[UUID, tuple[UUID, Wish]] = {}
        self._ending: dict[UUID, UUID] = {}
        self._done: dict[UUID, UUID] = {}
        self._hint = asyncio.Event()
        self._changed = asyncio.Event()

    def hint(self) -> None:
        """Somebody wished something just now."""
        self._hint.set()

    def halt(self, run_id: UUID, command: Any) -> Halt | None:
        """What to throw into a run that is to end now, before ``command`` is done; ``None``: go on.

        A commit that it has come to is done first.
        """
        found = self._wished.get(run_id)
        if found is None or isinstance(command, Settle):
            return None
        organization_id, wish = self._wished.pop(run_id)
        self._ending[run_id] = organization_id
        # No module has this number, so no handler takes it for a failure of its own.
        status = "incomplete" if wish.keep else "failed"
        return Halt(Stopped(actor=wish.actor), Address(0, 0, ()), status=status)

    def ended(self, run_id: UUID, *, stored: bool) -> None:
        """A run is over here. Only if that is stored, nobody else needs to know of its wish."""
        organization_id = self._ending.pop(run_id, None)
        if organization_id is not None and stored:
            self._done[run_id] = organization_id

    async def rest(self, run_id: UUID, seconds: float, sleep: Callable[[float], Any]) -> None:
        """Sleeps so long, or until the run is to end."""
        if self._line is None:
            await sleep(seconds)
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while run_id not in self._wished and (left := until - loop.time()) > 0:
            await hinted(self._changed, left)

    async def watch(self) -> None:
        """Looks for wishes until it is cancelled."""
        while True:
            await hinted(self._hint, LOOK_SECONDS)
            self._hint.clear()
            try:
                await self.look()
            except Exception as error:  # whatever it is: runs go on, and it looks again
                log.warning("stops_not_read", error=str(error))

    async def look(self) -> None:
        """Reads what is wished, and takes away what is done."""
        assert self._line is not None
        if self._done:
            done = dict(self._done)
            await self._forget(self._line, done)
            self._done = {run: of for run, of in self._done.items() if run not in done}
        rows = await self._line.fetch("wanted_stops")
        self.wish({row[1]: (row[0], Wish(row[2], row[3])) for row in rows})
        for organization_id, run_id, keep, actor, left in rows:
            if left:
                of = {"organization": organization_id, "run": run_id}
                await self._end(self._line, {**of, "keep": keep, "actor": actor})

    @staticmethod
    async def _end(line: Line, given: Mapping[str, Any]) -> None:
        """Ends a run that nobody is at, if that is still wished: another worker may have done so,
        and somebody retried it since. Taken up again at this very moment, it is wished anew.
        """
        one = {"organizations": Uuids([given["organization"]]), "runs": Uuids([given["run"]])}

        async def work(connection: AsyncConnection[Any]) -> None:
            async with connection.transaction():
                cursor = await line.execute(connection, "stopped", one)
                if await cursor.fetchall():
                    await line.execute(connection, "stop", given)

        await line.run(work)

    @staticmethod
    async def _forget(line: Line, done: Mapping[UUID, UUID]) -> None:
        parameters = {"organizations": Uuids(done.values()), "runs": Uuids(done)}
        await line.fetch("stopped", parameters)

    def wish(self, wished: Mapping[UUID, tuple[UUID, Wish]]) -> None:
        """From now on these runs are to end, and no others."""
        known = self._done.keys() | self._ending.keys()
        self._wished = {run: each for run, each in wished.items() if run not in known}
        if self._wished:
            self._changed.set()
            self._changed = asyncio.Event()
