"""What can't be stored, and a database that goes away, must not stop the others."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from tests.durability import kit
from tests.support import run

pytestmark = pytest.mark.timeout(60)


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
                found = await kit.settle(database_url, runs, seconds=8)
            finally:
                await worker.stop()
            assert set(found.values()) == {"finished"}

    run(check())
