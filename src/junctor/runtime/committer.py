"""Group commit: everything the runs of this process have to say, written together.

While one commit is on its way, what comes in waits for the next; so groups grow with load and
nothing waits for a timer.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

import structlog

from junctor.adapters.postgres.hot import is_lost
from junctor.errors import Fault
from junctor.ports.blobs import Blobs
from junctor.ports.ledger import Ledger, Write
from junctor.runtime import telemetry

__all__ = ["Committer"]

log = structlog.get_logger(__name__)

Queued = tuple[Write, asyncio.Future[bool]]
AGAIN = 0.5
"""Seconds between tries while the database can't be reached."""


class Committer:
    """Queues writes and commits them in groups of at most ``largest``, or ``heaviest`` bytes."""

    def __init__(
        self, ledger: Ledger, blobs: Blobs, *, largest: int = 1000, heaviest: int = 8 * 1024 * 1024
    ) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._largest = largest
        self._heaviest = heaviest
        self._queue: deque[Queued] = deque()
        self._group: list[Queued] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.groups = 0
        self.writes = 0

    def submit(self, write: Write) -> asyncio.Future[bool]:
        """Queues a write; the future says whether its claim was still ours."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_seen)
        self._queue.append((write, future))
        self._wake.set()
        return future

    def start(self) -> None:
        """Begins committing."""
        self._task = asyncio.get_running_loop().create_task(self._loop(), name="committer")

    async def stop(self, seconds: float | None = None) -> None:
        """Commits what is queued, if that takes no longer than ``seconds``, then ends."""
        left = [future for _, future in (*self._group, *self._queue) if not future.done()]
        if left and self._task is not None:
            await asyncio.wait(left, timeout=seconds)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _loop(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                self._group = self._next_group()
                await self._commit(self._group)
                self._group = []

    def _next_group(self) -> list[Queued]:
        group: list[Queued] = []
        seen = set()
        weight = 0
        while self._queue and len(group) < self._largest and weight < self._heaviest:
            write, _ = self._queue[0]
            if write.row is not None and write.run_id in seen:
                break  # one row per run and statement
            if write.row is not None:
                seen.add(write.run_id)
            weight += sum(len(segment.data) for segment in write.segments)
            group.append(self._queue.popleft())
        return group

    async def _commit(self, group: list[Queued]) -> None:
        """Commits a group; if it can't be stored, its halves, so that only the culprit fails."""
        group = [each for each in group if not self._refused(*each)]
        if not group:
            return
        begun = time.perf_counter()
        while True:
            try:
                writes = [every for write, _ in group for every in (*write.forks, write)]
                for write in writes:
                    owner = write.claim.organization_id
                    for name, content in write.blobs.items():
                        await self._blobs.put(owner, write.run_id, name, content)
                stored = await self._ledger.commit(writes)
                forks = {id(fork) for write, _ in group for fork in write.forks}
                held = [
                    ours
                    for write, ours in zip(writes, stored, strict=True)
                    if id(write) not in forks
                ]
                break
            except Exception as error:
                if is_lost(error):
                    log.warning("commit_delayed", writes=len(group), error=str(error))
                    await asyncio.sleep(AGAIN)
                    continue
                if len(group) > 1:
                    middle = len(group) // 2
                    await self._commit(group[:middle])
                    await self._commit(group[middle:])
                    return
                ((write, future),) = group
                log.exception("commit_failed", run=str(write.run_id))
                write.claim.broken.add(write.run_id)
                if not future.done():
                    future.set_exception(error)
                return
        telemetry.committed(writes, stored, time.perf_counter() - begun)
        self.groups += 1
        self.writes += len(group)
        for (_, future), ours in zip(group, held, strict=True):
            if not future.done():
                future.set_result(ours)

    @staticmethod
    def _refused(write: Write, future: asyncio.Future[bool]) -> bool:
        """A journal must have no hole: after a write that failed, no other of that run."""
        if write.run_id not in write.claim.broken or write.last_words:
            return False
        if not future.done():
            future.set_exception(Fault(reason="an earlier part of the run could not be stored"))
        return True


def _seen(future: asyncio.Future[bool]) -> None:
    """Marks a failure as noticed: the run's last write meets it too, and is always awaited."""
    if not future.cancelled():
        future.exception()
