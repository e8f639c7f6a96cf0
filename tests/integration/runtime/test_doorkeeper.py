"""What can't be kept is refused, and never acknowledged; what was taken is done later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg

from junctor.adapters.postgres.database import pool
from junctor.runtime.disk import Disk
from junctor.runtime.doorkeeper import Doorkeeper
from tests.durability.kit import ORGANIZATION
from tests.integration.runtime.door import (
    SET,
    WEBHOOK,
    Door,
    door,
    flow,
    idle,
    plant_hook,
    waiting_deliveries,
    working,
)
from tests.support import asynchronous

GB = 1024**3


class Volume:
    """A probe: what the keeper sees of the disk."""

    def __init__(self) -> None:
        self.free = 50 * GB

    def __call__(self, _path: Path) -> tuple[int, int]:
        return self.free, 100 * GB


@asynccontextmanager
async def kept(url: str, volume: Volume) -> AsyncIterator[tuple[Door, Doorkeeper]]:
    async with pool(url, "engine", 1, 2) as engine:
        keeper = Doorkeeper(engine, Disk({"the database": Path("/")}, probe=volume), every=3600)
        async with door(url, keeper=keeper, patience=0.2) as made:
            yield made, keeper


def execute(url: str, query: str, *values: Any) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as db:
        cursor = db.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def clean(url: str) -> None:
    for table in ("inbox", "backlog", "quotas", "usages", "notices"):
        execute(url, f"delete from {table}")


@asynchronous
async def test_a_full_queue_is_told_to_come_again(database_url: str) -> None:
    path = plant_hook(database_url, flow(WEBHOOK, SET))
    clean(database_url)
    execute(
        database_url,
        "insert into quotas (organization_id, queued_deliveries, updated_by) values (%s, 3, 't')",
        ORGANIZATION,
    )
    async with kept(database_url, Volume()) as (made, keeper):
        for n in range(3):
            assert (await made.post(path, b'{"n": %d}' % n)).status == 200
        await keeper.count()
        refused = await made.post(path, b'{"n": 9}')
        assert (refused.status, refused.headers["retry-after"]) == (429, "30")
        assert b"queued deliveries of at most 3" in refused.body
        assert waiting_deliveries(database_url) == 3
        await keeper.count()
        noticed = execute(database_url, "select kind, subject, params from notices")
        assert noticed == [
            (
                "queue_full",
                "queued_deliveries",
                {"what": "queued_deliveries", "limit": 3, "used": 3},
            )
        ]
        async with working(database_url):
            await idle(database_url)
        await keeper.count()
        assert (await made.post(path, b'{"n": 4}')).status == 200

        execute(database_url, "update quotas set queued_deliveries = null, queued_bytes = 100")
        await keeper.count()
        assert (await made.post(path, b"x" * 200)).status in {200, 429}
        await keeper.count()
        assert b"queued bytes" in (await made.post(path, b"{}")).body
        execute(database_url, "update quotas set queued_bytes = null, stored_bytes = 10")
        execute(
            database_url,
            "insert into usages (organization_id, stored_bytes, records) values (%s, 11, 0)",
            ORGANIZATION,
        )
        await keeper.count()
        assert b"stored bytes of at most 10" in (await made.post(path, b"{}")).body
    clean(database_url)


@asynchronous
async def test_without_room_nothing_is_taken_nor_begun_until_there_is(database_url: str) -> None:
    path = plant_hook(database_url, flow(WEBHOOK, SET))
    clean(database_url)
    volume = Volume()
    async with kept(database_url, volume) as (made, keeper):
        assert (await made.post(path, b'{"n": 1}')).status == 200
        volume.free = GB // 4
        (seen,) = keeper.disk.look()
        await keeper._tell_disk(seen)
        refused = await made.post(path, b'{"n": 2}')
        assert (refused.status, refused.headers["retry-after"]) == (503, "30")
        ((kind, params),) = execute(
            database_url,
            "select kind, params from notices where organization_id = %s",
            ORGANIZATION,
        )
        assert (kind, params["level"], params["what"]) == ("disk_low", "full", "the database")

        async with working(database_url) as worker:
            worker._disk = keeper.disk
            passes = await worker._pass()
            assert (passes, worker.active, waiting_deliveries(database_url)) == (0, 0, 1)
            volume.free = 50 * GB
            keeper.disk.look()
            await idle(database_url)
        assert (await made.post(path, b'{"n": 3}')).status == 200
    clean(database_url)


@asynchronous
async def test_a_disk_that_is_full_at_the_commit_acknowledges_nothing(database_url: str) -> None:
    path = plant_hook(database_url, flow(WEBHOOK, SET))
    clean(database_url)
    execute(
        database_url,
        "create function no_room() returns trigger language plpgsql as $$ begin"
        " raise exception 'No space left on device' using errcode = '53100'; end $$",
    )
    for table in ("inbox", "runs"):
        execute(
            database_url,
            f"create trigger no_room before insert on {table} for each row execute"
            " function no_room()",
        )
    async with kept(database_url, Volume()) as (made, keeper):
        refused = await made.post(path, b'{"n": 1}')
        assert (refused.status, waiting_deliveries(database_url)) == (503, 0)
        assert keeper.disk.full  # and the next is refused without asking the database
        assert b"no room" in (await made.post(path, b'{"n": 1}')).body
        keeper.disk._said = 0.0
        execute(database_url, "drop trigger no_room on inbox")
        assert (await made.post(path, b'{"n": 1}')).status == 200
        async with working(database_url) as worker:
            async with asyncio.timeout(120):
                while not worker.active:  # its end can't be stored: the run stays
                    await asyncio.sleep(0.01)
            assert waiting_deliveries(database_url) == 1
            execute(database_url, "drop trigger no_room on runs")
            await idle(database_url)
    assert execute(database_url, "select count(*) from runs where state = 'finished'") >= [(1,)]
