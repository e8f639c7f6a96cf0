"""Waiting for runs to end: one look at the database for all who wait in this process."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from uuid import UUID

import structlog

from junctor.adapters.postgres.calls import Ended, PostgresCalls
from junctor.adapters.postgres.hot import Line

__all__ = ["Ends"]

log = structlog.get_logger(__name__)

_PAUSES = ((0.1, 0.005), (2.0, 0.02), (10.0, 0.1), (float("inf"), 0.25))
"""So long after the last one began to wait (seconds), so long between looks."""


class Ends:
    """Who waits for which runs. Costs nothing while nobody does."""

    def __init__(self, line: Line) -> None:
        self._calls = PostgresCalls(line)
        self._waiters: dict[tuple[UUID, UUID], list[asyncio.Future[Ended]]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._since = 0.0
        self._parents: Counter[UUID] = Counter()
        self.told: Callable[[], None] = lambda: None
        """Called when a run begins to wait, and so leaves its place to another."""

    @property
    def waiting(self) -> int:
        """Runs that only wait here for others: they must not take the place of those others."""
        return len(self._parents)

    def among(self, runs: Collection[UUID]) -> int:
        """How many of these runs do."""
        return sum(run in self._parents for run in runs) if self._parents else 0

    async def wait(
        self, organization_id: UUID, run_id: UUID, *, parent: UUID, limit: float
    ) -> Ended | None:
        """How the run ended; ``None`` if it has not within ``limit`` seconds."""
        loop = asyncio.get_running_loop()
        key = (organization_id, run_id)
        future: asyncio.Future[Ended] = loop.create_future()
        self._waiters.setdefault(key, []).append(future)
        self._parents[parent] += 1
        self._since = loop.time()
        self.told()
        if self._looking is None or self._looking.done():
            self._looking = loop.create_task(self._look(), name="ends")
        try:
            return await asyncio.wait_for(future, limit)
        except TimeoutError:
            return None
        finally:
            self._parents[parent] -= 1
            if not self._parents[parent]:
                del self._parents[parent]
            others = self._waiters.get(key, [])
            if future in others:
                others.remove(future)
                if not others:
                    del self._waiters[key]
            if not self._waiters and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiters:
            try:
                found = await self._calls.ends(list(self._waiters))
            except (
                Exception
            ) as error:  # whatever it is: it serves all who wait, and each has a limit
                log.warning("ends_not_read", error=str(error))
                found = {}
            for key in [key for key in self._waiters if key[1] in found]:
                for future in self._waiters.pop(key):
                    if not future.done():
                        future.set_result(found[key[1]])
            waited = loop.time() - self._since
            await asyncio.sleep(next(pause for until, pause in _PAUSES if waited < until))
