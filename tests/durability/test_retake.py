"""What a dead worker may have begun: retaken at once, but for what was under way at two deaths."""

from __future__ import annotations

import asyncio
import signal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from junctor.runtime import worker as worker_module
from tests.durability import kit
from tests.integration.runtime.door import working
from tests.support import asynchronous

pytestmark = pytest.mark.durability


def execute(url: str, query: str, *values: Any) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(query.encode(), values)


def orphaned(url: str, scenario: UUID, times: int = 1) -> None:
    """As if its owners had died."""
    execute(
        url,
        "update backlog set lease_until = now() - interval '1 s', owner = 'dead', fence = 1,"
        " attempts = %s where scenario_id = %s",
        times - 1,
        scenario,
    )


@asynchronous
async def test_a_long_queue_behind_a_dead_worker_is_not_done_one_by_one(database_url: str) -> None:
    async with kit.vendor(delay=kit.NEVER) as vendor:
        scenario = kit.plant(database_url, kit.blueprint(vendor.port))
        await kit.deliver(database_url, scenario, range(40))
        orphaned(database_url, scenario)
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}"):
            await kit.until(lambda: len(vendor.done) == 40)  # none has been answered yet
    execute(database_url, "delete from inbox")


@asynchronous
async def test_what_was_under_way_at_two_deaths_is_done_one_by_one(database_url: str) -> None:
    async with kit.vendor(delay=kit.NEVER) as vendor:
        scenario = kit.plant(database_url, kit.blueprint(vendor.port))
        runs = await kit.deliver(database_url, scenario, range(20))
        twice = [run for run, number in runs.items() if number in {3, 7, 11}]
        execute(database_url, "update inbox set attempts = 1 where id = any(%s)", twice)
        orphaned(database_url, scenario, times=2)
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}"):
            await kit.until(lambda: len(vendor.done) == 18)
            assert set(range(20)) - set(vendor.done) == {7, 11}
    execute(database_url, "delete from inbox")


@asynchronous
async def test_new_deliveries_make_nobody_forget_what_may_have_been_begun(
    database_url: str,
) -> None:
    async with kit.vendor(delay=kit.NEVER) as vendor:
        scenario = kit.plant(database_url, kit.blueprint(vendor.port))
        old = await kit.deliver(database_url, scenario, range(12))
        victim = await kit.WorkerProcess.start(database_url, port=vendor.port)
        while len(vendor.done) < len(old):
            await asyncio.sleep(0.01)
        await victim.stop(signal.SIGKILL)
        vendor.answer()
        execute(database_url, "update inbox set attempts = 1")
        orphaned(database_url, scenario, times=2)
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}"):
            new: dict[UUID, int] = {}
            for number in range(100, 120):
                new |= await kit.deliver(database_url, scenario, [number])
            found = await kit.settle(database_url, old | new)
        assert {found[run] for run in old} == {"uncertain"}
        assert {found[run] for run in new} == {"finished"}
        assert set(vendor.done.values()) == {1}


@asynchronous
async def test_runs_that_are_gone_on_with_are_counted_each_for_itself(database_url: str) -> None:
    """Its scenario's workers have died again and again, and it had nothing to do with it."""
    async with kit.vendor() as vendor:
        vendor.script = {1: [(400, {})], 2: [(400, {})]}
        scenario = kit.plant(database_url, kit.blueprint(vendor.port))
        runs = await kit.deliver(database_url, scenario, [1, 2])
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}"):
            found = await kit.settle(database_url, runs)
        assert set(found.values()) == {"incomplete"}
        first, second = sorted(runs)
        execute(
            database_url,
            "insert into backlog (organization_id, scenario_id, idle, due_at, lease_until, owner,"
            " fence, attempts) values (%s, %s, true, now(), now() - interval '1 s', 'dead', 1, 9)"
            " on conflict (organization_id, scenario_id, order_key) do update set idle = true,"
            " due_at = now(), lease_until = excluded.lease_until, fence = 1, attempts = 9",
            kit.ORGANIZATION,
            scenario,
        )
        execute(database_url, "update runs set state = 'waiting', due_at = now(), ended_at = null")
        execute(database_url, "update runs set tries = 3 where id = %s", second)
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}"):
            await kit.until(lambda: kit.states(database_url).get(first) == "finished")
            await kit.until(lambda: kit.states(database_url).get(second) == "incomplete")
        assert vendor.done == {1: 1}


@asynchronous
async def test_what_a_pass_had_no_time_for_is_begun_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an orphaned queue and of others, as there is always somebody else to look at."""
    monkeypatch.setattr(worker_module, "LONGEST_PASS", 0.0)
    async with kit.vendor(delay=0.3) as vendor:
        text = kit.blueprint(vendor.port)
        numbers = iter(range(1000))
        runs: dict[UUID, int] = {}
        orphan, *others = scenarios = [kit.plant(database_url, text) for _ in range(3)]
        for scenario, count in zip(scenarios, (40, 3, 4), strict=True):
            own = [next(numbers) for _ in range(count)]
            runs |= await kit.deliver(database_url, scenario, own)
        assert others
        orphaned(database_url, orphan)
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}") as worker:

            async def signal_always() -> None:
                while True:
                    worker._signalled = True
                    await asyncio.sleep(0)

            signalling = asyncio.create_task(signal_always())
            found = await kit.settle(database_url, runs)
            signalling.cancel()
            await asyncio.gather(signalling, return_exceptions=True)
        assert set(found.values()) == {"finished"}
        assert vendor.done == dict.fromkeys(range(47), 1)
