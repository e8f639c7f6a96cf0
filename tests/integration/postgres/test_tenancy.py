"""Row level security bites, whoever asks."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest
from psycopg import errors, sql

from junctor.adapters.postgres import database
from junctor.adapters.postgres.migrate import migrate
from junctor.adapters.system import system_ids
from tests.support import asynchronous

IDS = system_ids()
# Not one organisation's: who runs here, and what was migrated.
SHARED = {"nodes", "migrations"}


def two(url: str) -> tuple[UUID, UUID]:
    mine, yours = IDS.new(), IDS.new()
    with psycopg.connect(url, autocommit=True) as owner:
        for org in (mine, yours):
            owner.execute(
                "insert into organizations (organization_id, name, created_by) values (%s,'o','t')",
                (org,),
            )
            owner.execute(
                "insert into teams (organization_id, id, name, created_by) values (%s,%s,'t','t')",
                (org, IDS.new()),
            )
            for table in ("runs", "runs_kept"):
                owner.execute(
                    sql.SQL(
                        "insert into {} (organization_id, id, retention, scenario_id, version, "
                        "state, actor, started_at) values (%s,%s,%s,%s,1,'finished','t',now())"
                    ).format(sql.Identifier(table)),
                    (org, IDS.new(), "kept" if table == "runs_kept" else "short", IDS.new()),
                )
    return mine, yours


def test_every_table_is_guarded_by_force(database_url: str) -> None:
    with psycopg.connect(database_url) as owner:
        rows = owner.execute(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where n.nspname = 'public' and c.relkind in ('r', 'p') "
            "and not (c.relrowsecurity and c.relforcerowsecurity)"
        ).fetchall()
        assert {row[0] for row in rows} == SHARED
        rows = owner.execute(
            "select tablename, count(*) from pg_policies group by 1 having count(*) <> 3"
        ).fetchall()
        assert rows == []


@asynchronous
async def test_the_api_sees_nothing_without_an_organization(database_url: str) -> None:
    two(database_url)
    async with await database.connect(database_url, "api") as connection:
        for table in ("organizations", "teams", "runs"):
            cursor = await connection.execute(
                sql.SQL("select count(*) from {}").format(sql.Identifier(table))
            )
            assert await cursor.fetchone() == (0,), table
        with pytest.raises(errors.InsufficientPrivilege):
            await connection.execute("select count(*) from runs_kept")


@asynchronous
async def test_the_api_sees_and_writes_its_own_alone(database_url: str) -> None:
    mine, yours = two(database_url)
    async with database.pool(database_url, "api", 1, 1) as pool:
        async with database.tenant(pool, mine) as connection:
            for table, many in (("organizations", 1), ("teams", 1), ("runs", 2)):
                cursor = await connection.execute(
                    sql.SQL("select array_agg(distinct organization_id), count(*) from {}").format(
                        sql.Identifier(table)
                    )
                )
                assert await cursor.fetchone() == ([mine], many)
            cursor = await connection.execute(
                "update teams set name = 'stolen' where organization_id = %s", (yours,)
            )
            assert cursor.rowcount == 0
            cursor = await connection.execute(
                "delete from runs where organization_id <> %s", (mine,)
            )
            assert cursor.rowcount == 0
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
            async with database.tenant(pool, mine) as connection:
                await connection.execute(
                    "insert into teams (organization_id, id, name, created_by) "
                    "values (%s,%s,'x','x')",
                    (yours, IDS.new()),
                )
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
            async with database.tenant(pool, mine) as connection:
                await connection.execute("update teams set organization_id = %s", (yours,))


async def attempt(pool: database.Pool, organization: UUID, statement: str) -> None:
    async with database.tenant(pool, organization) as connection:
        await connection.execute(statement)


@asynchronous
async def test_the_api_may_not_do_what_is_not_its_own(database_url: str) -> None:
    mine, _ = two(database_url)
    forbidden = [
        "insert into organizations (organization_id) select null",
        "delete from organizations",
        "update audit set actor = 'x'",
        "delete from audit",
        "insert into segments (organization_id) select null",
        "insert into nodes (name, role) values ('x', 'y')",
        "insert into migrations (id, checksum) values ('x', 'y')",
        "select ensure_partitions(current_date, 1)",
        "select drop_partitions('short', current_date)",
        "select guard_table('teams')",
        "select * from procrastinate.procrastinate_jobs",
    ]
    async with database.pool(database_url, "api", 1, 1) as pool:
        for statement in forbidden:
            with pytest.raises(errors.InsufficientPrivilege):
                await attempt(pool, mine, statement)


@asynchronous
async def test_the_engine_works_over_all(database_url: str) -> None:
    mine, yours = two(database_url)
    async with await database.connect(database_url, "engine") as connection:
        cursor = await connection.execute("select distinct organization_id from runs")
        assert {mine, yours} <= {row[0] for row in await cursor.fetchall()}
        with pytest.raises(errors.InsufficientPrivilege):
            await connection.execute("drop table teams")


@asynchronous
async def test_an_ordinary_owner_can_migrate_and_sees_its_tables(postgres_url: str) -> None:
    from tests.conftest import on

    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("create role plain login createrole password 'plain'")
        admin.execute("grant junctor_engine, junctor_api to plain with admin option")
        admin.execute("create database plain owner plain")
    try:
        password = postgres_url.split("//junctor:")[1].split("@", maxsplit=1)[0]
        url = on(postgres_url.replace(f"junctor:{password}", "plain:plain"), "plain")
        assert (await migrate(url))[0] == "0001.spine"
        two(url)
        async with await database.connect(url, "owner") as connection:
            cursor = await connection.execute(
                "select rolsuper, (select count(*) from teams) from pg_roles "
                "where rolname = current_user"
            )
            assert await cursor.fetchone() == (False, 2)
        async with await database.connect(url, "api") as connection:
            cursor = await connection.execute("select count(*) from teams")
            assert await cursor.fetchone() == (0,)
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute("drop database plain with (force)")
            admin.execute("drop role plain")


def test_partitions_are_made_ahead_once_and_guarded(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        made = owner.execute("select ensure_partitions(date '2931-01-01', 2)").fetchone()
        assert made == (12,)
        assert owner.execute("select ensure_partitions(date '2931-01-01', 2)").fetchone() == (0,)
        org, run = IDS.new(), "7f" + "0" * 30
        first = owner.execute("select uuid7_floor('2931-01-02T00:00:00Z')").fetchone()
        assert first is not None
        run = first[0]
        owner.execute(
            "insert into segments (organization_id, run_id, retention, seq, data) "
            "values (%s,%s,'long',0,'')",
            (org, run),
        )
        row = owner.execute("select count(*) from segments_long_29310102").fetchone()
        assert row == (1,)
        kept = owner.execute(
            "select relforcerowsecurity from pg_class where relname = 'segments_long_29310102'"
        ).fetchone()
        assert kept == (True,)


def test_a_day_with_rows_in_the_default_partition_is_skipped(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(
            "insert into segments (organization_id, run_id, retention, seq, data) "
            "values (%s, uuid7_floor('2932-01-01T12:00:00Z'),'short',0,'')",
            (IDS.new(),),
        )
        assert owner.execute("select ensure_partitions(date '2932-01-01', 1)").fetchone() == (5,)
