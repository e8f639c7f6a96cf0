"""Deliveries gathered in batches: one statement for many; a spool for when there is no inbox."""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog

from junctor.adapters.postgres.hot import Line, PostgresInbox, is_lost
from junctor.errors import NotFound
from junctor.ports.inbox import NewDelivery
from junctor.runtime import telemetry
from junctor.runtime.door_answers import Busy
from junctor.runtime.doorkeeper import Doorkeeper
from junctor.runtime.spooling import SPOOLED, Spooling

__all__ = ["SPOOLED", "Batches"]

log = structlog.get_logger(__name__)

LARGEST_BATCH = 500
HEAVIEST_BATCH = 16 * 1024 * 1024
"""Bytes after which a batch takes no more."""
MOST_QUEUED = 128 * 1024 * 1024
"""Bytes that wait to be stored; what comes then is told to come again."""
HUNG = 1.5
"""Seconds after which a batch that is still being stored goes into the spool as well."""
LOOK_AGAIN = 0.25
"""Seconds between attempts to drain the spool."""
LAST_BYTES = 256 * 1024
"""Of the spool, that are drained while new deliveries wait for it."""
ADOPT_SECONDS = 2.0
"""How often segments of dead processes are looked for."""

_Future = asyncio.Future[UUID | None]
_Item = tuple[NewDelivery, _Future]


class Batches:
    """Stores deliveries in the order they come. While one batch is being committed the next one
    gathers.

    With a ``spool``: what the database does not take goes there, and whatever comes after it, until
    the spool is drained. For the moment of the last drain deliveries wait here.
    """

    def __init__(
        self, line: Line, spool: Spooling | None = None, *, keeper: Doorkeeper | None = None
    ) -> None:
        # A database whose disk is full closes the door only where there is no spool.
        self._keeper = keeper if spool is None else None
        self._inbox = PostgresInbox(line)
        self._spool = spool
        self._queue: list[_Item] = []
        self._weight = 0
        self._storing: list[_Item] = []
        """The batch that is being stored."""
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins; a spool has begun before."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._work(), name="ingest")]
        if self._spool is not None:
            self._tasks.append(loop.create_task(self._adopt(self._spool), name="adopt"))
            self._spool.began.append(self._began)
            if self._spool.active:
                self._wake.set()

    async def stop(self) -> None:
        """Stores what was received, then ends."""
        while self._queue:
            await asyncio.wait([future for _, future in self._queue])
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def accept(self, delivery: NewDelivery) -> UUID | None:
        """Durable when it returns; the id of the first delivery if this one is a duplicate,
        `SPOOLED` if it is not in the database yet. `NotFound` if its scenario is gone.
        """
        future: _Future = asyncio.get_running_loop().create_future()
        spool = self._spool
        if spool is not None and spool.active and not spool.holding and spool.takes(delivery):
            spool.put(delivery, future)
            return await future
        if self._weight > MOST_QUEUED:
            raise Busy
        self._queue.append((delivery, future))
        self._weight += len(delivery.payload)
        self._wake.set()
        return await future

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            # One turn of the loop: requests that are being read right now join this batch.
            await asyncio.sleep(0)
            if self._spool is not None:
                self._spool.take_up()
                if self._spool.active:
                    await self._drain(self._spool)
            batch = self._next_batch()
            if batch:
                await self._store(batch)
            elif self._spool is None or not self._spool.waits:
                self._wake.clear()

    async def _store(self, batch: list[_Item]) -> None:
        spool = self._spool
        if spool is None:
            await self._accept(batch)
            return
        self._storing = batch
        task = asyncio.ensure_future(self._accept(batch))
        try:
            await asyncio.wait({task}, timeout=HUNG)
            if not task.done():
                spool.begin("the database does not answer")
                # It may be stored yet: then it is in both, and drained to no effect.
                self._divert(spool, batch)
                await asyncio.wait({task})
            await task
            self._storing = []
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task}, timeout=1.0)
            for _, future in batch:
                future.cancel()
            raise

    async def _accept(self, batch: list[_Item]) -> None:
        """Stores a batch; if it can't be, its halves, so that only the culprit is refused.

        ``batch`` is emptied by who takes its deliveries elsewhere in the meantime.
        """
        try:
            told = await self._inbox.accept([delivery for delivery, _ in batch])
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        except Exception as error:
            if self._keeper is not None:
                self._keeper.failed(error)
            if not is_lost(error) and len(batch) > 1:
                middle = len(batch) // 2
                await self._accept(batch[:middle])
                await self._accept(batch[middle:])
                return
            if self._spool is not None and is_lost(error):
                self._spool.begin(str(error).strip().partition("\n")[0])
                self._divert(self._spool, batch)
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        if self._spool is not None:
            self._spool.away = False
        gone = sum(first is None for first in told.values())
        telemetry.stored(len(batch) - gone, len(told) - gone)
        for delivery, future in batch:
            if future.done():
                continue
            first = told.get(delivery.id)
            if first is None and delivery.id in told:
                future.set_exception(NotFound(what="The scenario of this hook"))
            else:
                future.set_result(first)

    def _began(self, lost: bool) -> None:
        """Deliveries go into the spool from now on, those that came before first."""
        self._wake.set()
        if self._spool is not None:
            self._divert(self._spool, self._storing if lost else [])

    def _divert(self, spool: Spooling, batch: list[_Item]) -> None:
        """Moves the spool's part of a batch there, and of what waits behind it, in order."""
        for items in (batch, self._queue):
            left = []
            for delivery, future in items:
                if future.done() or not spool.takes(delivery):
                    left.append((delivery, future))
                    continue
                spool.put(delivery, future)
                if items is self._queue:
                    self._weight -= len(delivery.payload)
            items[:] = left

    def _next_batch(self) -> list[_Item]:
        """Up to the largest batch, each dedup key once; a repeated one waits for the next."""
        batch: list[_Item] = []
        later = []
        keys = set()
        looked = weight = 0
        for item in self._queue[:LARGEST_BATCH]:
            if weight >= HEAVIEST_BATCH:
                break
            looked += 1
            delivery = item[0]
            if delivery.key is not None:
                key = (delivery.hook_id, delivery.key)
                if key in keys:
                    later.append(item)
                    continue
                keys.add(key)
            batch.append(item)
            weight += len(delivery.payload)
            self._weight -= len(delivery.payload)
        self._queue = later + self._queue[looked:]
        return batch

    # The spool's way back.

    async def _drain(self, spool: Spooling) -> None:
        """Drains the spool as far as the database lets it; at its end, the inbox is used again."""
        try:
            await spool.probe()
            while spool.size > LAST_BYTES:
                await spool.drain()
                if self._others(spool):
                    return  # those that can't be spooled have waited for long enough
            # Little is left, and more may be on its way there: for this moment, what comes waits.
            spool.holding = True
            await spool.quiet()
            while await spool.drain():
                continue
            spool.end()
        except Exception as error:
            if not is_lost(error):
                log.exception("spool_not_drained")
            spool.holding = False  # what has waited comes before whatever comes now
            spool.begin(str(error))
            self._divert(spool, [])
            if not self._others(spool):
                await asyncio.sleep(LOOK_AGAIN)
        finally:
            spool.holding = False

    def _others(self, spool: Spooling) -> bool:
        return any(not spool.takes(delivery) for delivery, _ in self._queue)

    async def _adopt(self, spool: Spooling) -> None:
        while True:
            await asyncio.sleep(ADOPT_SECONDS)
            await spool.adopt()
            if spool.waits:
                self._wake.set()
