"""How long a dead worker's claims stay without an owner."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from torture.rig import Process, Rig

__all__ = ["Takeovers"]

PAUSE = 0.1
LATE = 10.0
"""Seconds after which a takeover is told of, with what was there to do it."""
STALE = 60.0
"""Seconds after which a dead worker that owns nothing is forgotten: however late its last statement
was carried out, none of its claims can appear any more."""


@dataclass(slots=True)
class _Dead:
    """A worker that was killed, and when."""

    since: float
    seen: float


class Takeovers:
    """Counts the time for which claims of the dead could have been taken over and were not.

    It is a stopwatch for each claim, read from the database ten times a second: it stands while
    there is no database, while no worker is there that could take anything (one that has begun to
    work, is not asleep and not cut off), and while there is nothing to do in the claim that isn't
    blocked. It never goes back to zero: a claim that is left for ten seconds before an outage and
    for ten seconds after it was left for twenty. One that nobody has taken yet counts, too.
    """

    def __init__(self, rig: Rig, say: Callable[[str], None] = lambda _: None) -> None:
        self.rig = rig
        self._say = say
        self.taken = 0
        """Claims that have been taken over."""
        self.late = 0
        """Those of them that took longer than ``LATE``."""
        self._longest: float | None = None
        self._dead: dict[str, _Dead] = {}
        self._waited: dict[tuple[Any, ...], float] = {}
        """How long each claim of the dead has waited, by its place and fence."""
        self._looked: float | None = None
        """When the stopwatches were last read; ``None``: they stood then."""
        self._db: psycopg.Connection[Any] | None = None

    @property
    def longest(self) -> float | None:
        """In seconds; ``None``: there was nothing to take over."""
        times = [*self._waited.values()]
        if self._longest is not None:
            times.append(self._longest)
        return max(times, default=None)

    def died(self, worker: Process) -> None:
        """From now on what this worker owns is to be taken over."""
        now = time.monotonic()
        self._dead[worker.owner] = _Dead(now, now)

    def back(self, worker: Process) -> None:
        """It was not dead: what it owns is its own again."""
        self._dead.pop(worker.owner, None)

    async def watch(self) -> None:
        """Looks again and again, until cancelled."""
        while True:
            await asyncio.sleep(PAUSE)
            if not self._dead:
                self._looked = None
                continue
            try:
                await asyncio.to_thread(self._look)
            except psycopg.Error:
                self._looked = None
                if self._db is not None:
                    self._db.close()
                    self._db = None

    def _look(self) -> None:
        if self._db is None:
            self._db = self.rig.db()
        rows = self._db.execute(
            "select owner, organization_id, scenario_id, order_key, fence,"
            " (not idle and blocked_by_run is null) or coalesce(due_at <= now(), false)"
            " from backlog where owner = any(%s)",
            (list(self._dead),),
        ).fetchall()
        ready = {row[0] for row in self._db.execute("select name from nodes").fetchall()}
        now = time.monotonic()
        ran = now - self._looked if self._looked is not None else 0.0
        self._looked = now if self._manned(ready) else None
        left: dict[tuple[Any, ...], float] = {}
        for owner, *place, claimable in rows:
            if owner in self._dead:
                self._dead[owner].seen = now
                key = tuple(place)
                before = self._waited.get(key, 0.0)
                left[key] = before + (ran if claimable else 0.0)
                if before // LATE < left[key] // LATE:
                    self._tell(owner, place, left[key])
        for key, waited in self._waited.items():
            if key not in left:
                self.taken += 1
                self._longest = max(self._longest or 0.0, waited + ran)
                self.late += waited + ran > LATE
        self._waited = left
        for owner, dead in list(self._dead.items()):
            if now - dead.seen > STALE:
                del self._dead[owner]

    def _tell(self, owner: str, place: Sequence[Any], waited: float) -> None:
        """Whose it is, and what those who could take it are at."""
        assert self._db is not None
        (row,) = self._db.execute(
            "select extract(epoch from lease_until - clock_timestamp())::float, attempts, due_at,"
            " (select array_agg(format('%%s with %%s active, %%s s ago', name,"
            " details->>'active', extract(epoch from clock_timestamp() - seen_at)::numeric(9, 1))"
            " order by name) from nodes where role = 'worker')"
            " from backlog where scenario_id = %s and order_key = %s",
            (place[1], place[2]),
        ).fetchall() or [()]
        absent = sorted(self.rig.absences.now)
        self._say(f"{place[1]} {place[2]!r} of {owner}: {waited:.1f} s; {row}; absent {absent}")

    def _manned(self, ready: set[str]) -> bool:
        """Whether a worker is there that could take something."""
        return any(
            worker.alive and worker.owner in ready and worker.name not in self.rig.absences.now
            for worker in self.rig.workers
        )
