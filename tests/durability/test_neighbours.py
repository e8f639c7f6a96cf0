"""Workers of one machine do not wait for the leases of their dead."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import psycopg
import pytest

from junctor.adapters import neighbours
from tests.durability import kit
from tests.integration.runtime.door import working
from tests.support import asynchronous

pytestmark = [
    pytest.mark.durability,
    pytest.mark.skipif(not neighbours.machine(), reason="this system does not tell (no /proc)"),
]
FOREVER = 3600.0
"""A lease that no test waits for."""


@asynchronous
async def test_what_a_dead_neighbour_had_is_taken_over_before_its_lease_ends(
    database_url: str,
) -> None:
    async with kit.vendor(delay=kit.NEVER) as vendor:
        scenario = kit.plant(database_url, kit.blueprint(vendor.port))
        runs = await kit.deliver(database_url, scenario, range(10))
        victim = await kit.WorkerProcess.start(database_url, port=vendor.port, lease=FOREVER)
        await kit.until(lambda: len(vendor.done) == len(runs))
        await victim.stop(signal.SIGKILL)
        vendor.answer()
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}"):
            found = await kit.settle(database_url, runs)
    assert set(found.values()) <= {"finished", "uncertain"}
    assert set(vendor.done.values()) == {1}


@asynchronous
async def test_a_neighbour_that_sleeps_and_one_of_another_machine_keep_their_leases(
    database_url: str,
) -> None:
    async with kit.vendor(delay=kit.NEVER) as vendor:
        scenario = kit.plant(database_url, kit.blueprint(vendor.port))
        runs = await kit.deliver(database_url, scenario, range(3))
        victim = await kit.WorkerProcess.start(database_url, port=vendor.port, lease=FOREVER)
        await kit.until(lambda: len(vendor.done) == len(runs))
        victim.process.send_signal(signal.SIGSTOP)
        with psycopg.connect(database_url, autocommit=True) as db:
            other = json.dumps({"machine": "another", "process": _ended()})
            db.execute(
                "insert into nodes (name, role, details) values ('far', 'worker', %s)", (other,)
            )
            db.execute(
                "insert into backlog (organization_id, scenario_id, order_key, owner, fence,"
                " lease_until) values (%s, %s, 'far', 'far', 1, now() + interval '1 h')",
                (kit.ORGANIZATION, scenario),
            )
            async with working(database_url):
                await _beaten(db)
            kept = db.execute("select lease_until > now() from backlog").fetchall()
        assert kept == [(True,), (True,)]
        vendor.answer()
        victim.process.send_signal(signal.SIGCONT)
        await kit.settle(database_url, runs)
        await victim.stop()


def _ended() -> str:
    """A process that is no more."""
    pid, begun = neighbours.process(os.getpid()).split(":")
    return f"{pid}:{int(begun) + 1}"


async def _beaten(db: psycopg.Connection[tuple[object, ...]]) -> None:
    """Until a worker of this process has said that it lives: it has looked at the others first."""
    query = "select count(*) from nodes where name like %s"
    async with asyncio.timeout(kit.PATIENCE):
        while db.execute(query, ("%worker-%",)).fetchone() == (0,):
            await asyncio.sleep(0.01)
