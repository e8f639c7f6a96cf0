"""The scheduler: starts scenarios when their schedules say so. Part of every worker process.

A schedule is a row with the instant of its next firing. A turn takes the rows that are due and that
nobody else looks at (``SKIP LOCKED``), stores a delivery for each firing and moves the row to its
next instant, all in one transaction: so a firing happens once, however many schedulers there are
and whenever one is killed. See ADR 0038.

The clock is the database's. While a schedule's last firing waits or runs, it does not fire again:
it stays due, and fires once when that has ended. Nor does anything fire while there is no room on
disk: what was due meanwhile is missed, and treated as such.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from psycopg import errors

from junctor.adapters.postgres.database import Pool, pool
from junctor.adapters.postgres.queries import load
from junctor.language import ids
from junctor.language.firings import Missed, Turn, firings, turn
from junctor.language.schedule import read
from junctor.runtime.disk import Disk
from junctor.runtime.envelope import pack_manual

__all__ = ["Scheduler", "run_scheduler"]

log = structlog.get_logger(__name__)

MOST: Final = 100
"""Schedules of one turn."""
LOOK: Final = 1.0
"""Seconds until it looks again at the latest: at what was changed, or has ended."""
OWN_DAY: Final = timedelta(days=1)
"""A run made up later than this has the day it runs on in its id, not the day it was due: history
would forget it too soon."""
_TICK: Final = timedelta(microseconds=1)
_JUMP: Final = timedelta(hours=2)
"""A last firing further ahead than this was the mistake of a clock that is right again."""

ACTOR: Final = "schedule"


@dataclass(frozen=True, slots=True)
class _Row:
    """A schedule that is due, as the statement gives it."""

    organization_id: UUID
    scenario_id: UUID
    scheduling: Any
    zone: str
    missed: Missed
    anchor_at: datetime | None
    next_at: datetime | None
    last_at: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True)
class _Decided:
    """What becomes of it."""

    row: _Row
    turn: Turn
    anchor: datetime | None

    @property
    def run(self) -> UUID | None:
        """The run of its firing: the same one, whoever decides it."""
        if self.turn.fire is None:
            return None
        late = self.row.now - self.turn.fire > OWN_DAY
        at = self.row.now if late else self.turn.fire
        name = self.turn.fire.astimezone(UTC).isoformat()
        return ids.derived_at(int(at.timestamp() * 1000), self.row.scenario_id, "schedule", name)


class Scheduler:
    """Fires what is due. ``engine``: an open engine pool; ``disk``: what is watched, if any is."""

    def __init__(self, engine: Pool, disk: Disk | None = None) -> None:
        self._engine = engine
        self._disk = disk
        self._sql = load("schedules")

    async def turn(self) -> int:
        """Plans and fires what is due now; returns how many schedules it looked at."""
        if self._full:
            return 0
        try:
            return await self._turn()
        except errors.DiskFull:
            if self._disk is None:
                raise
            self._disk.said_full()
            log.warning("schedule.no_room")
            return 0

    @property
    def _full(self) -> bool:
        """Whether nothing new may be begun."""
        return self._disk is not None and self._disk.full

    async def _turn(self) -> int:
        async with self._engine.connection() as connection, connection.transaction():
            found = await (await connection.execute(self._sql["due"], {"limit": MOST})).fetchall()
            if not found:
                return 0
            decided = [_decided(_Row(*row)) for row in found]
            fired = [(each, each.run) for each in decided]
            begun = [(each.row, run) for each, run in fired if run is not None]
            if begun:
                payload = pack_manual(None, version=0, actor=ACTOR, options={"trigger": "schedule"})
                await connection.execute(
                    self._sql["fire"],
                    {
                        "organizations": [row.organization_id for row, _ in begun],
                        "scenarios": [row.scenario_id for row, _ in begun],
                        "runs": [run for _, run in begun],
                        "payloads": [payload] * len(begun),
                    },
                )
            await connection.execute(
                self._sql["advance"],
                {
                    "organizations": [each.row.organization_id for each in decided],
                    "scenarios": [each.row.scenario_id for each in decided],
                    "followings": [each.turn.following for each in decided],
                    "anchors": [each.anchor for each in decided],
                    "fireds": [each.turn.fire for each in decided],
                    "runs": [run for _, run in fired],
                    "misseds": [each.turn.missed for each in decided],
                },
            )
        for each in decided:
            if each.turn.missed:
                log.warning(
                    "schedule.missed",
                    scenario=ids.show("scn", each.row.scenario_id),
                    firings=each.turn.missed,
                    made_up=each.turn.fire is not None,
                )
        return len(decided)

    async def pause(self) -> float:
        """Seconds until something may be due."""
        if self._full:
            return LOOK
        async with self._engine.connection() as connection:
            row = await (await connection.execute(self._sql["until_next"])).fetchone()
        seconds = row[0] if row is not None else None
        return LOOK if seconds is None else min(max(seconds, 0.0), LOOK)


def _decided(row: _Row) -> _Decided:
    """`decide`, but one that it fails on rests: it must keep no other from firing."""
    try:
        return decide(row)
    except Exception as error:
        scenario = ids.show("scn", row.scenario_id)
        log.exception("schedule.unusable", scenario=scenario, why=type(error).__name__)
        return _Decided(row, Turn(None, None), row.anchor_at)


def decide(row: _Row) -> _Decided:
    """What to do about one schedule. One that can't be read (a version of later wrote it) rests."""
    schedule, problems = read(row.scheduling)
    zone = _zone(row.zone)
    if schedule is None or zone is None:
        said = [problem.message for problem in problems] or [f"{row.zone} is no time zone"]
        log.error("schedule.unusable", scenario=ids.show("scn", row.scenario_id), why=said)
        return _Decided(row, Turn(None, None), row.anchor_at)
    if row.next_at is None:
        anchor = row.anchor_at or row.now
        after = row.now - _TICK
        if row.last_at is not None and row.last_at <= row.now + _JUMP:
            after = max(after, row.last_at)
        following = next(firings(schedule, zone, after, anchor=anchor), None)
        return _Decided(row, Turn(None, following), anchor)
    found = turn(
        schedule, zone, due=row.next_at, now=row.now, anchor=row.anchor_at, missed=row.missed
    )
    return _Decided(row, found, row.anchor_at)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        return None


async def run_scheduler(url: str, stop: asyncio.Event, disk: Disk | None = None) -> None:
    """Fires until told to stop; nothing while ``disk`` is full."""
    async with pool(url, "engine", 1, 1) as engine:
        scheduler = Scheduler(engine, disk)
        while not stop.is_set():
            if await scheduler.turn():
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), await scheduler.pause())
