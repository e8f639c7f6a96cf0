"""Ownership in the database: fair claims, bounded takes, blocked lines, fences under a race."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from junctor.adapters.postgres import hot
from junctor.adapters.postgres.hot import Line, PostgresBacklog, PostgresInbox, PostgresLedger
from junctor.adapters.postgres.queries import load
from junctor.ports.backlog import Claim
from junctor.ports.inbox import NewDelivery
from junctor.ports.ledger import RunRow, Write
from tests.durability import kit
from tests.support import run

SQL = load("hot")


@asynccontextmanager
async def parts(url: str) -> AsyncIterator[tuple[PostgresInbox, PostgresBacklog, PostgresLedger]]:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("truncate inbox, backlog, runs, segments, scenarios, organizations cascade")
    line = Line(url, patience=5)
    yield PostgresInbox(line), PostgresBacklog(line, owner="me", lease=60), PostgresLedger(line)
    await line.close()


def new(organization: UUID, scenario: UUID, key: str = "", payload: bytes = b"x") -> NewDelivery:
    return NewDelivery(organization, kit.new_id(), scenario, key, None, payload, None, None)


def stopped(claim: Claim, delivery: UUID, *, blocks: bool) -> Write:
    now = datetime.now(UTC)
    row = RunRow(
        1, "incomplete", None, None, "delivery", "hook", now, now, 1, 0, 0, None, None, None
    )
    return Write(claim, delivery, claim.retention, row=row, done=True, blocks=blocks)


def execute(url: str, query: str, parameters: dict[str, Any] | None = None) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("set role junctor_engine")
        cursor = db.execute(query, parameters)
        return cursor.fetchall() if cursor.description else []


def test_a_busy_organization_does_not_take_every_place(database_url: str) -> None:
    async def check() -> None:
        async with parts(database_url) as (inbox, backlog, _):
            busy, quiet = UUID(int=7), UUID(int=8)
            for organization in (busy, quiet):
                scenario = kit.plant(database_url, "{}", organization)
                count = 100 if organization == busy else 1
                await inbox.accept([new(organization, scenario, f"k:{n}") for n in range(count)])
            claims = await backlog.claim(64, 64)
            assert {claim.organization_id for claim in claims} == {busy, quiet}
            assert len(claims) == 33
            assert len(await backlog.claim(64, 64)) == 64

    run(check())


def test_large_deliveries_are_taken_a_few_at_a_time(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        monkeypatch.setattr(hot, "TAKEN_BYTES", 2500)
        async with parts(database_url) as (inbox, backlog, _):
            scenario = kit.plant(database_url, "{}")
            given = [new(kit.ORGANIZATION, scenario, payload=b"x" * 1000) for _ in range(5)]
            await inbox.accept(given)
            (claim,) = await backlog.claim(64, 64)
            ((_, first),) = await backlog.take([(claim, 64)], [])
            assert [each.id for each in first] == [each.id for each in given[:3]]
            assert claim.more
            ((_, rest),) = await backlog.take([(claim, 64)], [each.id for each in first])
            assert len(rest) == 2
            assert not claim.more

    run(check())


def test_a_line_is_blocked_from_the_commit_that_stops_its_head(database_url: str) -> None:
    """Not only from the release: a worker that dies in between must not let others overtake."""

    async def check() -> None:
        async with parts(database_url) as (inbox, backlog, ledger):
            scenario = kit.plant(database_url, "{}")
            head, behind = (new(kit.ORGANIZATION, scenario, "k:a") for _ in range(2))
            await inbox.accept([head, behind])
            (claim,) = await backlog.claim(64, 64)
            assert await ledger.commit([stopped(claim, head.id, blocks=True)]) == [True]
            execute(database_url, "update backlog set lease_until = now() - interval '1 s'")
            assert await backlog.claim(64, 64) == []
            where = {"organization": kit.ORGANIZATION, "run": head.id}
            execute(database_url, SQL["discard"], where)
            (after,) = await backlog.claim(64, 64)
            assert after.blocked_by_run is None
            assert after.cautious_until == behind.id

    run(check())


def test_a_run_given_up_while_its_claim_is_held_blocks_nothing(database_url: str) -> None:
    async def check() -> None:
        async with parts(database_url) as (inbox, backlog, ledger):
            scenario = kit.plant(database_url, "{}")
            head, behind = (new(kit.ORGANIZATION, scenario, "k:a") for _ in range(2))
            await inbox.accept([head, behind])
            (claim,) = await backlog.claim(64, 64)
            await backlog.take([(claim, 16)], [])
            await ledger.commit([stopped(claim, head.id, blocks=True)])
            execute(
                database_url, SQL["discard"], {"organization": kit.ORGANIZATION, "run": head.id}
            )
            claim.blocked_by_run, claim.more = head.id, True
            await backlog.release([claim])
            (after,) = await backlog.claim(64, 64)
            assert after.blocked_by_run is None

    run(check())


def test_a_claim_half_looked_through_stays_as_crashed(database_url: str) -> None:
    async def check() -> None:
        async with parts(database_url) as (inbox, backlog, _):
            scenario = kit.plant(database_url, "{}")
            given = [new(kit.ORGANIZATION, scenario) for _ in range(3)]
            await inbox.accept(given)
            (first,) = await backlog.claim(64, 64)
            execute(database_url, "update backlog set lease_until = now() - interval '1 s'")
            (heir,) = await backlog.claim(64, 64)
            assert (first.cautious_until, heir.cautious_until) == (None, given[-1].id)
            await backlog.take([(heir, 1)], [])
            await backlog.release([heir])
            (again,) = await backlog.claim(64, 64)
            assert again.cautious_until == given[-1].id
            await backlog.take([(again, 16)], [])
            await backlog.release([again])
            assert await backlog.claim(64, 64) == []

    run(check())


def test_a_commit_that_began_before_a_claim_and_locks_after_it_writes_nothing(
    database_url: str,
) -> None:
    """The snapshot still shows the old fence; only the lock can tell."""

    async def check() -> None:
        async with parts(database_url) as (inbox, backlog, ledger):
            scenario = kit.plant(database_url, "{}")
            given = new(kit.ORGANIZATION, scenario)
            await inbox.accept([given])
            (old,) = await backlog.claim(64, 64)
            late = (
                "with s as materialized (select pg_advisory_lock(1)),"
                " held as materialized (select b.fence from s"
                " cross join lateral (select * from backlog where s is not null) b"
                " where b.fence = %(fence)s for key share of b) select * from held"
            )
            with psycopg.connect(database_url, autocommit=True) as db:
                db.execute("select pg_advisory_lock(1)")
                slow = asyncio.create_task(
                    asyncio.to_thread(execute, database_url, late, {"fence": old.fence})
                )
                waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted"
                while not db.execute(waiting).fetchall():
                    await asyncio.sleep(0)
                execute(database_url, "update backlog set lease_until = now() - interval '1 s'")
                (heir,) = await backlog.claim(64, 64)
                assert heir.fence != old.fence
            assert await slow == []
            assert await ledger.commit([stopped(old, given.id, blocks=False)]) == [False]
            assert given.id not in kit.states(database_url)

    run(check())


def test_a_run_made_due_under_a_claim_that_has_just_looked_is_not_forgotten(
    database_url: str,
) -> None:
    """Its owner has seen the signal, had no reason to look at waits again, and gives back."""

    async def check() -> None:
        async with parts(database_url) as (inbox, backlog, ledger):
            scenario = kit.plant(database_url, "{}")
            one = new(kit.ORGANIZATION, scenario)
            await inbox.accept([one])
            (claim,) = await backlog.claim(64, 64)
            await backlog.take([(claim, 16)], [])
            await ledger.commit([stopped(claim, one.id, blocks=False)])
            where = {"organization": kit.ORGANIZATION, "run": one.id}
            execute(database_url, SQL["resume"], where)
            await backlog.take([(claim, 16)], [])
            assert (claim.due, claim.waits, claim.more) == (True, False, False)
            await backlog.release([claim])
            (after,) = await backlog.claim(64, 64)
            assert [each.id for each in await backlog.due(after, 64)] == [one.id]

    run(check())


class Away(Line):
    """A database that is away for a minute before the next statement."""

    clock = 1000.0
    back = False

    async def execute(self, connection: Any, name: str, parameters: Any) -> Any:
        if not self.back:
            self.back, self.clock = True, self.clock + 60
            raise psycopg.OperationalError("the database system is shutting down")
        return await super().execute(connection, name, parameters)


def test_nothing_is_claimed_with_a_statement_that_waited_for_the_database(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could renew meanwhile, and its own leases would be over when their runs begin."""

    async def check() -> None:
        async with parts(database_url) as (inbox, _, _):
            await inbox.accept([new(kit.ORGANIZATION, kit.plant(database_url, "{}"))])
        line = Away(database_url, patience=5)
        monkeypatch.setattr(hot, "uptime", lambda: line.clock)
        backlog = PostgresBacklog(line, owner="me", lease=10)
        assert await backlog.claim(64, 64) == []
        (claim,) = await backlog.claim(64, 64)
        assert claim.until == line.clock + 10
        await line.close()

    run(check())
