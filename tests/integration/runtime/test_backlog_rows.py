"""Rows of the backlog between two connections: locks in one order, signals that are never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from junctor.adapters.postgres.database import pool
from junctor.adapters.postgres.queries import load
from junctor.ports.backlog import Claim
from junctor.ports.ledger import RunRow, Write
from junctor.runtime.heartbeat import renewed
from junctor.runtime.maintenance import Maintenance
from tests.durability import kit
from tests.integration.runtime.test_claims import new, parts
from tests.support import run

SQL = load("hot")
RELEASE = ("lock_release", "release_empty", "release_rest", "release_idle")
OWNER = UUID(int=7)

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


async def engine(url: str) -> Connection:
    connection = await psycopg.AsyncConnection.connect(url)
    await connection.execute("set role junctor_engine")
    await connection.commit()
    return connection


async def waits_for_a_lock(url: str, waiting: Connection) -> None:
    looks = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and pid = %s"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as db:
        async with asyncio.timeout(kit.PATIENCE):
            while await (await db.execute(looks, (waiting.info.backend_pid,))).fetchone() is None:
                pass


def given_back(claims: Sequence[Claim]) -> Mapping[str, Any]:
    return {
        **renewed(claims),
        "ns": [claim.n for claim in claims],
        "mores": [claim.more for claim in claims],
        "waits": [claim.waits for claim in claims],
        "blocks": [claim.blocked_by_run for claim in claims],
        "cautious": [False for _ in claims],
    }


async def release(connection: Connection, claims: Sequence[Claim]) -> None:
    for name in RELEASE:
        await connection.execute(SQL[name], given_back(claims))
    await connection.commit()


def test_leases_are_renewed_while_claims_are_given_back(database_url: str) -> None:
    """Both lock many rows: in two orders, each would wait for the other."""

    async def check() -> None:
        async with parts(database_url) as (inbox, backlog, _):
            scenario = kit.plant(database_url, "{}", OWNER)
            for key in ("k:b", "k:m", "k:a"):  # as they lie in the table
                await inbox.accept([new(OWNER, scenario, key)])
            claims = await backlog.claim(64, 64)
            await backlog.take([(claim, 10) for claim in claims], [])
            assert len(claims) == 3
            between, beat, back = [await engine(database_url) for _ in range(3)]
            await between.execute("select 1 from backlog where order_key = 'k:m' for update")
            given = {"owner": "me", "lease": 10, **renewed(claims)}
            renewing = asyncio.create_task(beat.execute(SQL["renew"], given))
            await waits_for_a_lock(database_url, beat)
            ends = [claim for claim in claims if claim.order_key != "k:m"]
            releasing = asyncio.create_task(release(back, ends))
            await waits_for_a_lock(database_url, back)
            await between.rollback()
            assert len(await (await renewing).fetchall()) == 3
            await beat.commit()
            await releasing
            for connection in (between, beat, back):
                await connection.close()

    run(check())


async def finished_wait(parts_: Any, url: str, key: str = "k:a") -> tuple[UUID, Claim]:
    """A claim whose only run has waited, and has ended now."""
    inbox, backlog, ledger = parts_
    scenario = kit.plant(url, "{}", OWNER)
    await inbox.accept([delivery := new(OWNER, scenario, key)])
    (claim,) = await backlog.claim(64, 64)
    await backlog.take([(claim, 10)], [])
    now = datetime.now(UTC)
    later = now + timedelta(hours=1)
    for state, due, ended in (("waiting", later, None), ("finished", None, now)):
        row = RunRow(1, state, None, due, "delivery", "hook", now, ended, 1, 0, 0, None, None, None)
        await ledger.commit(
            [Write(claim, delivery.id, claim.retention, row=row, done=True, due_at=due)]
        )
    claim.waits = True
    return scenario, claim


def rows(url: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as db:
        return db.execute("select order_key, idle, fence from backlog").fetchall()


def test_a_key_that_once_waited_leaves_no_row(database_url: str) -> None:
    async def check() -> None:
        async with parts(database_url) as made:
            _, claim = await finished_wait(made, database_url)
            await made[1].release([claim])
            assert rows(database_url) == []

    run(check())


def test_a_row_that_was_left_behind_is_taken_away_and_no_other(database_url: str) -> None:
    async def check() -> None:
        async with parts(database_url):
            kinds = {
                "left": "true, null, null, 0, '-infinity'",
                "line": "false, null, null, 0, '-infinity'",
                "due": "true, now(), null, 0, '-infinity'",
                "blocked": "true, null, gen_random_uuid(), 0, '-infinity'",
                "owned": "true, null, null, 7, now() + interval '10 s'",
                "crashed": "true, null, null, 0, now() - interval '10 s'",
            }
            with psycopg.connect(database_url, autocommit=True) as db:
                for key, values in kinds.items():
                    db.execute(
                        "insert into backlog (organization_id, scenario_id, order_key, idle,"
                        " due_at, blocked_by_run, fence, lease_until)"
                        f" values (%s, %s, %s, {values})",
                        (OWNER, OWNER, key),
                    )
            async with pool(database_url, "engine", 1, 1) as connections:
                done = await Maintenance(connections).forget()
            assert done["idle"] == 1
            assert {row[0] for row in rows(database_url)} == kinds.keys() - {"left"}

    run(check())


def test_a_signal_while_the_row_goes_makes_it_anew(database_url: str) -> None:
    async def check() -> None:
        async with parts(database_url) as made:
            inbox, backlog, ledger = made
            scenario, claim = await finished_wait(made, database_url)
            back = await engine(database_url)
            for name in RELEASE:
                await back.execute(SQL[name], given_back([claim]))
            signal = new(OWNER, scenario, "k:a")
            door = asyncio.create_task(inbox.accept([signal]))
            looks = "select 1 from pg_stat_activity where %s = any(pg_blocking_pids(pid))"
            async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as db:
                async with asyncio.timeout(kit.PATIENCE):
                    ours = (back.info.backend_pid,)
                    while await (await db.execute(looks, ours)).fetchone() is None:
                        assert not door.done()
            await back.commit()
            await door
            await back.close()
            (again,) = await backlog.claim(64, 64)
            assert again.fence > claim.fence
            ((_, taken),) = await backlog.take([(again, 10)], [])
            assert [each.id for each in taken] == [signal.id]
            now = datetime.now(UTC)
            row = RunRow(
                1, "finished", None, None, "delivery", "hook", now, now, 1, 0, 0, None, None, None
            )
            late = Write(claim, signal.id, claim.retention, row=row, done=True)
            assert await ledger.commit([late]) == [
                False
            ]  # whoever had the row before has it no more

    run(check())


def test_a_row_that_is_signalled_first_stays(database_url: str) -> None:
    async def check() -> None:
        async with parts(database_url) as made:
            backlog = made[1]
            scenario, claim = await finished_wait(made, database_url)
            door = await engine(database_url)
            signal = new(OWNER, scenario, "k:a")
            await door.execute(
                SQL["accept_plain"],
                {
                    "organizations": [signal.organization_id],
                    "ids": [signal.id],
                    "scenarios": [signal.scenario_id],
                    "order_keys": [signal.order_key],
                    "hooks": [None],
                    "payloads": [signal.payload],
                    "servers": [None],
                },
            )
            back = await engine(database_url)
            releasing = asyncio.create_task(release(back, [claim]))
            await waits_for_a_lock(database_url, back)
            await door.commit()
            await releasing
            (again,) = await backlog.claim(64, 64)
            ((_, taken),) = await backlog.take([(again, 10)], [])
            assert [each.id for each in taken] == [signal.id]
            for connection in (door, back):
                await connection.close()

    run(check())
