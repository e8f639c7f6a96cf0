"""What can't be stored, and a database that goes away, must not stop the others."""

from __future__ import annotations

import asyncio

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.durability import kit
from tests.support import run


def test_a_claim_whose_answer_was_lost_runs_out(database_url: str) -> None:
    """Claimed in the database and never heard of: nobody may renew that for ever."""

    async def check() -> None:
        async with kit.vendor() as vendor:
            scenario = kit.plant(database_url, kit.blueprint(vendor.port))
            worker = await kit.WorkerProcess.start(database_url, port=vendor.port)
            try:
                with psycopg.connect(database_url, autocommit=True) as db:
                    db.execute("set role junctor_engine")
                    name = ""
                    while not name:
                        name = f"victim-{worker.process.pid}"
                        rows = db.execute("select 1 from nodes where name = %s", (name,)).fetchall()
                        if not rows:
                            name = ""
                            await asyncio.sleep(0.02)
                    db.execute(
                        "insert into backlog (organization_id, scenario_id, n, owner, fence,"
                        " lease_until) values (%s, %s, 1, %s, nextval('fences'),"
                        " now() + interval '1 s')",
                        (kit.ORGANIZATION, scenario, name),
                    )
                runs = await kit.deliver(database_url, scenario, [1, 2])
                found = await kit.settle(database_url, runs)
            finally:
                await worker.stop()
            assert set(found.values()) == {"finished"}

    run(check())


def test_a_worker_stops_though_its_database_is_away(database_url: str) -> None:
    async def check() -> None:
        def allow(connections: bool) -> None:
            name = conninfo_to_dict(database_url)["dbname"]
            with psycopg.connect(database_url, dbname="postgres", autocommit=True) as db:
                db.execute(f'alter database "{name}" allow_connections {connections}')
                if not connections:
                    db.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                        (name,),
                    )

        async with kit.vendor(delay=kit.NEVER) as vendor:
            scenario = kit.plant(database_url, kit.blueprint(vendor.port))
            runs = await kit.deliver(database_url, scenario, range(4))
            worker = await kit.WorkerProcess.start(database_url, port=vendor.port)
            while len(vendor.done) < 4:
                await asyncio.sleep(0.01)
            allow(False)
            vendor.answer()  # nobody can write that down
            try:
                worker.process.terminate()
                await worker.died()
            finally:
                allow(True)
            heir = await kit.WorkerProcess.start(database_url, port=vendor.port)
            try:
                found = await kit.settle(database_url, runs)
            finally:
                await heir.stop()
            assert set(found.values()) == {"uncertain"}
            assert set(vendor.done.values()) == {1}

    run(check())


def test_runs_outlast_a_database_that_goes_away_for_a_moment(database_url: str) -> None:
    async def check() -> None:
        async with kit.vendor(delay=0.3) as vendor:
            scenario = kit.plant(database_url, kit.blueprint(vendor.port))
            runs = await kit.deliver(database_url, scenario, range(8))
            worker = await kit.WorkerProcess.start(database_url, port=vendor.port, lease=10.0)
            try:
                while len(vendor.done) < 8:
                    await asyncio.sleep(0.01)
                with psycopg.connect(database_url, autocommit=True) as db:
                    db.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity"
                        " where datname = current_database() and pid <> pg_backend_pid()"
                    )
                found = await kit.settle(database_url, runs)
            finally:
                await worker.stop()
            assert set(found.values()) == {"finished"}
            assert set(vendor.done.values()) == {1}

    run(check())
