"""What one server takes it stores in the order it came, also where the spool comes in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import psycopg

from junctor.adapters.postgres.fanout import Spread
from junctor.adapters.spool import SpoolFolder, pack
from junctor.adapters.system import system_ids
from junctor.ports.inbox import NewDelivery
from junctor.runtime.batches import Batches
from junctor.runtime.fanout import Fanout
from junctor.runtime.spooling import Spooling, _seal
from junctor.testing.vault import FakeVault
from tests.support import asynchronous

ORGANIZATION = UUID(int=1)
SCENARIO, HOOK = UUID(int=2), UUID(int=3)
NOTHING: Any = None
new_id = system_ids().new


class Store:
    """The database, which answers when it is told to: of the inbox, and of what is drained."""

    def __init__(self) -> None:
        self.stored: list[UUID] = []
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.away = False

    async def accept(self, deliveries: Sequence[NewDelivery]) -> dict[UUID, UUID]:
        self.asked.set()
        await self.answers.wait()
        await self.probe()
        self.stored += [each.id for each in deliveries]
        return {}

    async def probe(self) -> None:
        if self.away:
            raise psycopg.OperationalError("the server closed the connection unexpectedly")


def delivery() -> NewDelivery:
    return NewDelivery(ORGANIZATION, new_id(), SCENARIO, "", HOOK, b"x", None, None)


@asynccontextmanager
async def door(tmp_path: Path) -> AsyncIterator[tuple[Batches, Spooling, Store]]:
    """Batches and a spool before a store that does not answer yet."""
    ring = await FakeVault().keyring(ORGANIZATION)
    folder = SpoolFolder(tmp_path, most_bytes=1 << 20, keep_free=0)
    spool = Spooling(folder, line=NOTHING, vault=FakeVault(), rings={ORGANIZATION: ring})
    batches = Batches(NOTHING, spool)
    store = Store()
    batches._inbox = spool._store = cast("Any", store)
    await spool.start()
    batches.start()
    try:
        yield batches, spool, store
    finally:
        store.answers.set()
        await batches.stop()
        await spool.stop()


async def taken(batches: Batches, *deliveries: NewDelivery) -> list[asyncio.Task[UUID | None]]:
    """Deliveries that have been handed over, one after another."""
    tasks = []
    for each in deliveries:
        tasks.append(asyncio.create_task(batches.accept(each)))
        await asyncio.sleep(0)
    return tasks


async def empty(spool: Spooling) -> None:
    while spool.active:
        await asyncio.sleep(0)


@asynchronous
async def test_whoever_finds_the_database_away_what_came_before_is_spooled_before(
    tmp_path: Path,
) -> None:
    """An app's delivery is told first that nothing can be stored, and others wait here by then."""
    async with door(tmp_path) as (batches, spool, store):
        first, second, third = delivery(), delivery(), delivery()
        tasks = await taken(batches, first)
        await store.asked.wait()
        tasks += await taken(batches, second)
        store.away = True
        spool.begin("an app's delivery could not be stored")
        tasks += await taken(batches, third)
        store.answers.set()
        await asyncio.gather(*tasks)
        store.away = False
        await empty(spool)
        assert store.stored == [first.id, second.id, third.id]


@asynchronous
async def test_what_another_server_left_is_not_put_between_what_came_here(tmp_path: Path) -> None:
    async with door(tmp_path) as (batches, spool, store):
        first, second, third, left = delivery(), delivery(), delivery(), delivery()
        tasks = await taken(batches, first)
        await store.asked.wait()
        tasks += await taken(batches, second)
        other = SpoolFolder(tmp_path, most_bytes=1 << 20, keep_free=0)
        ring = await FakeVault().keyring(ORGANIZATION)
        other.append([pack(_seal(left, ring))])
        other.close()
        await spool.adopt()
        tasks += await taken(batches, third)
        store.answers.set()
        await asyncio.gather(*tasks)
        await batches.accept(delivery())
        await empty(spool)
        own = [each for each in store.stored if each != left.id]
        assert own[:3] == [first.id, second.id, third.id]
        assert left.id in store.stored


@asynchronous
async def test_a_drain_that_fails_at_its_end_lets_nothing_overtake(tmp_path: Path) -> None:
    """While the last of it is drained, what comes waits; then it comes before what comes later."""
    async with door(tmp_path) as (batches, spool, store):
        first, second, third = delivery(), delivery(), delivery()
        spool.begin("the database is away")
        tasks = await taken(batches, first)
        await store.asked.wait()
        assert spool.holding
        tasks += await taken(batches, second)
        store.away = True
        store.answers.set()
        while not spool.away:
            await asyncio.sleep(0)
        tasks += await taken(batches, third)
        assert not batches._queue, "what comes later is not held for a database that is away"
        await asyncio.gather(*tasks)
        store.away = False
        await empty(spool)
        assert store.stored == [first.id, second.id, third.id]


@asynchronous
async def test_an_apps_deliveries_that_wait_are_spooled_before_those_that_come_later(
    tmp_path: Path,
) -> None:
    async with door(tmp_path) as (_, spool, _store):
        fanout = Fanout("unused", hooks=NOTHING, connector=NOTHING, patience=1, spool=spool)
        store = Spreads()
        fanout._store = cast("Any", store)
        await fanout.start()
        given = [Spread(ORGANIZATION, HOOK, 1, (delivery(),)) for _ in range(2)]
        first = asyncio.create_task(fanout._accept(given[0]))
        await store.asked.wait()
        second = asyncio.create_task(fanout._accept(given[1]))
        await asyncio.sleep(0)
        spool.begin("a hook's delivery could not be stored")
        said = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(each) for each in said] == [psycopg.OperationalError] * 2
        await fanout.stop()


class Spreads:
    """A database that never answers."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def accept(self, _spreads: Sequence[Spread]) -> None:
        self.asked.set()
        await asyncio.Event().wait()
