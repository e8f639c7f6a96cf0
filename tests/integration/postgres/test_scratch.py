"""Databases for a while: those of killed processes are removed, and nothing else is."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict

from junctor.adapters.postgres.database import connect
from junctor.adapters.postgres.scratch import drop_leftovers, made_database
from tests.support import asynchronous

HOLDER = """
import asyncio, sys
from junctor.adapters.postgres.scratch import made_database

async def hold(url):
    async with made_database(url) as copy:
        print(copy, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(hold(sys.argv[1]))
"""


def name_of(url: str) -> str:
    return str(conninfo_to_dict(url)["dbname"])


def databases(url: str) -> set[str]:
    with psycopg.connect(url, autocommit=True) as db:
        return {name for (name,) in db.execute("select datname from pg_database")}


@contextmanager
def others(url: str) -> Iterator[set[str]]:
    """Databases that are called nearly alike, and are not ours to remove."""
    with psycopg.connect(url, autocommit=True) as db:
        row = db.execute(
            "select oid from pg_database where datname = current_database()"
        ).fetchone()
        assert row is not None
        names = {
            f"junctor_verify_{row[0]}_notes",
            f"junctor_verify_{row[0] + 1}_0123456789ab",
            "junctor_verify_0123456789ab",
        }
        try:
            for name in names:
                db.execute(f'create database "{name}"')
            yield names
        finally:
            for name in names:
                db.execute(f'drop database if exists "{name}" with (force)')


async def dropped(url: str) -> list[str]:
    connection = await connect(url, "owner")
    async with connection:
        return await drop_leftovers(connection)


@asynchronous
async def test_what_a_killed_process_left_is_removed_and_nothing_else(database_url: str) -> None:
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, database_url,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        left = name_of((await holder.stdout.readline()).decode().strip())
        with others(database_url) as alike:
            async with made_database(database_url) as copy:
                assert {left, name_of(copy)} <= databases(database_url), "both are used"
                holder.kill()
                await holder.wait()
                async with asyncio.timeout(20):  # until the server has noticed
                    while not (gone := await dropped(database_url)):
                        await asyncio.sleep(0.02)
                assert gone == [left]
                assert alike | {name_of(copy)} <= databases(database_url)
            assert alike <= databases(database_url)
            assert name_of(copy) not in databases(database_url)
    finally:
        if holder.returncode is None:
            holder.kill()
            await holder.wait()


@asynchronous
async def test_the_next_one_removes_what_was_left(database_url: str) -> None:
    async with made_database(database_url) as copy:
        left = name_of(copy).rpartition("_")[0] + "_0123456789ab"  # nobody holds its lock
        with psycopg.connect(database_url, autocommit=True) as db:
            db.execute(f'create database "{left}"')
        async with made_database(database_url) as other:
            assert {name_of(copy), name_of(other)} <= databases(database_url)
            assert left not in databases(database_url)
