"""kill -9 of a worker at each named point: nothing lost, nothing done twice."""

from __future__ import annotations

import asyncio
import signal
import time

import psycopg
import pytest

from tests.durability import kit
from tests.durability.victim import POINTS
from tests.support import run


def accounted(found: dict[object, str], runs: dict[object, int], vendor: kit.Vendor) -> None:
    """The invariants: one end each, and the vendor acted as the ends say."""
    for delivery, number in runs.items():
        state = found[delivery]
        acted = vendor.done[number]
        if state == "finished":
            assert acted == 1, f"event {number} finished, and the vendor acted {acted} times"
        else:
            assert state == "uncertain"
            assert acted <= 1, f"event {number} is uncertain, and the vendor acted {acted} times"


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at_this_point_loses_and_repeats_nothing(
    point: str, database_url: str
) -> None:
    async def check() -> None:
        async with kit.vendor(delay=0.05) as vendor:
            scenario = kit.plant(database_url, kit.blueprint(vendor.port))
            runs = await kit.deliver(database_url, scenario, range(8))
            victim = await kit.WorkerProcess.start(
                database_url, port=vendor.port, point=point, nth=1
            )
            heir = await kit.WorkerProcess.start(database_url, port=vendor.port, held=True)
            assert await victim.died() == -signal.SIGKILL
            heir.go()
            try:
                found = await kit.settle(database_url, runs)
                with psycopg.connect(database_url, autocommit=True) as db:
                    # All may have ended before the heir looked; then it still has to tidy up.
                    while db.execute("select 1 from backlog").fetchall():
                        await asyncio.sleep(0.02)
                    assert db.execute("select count(*) from inbox").fetchone() == (0,)
            finally:
                await heir.stop()
            accounted(found, runs, vendor)  # type: ignore[arg-type]  # ids are only keys here

    run(check())


def test_a_worker_that_slept_beyond_its_lease_writes_nothing(database_url: str) -> None:
    async def check() -> None:
        async with kit.vendor(delay=0.3) as vendor:
            scenario = kit.plant(database_url, kit.blueprint(vendor.port))
            zombie = await kit.WorkerProcess.start(database_url, port=vendor.port)
            heir = await kit.WorkerProcess.start(database_url, port=vendor.port, held=True)
            runs = await kit.deliver(database_url, scenario, range(4))
            while sum(vendor.done.values()) < 4:
                await asyncio.sleep(0.01)
            zombie.process.send_signal(signal.SIGSTOP)
            heir.go()
            try:
                found = await kit.settle(database_url, runs)
                zombie.process.send_signal(signal.SIGCONT)
                await asyncio.sleep(0.5)
                assert kit.states(database_url) | found == kit.states(database_url)
            finally:
                await heir.stop()
                await zombie.stop()
            accounted(found, runs, vendor)  # type: ignore[arg-type]  # ids are only keys here

    run(check())


def test_a_dead_workers_runs_are_taken_over_in_time(database_url: str) -> None:
    """At the product's own lease."""

    async def check() -> None:
        async with kit.vendor(delay=0.05) as vendor:
            scenario = kit.plant(database_url, kit.blueprint(vendor.port))
            runs = await kit.deliver(database_url, scenario, range(4))
            victim = await kit.WorkerProcess.start(
                database_url, port=vendor.port, point="after send", lease=10.0
            )
            heir = await kit.WorkerProcess.start(
                database_url, port=vendor.port, lease=10.0, held=True
            )
            assert await victim.died() == -signal.SIGKILL
            begun = time.monotonic()
            heir.go()
            try:
                await kit.settle(database_url, runs)
            finally:
                await heir.stop()
            assert time.monotonic() - begun <= kit.TAKEOVER

    run(check())


def test_a_delivery_that_kills_its_worker_is_set_aside(database_url: str) -> None:
    """Three deaths, then it is parked, and what stands behind it goes on."""

    async def check() -> None:
        async with kit.vendor() as vendor:
            scenario = kit.plant(database_url, kit.blueprint(vendor.port))
            runs = await kit.deliver(database_url, scenario, [1, 2, 3])
            *victims, heir = [
                await kit.WorkerProcess.start(
                    database_url, port=vendor.port, point=point, held=True
                )
                for point in ["before intent"] * 4 + [""]
            ]
            for victim in victims:
                victim.go()
                assert await victim.died() == -signal.SIGKILL
            heir.go()
            try:
                found = await kit.settle(database_url, runs)
            finally:
                await heir.stop()
            first = min(runs, key=lambda delivery: runs[delivery])
            assert found.pop(first) == "incomplete"
            assert set(found.values()) == {"finished"}
            assert vendor.done == {2: 1, 3: 1}

    run(check())


def test_more_runs_in_flight_than_a_heir_looks_through_at_once(database_url: str) -> None:
    """What is left after the heir's first handful must still be read back, not begun anew."""

    async def check() -> None:
        async with kit.vendor(delay=kit.NEVER) as vendor:
            scenario = kit.plant(database_url, kit.blueprint(vendor.port))
            runs = await kit.deliver(database_url, scenario, range(40))
            victim = await kit.WorkerProcess.start(database_url, port=vendor.port)
            while len(vendor.done) < 40:
                await asyncio.sleep(0.01)
            await victim.stop(signal.SIGKILL)
            heir = await kit.WorkerProcess.start(database_url, port=vendor.port)
            try:
                found = await kit.settle(database_url, runs)
            finally:
                await heir.stop()
            accounted(found, runs, vendor)  # type: ignore[arg-type]  # ids are only keys here
            assert set(found.values()) == {"uncertain"}

    run(check())
