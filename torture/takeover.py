"""How long a dead worker's claims stay without an owner."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import psycopg

from torture.rig import Process, Rig

__all__ = ["Takeovers"]


@dataclass(slots=True)
class _Orphan:
    """One claim of a dead worker."""

    place: tuple[Any, ...]
    fence: int
    since: float


class Takeovers:
    """Watches claims from their owner's death until another owns them, or they are done with.

    The clock begins at the death, or when there was a database and a worker that had begun to work,
    if that was later; and not before there is something to do that isn't blocked.
    """

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.times: list[float] = []
        self._orphans: list[_Orphan] = []
        self._manned = time.monotonic()

    @property
    def longest(self) -> float | None:
        """In seconds; ``None``: there was nothing to take over."""
        return max(self.times, default=None)

    @property
    def waiting(self) -> int:
        """Claims nobody has taken over yet."""
        return len(self._orphans)

    def died(self, worker: Process) -> None:
        """Notes what a worker owned that has just been killed."""
        now = time.monotonic()
        try:
            owned = self.rig.owned(worker.owner)
        except psycopg.Error:
            return
        self._orphans += [_Orphan(place, fence, now) for place, fence in owned.items()]

    async def watch(self) -> None:
        """Looks every tenth of a second, until cancelled."""
        while True:
            await asyncio.sleep(0.1)
            if self._orphans:
                try:
                    await asyncio.to_thread(self._look)
                except psycopg.Error:
                    continue

    def _look(self) -> None:
        with self.rig.db() as db:
            rows = db.execute(
                "select organization_id, scenario_id, order_key, fence,"
                " (not idle and blocked_by_run is null) or coalesce(due_at <= now(), false)"
                " from backlog where owner is not null"
            ).fetchall()
            ready = {row[0] for row in db.execute("select name from nodes").fetchall()}
        found = {tuple(row[:3]): (row[3], row[4]) for row in rows}
        now = time.monotonic()
        if not any(worker.alive and worker.owner in ready for worker in self.rig.workers):
            self._manned = now
        left = []
        for orphan in self._orphans:
            fence, claimable = found.get(orphan.place, (0, False))
            if fence == orphan.fence:
                if not claimable:  # it stands behind a run that stopped: nobody has to take it
                    orphan.since = now
                left.append(orphan)
            else:
                whole = max(orphan.since, self.rig.whole_since, self._manned)
                self.times.append(max(0.0, now - whole))
        self._orphans = left
