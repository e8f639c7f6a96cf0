"""What the door refuses though it is well formed: a queue that is full, a disk that is.

Asked for every delivery, so it only looks at what a task found out in the background: a few seconds
old, and no query of its own.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog
from psycopg import errors

from junctor.adapters.postgres.database import Pool
from junctor.adapters.postgres.queries import load
from junctor.errors import JunctorError
from junctor.runtime.disk import Disk, Seen
from junctor.runtime.notices import once_a_day

__all__ = ["Doorkeeper", "NoRoom", "QueueFull"]

log = structlog.get_logger(__name__)

EVERY: Final = 3.0
"""Seconds between two counts of queues, or twenty times as long as a count takes."""
_TIMES: Final = 20


class QueueFull(JunctorError):
    """There is too much already: {what} of at most {limit}. Please send it again later."""

    code = "queue_full"
    status = 429
    retry_after = 30.0


class NoRoom(JunctorError):
    """There is no room on disk to keep this. Please send it again later."""

    code = "no_room"
    status = 503
    retry_after = 30.0


@dataclass(frozen=True, slots=True)
class _Over:
    """Which limit is reached."""

    what: str
    limit: int
    used: int


class Doorkeeper:
    """Watches queues and disk. ``engine``: an open engine pool; ``disk``: what is watched."""

    def __init__(self, engine: Pool, disk: Disk, *, every: float = EVERY) -> None:
        self._engine = engine
        self.disk = disk
        self._every = every
        self._full: Mapping[UUID, _Over] = {}
        self._sql = load("quotas")
        self._tasks: list[asyncio.Task[None]] = []

    def check(self, organization_id: UUID) -> None:
        """Raises `NoRoom` or `QueueFull` if nothing more of this organisation can be taken."""
        if self.disk.full:
            raise NoRoom
        if self._full:
            over = self._full.get(organization_id)
            if over is not None:
                raise QueueFull(what=over.what.replace("_", " "), limit=over.limit)

    def failed(self, error: BaseException) -> None:
        """Told what the database said when it could not store: a full disk closes the door."""
        if isinstance(error, errors.DiskFull):
            self.disk.said_full()

    async def start(self) -> None:
        """Looks once, then goes on looking."""
        await asyncio.to_thread(self.disk.look)
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self.disk.watch(self._tell_disk), name="disk"),
            loop.create_task(self._watch_queues(), name="queues"),
        ]

    async def stop(self) -> None:
        """Ends."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def count(self) -> None:
        """Counts the queues that have a limit, no further than it, and tells of new full ones."""
        async with self._engine.connection() as connection:
            rows = await (await connection.execute(self._sql["limited"])).fetchall()
        before, self._full = self._full, {row[0]: over for row in rows if (over := _over(row))}
        for organization_id, over in self._full.items():
            if organization_id not in before:
                log.warning("queue_full", organization=str(organization_id), what=over.what)
                await once_a_day(
                    self._engine,
                    "queue_full",
                    over.what,
                    params={"what": over.what, "limit": over.limit, "used": over.used},
                    organizations=[organization_id],
                )

    async def _watch_queues(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self.count()
            except Exception as error:  # what was last known stands
                log.warning("queues_not_counted", error=str(error))
            await asyncio.sleep(max(self._every, _TIMES * (time.monotonic() - began)))

    async def _tell_disk(self, seen: Seen) -> None:
        machine = socket.gethostname()
        await once_a_day(
            self._engine,
            "disk_low",
            f"{machine}: {seen.what}, {seen.level}",
            params={
                "what": seen.what,
                "free": seen.free,
                "total": seen.total,
                "level": seen.level,
                "machine": machine,
            },
        )


def _over(row: Any) -> _Over | None:
    """The limit that is reached, of a row of the query `limited`."""
    _, most, most_bytes, count, size, stored_full, most_stored, stored = row
    if most is not None and count >= most:
        return _Over("queued_deliveries", most, count)
    if most_bytes is not None and size >= most_bytes:
        return _Over("queued_bytes", most_bytes, size)
    return _Over("stored_bytes", most_stored, stored) if stored_full else None
