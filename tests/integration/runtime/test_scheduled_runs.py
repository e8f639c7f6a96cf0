"""What a firing starts: a run like any other, counted when it fails, and paced."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from junctor.runtime.worker import Worker
from tests.durability import kit
from tests.integration.runtime.door import WEBHOOK, flow, idle, working
from tests.integration.runtime.test_schedules import Table, scheduling, table
from tests.integration.runtime.test_waits import sends
from tests.support import asynchronous

__all__ = ["table"]

FAILS: tuple[str, dict[str, Any]] = (
    "util:SetVariables",
    {"scope": "roundtrip", "variables": [{"name": "n", "value": '{{parseNumber("x")}}'}]},
)
OFTEN = {"type": "indefinitely", "interval": 600}


def placed(table: Table, text: str, **columns: Any) -> UUID:
    """A scheduled scenario with this blueprint."""
    scenario = table.schedule(OFTEN, **columns)
    table.sql("update scenario_versions set blueprint = %s where scenario_id = %s", text, scenario)
    return scenario


def runs_of(table: Table, scenario: UUID) -> list[Any]:
    return table.sql(
        "select trigger, actor, state, order_key from runs where scenario_id = %s", scenario
    )


@asynchronous
async def test_a_firing_is_a_run_of_as_many_cycles_as_it_is_set_to(table: Table) -> None:
    async with kit.vendor() as vendor:
        scenario = placed(table, flow(sends(vendor.port, "1"), roundtrips=3))
        async with working(table.url, allow=f"127.0.0.1:{vendor.port}"), scheduling(table) as (it,):
            while await it.turn():
                pass
            await kit.until(lambda: len(runs_of(table, scenario)) == 1)
            await idle(table.url)
        assert runs_of(table, scenario) == [("schedule", "schedule", "finished", "~manual")]
        assert vendor.done == {1: 3}


@asynchronous
async def test_a_hook_published_since_is_not_run_with_nothing(table: Table) -> None:
    async with kit.vendor() as vendor:
        scenario = placed(table, flow(WEBHOOK, sends(vendor.port, "1")))
        async with working(table.url, allow=f"127.0.0.1:{vendor.port}"), scheduling(table) as (it,):
            while await it.turn():
                pass
            await kit.until(lambda: len(runs_of(table, scenario)) == 1)
            await idle(table.url)
        assert runs_of(table, scenario)[0][2] == "finished"
        assert vendor.done == {}


@asynchronous
async def test_a_scenario_is_switched_off_after_so_many_failures_in_a_row(table: Table) -> None:
    scenario = placed(table, flow(FAILS, maxErrors=2))
    async with working(table.url), scheduling(table) as (it,):
        for count in (1, 2):
            while await it.turn():
                pass
            await kit.until(lambda: len(runs_of(table, scenario)) == count)  # noqa: B023 - awaited at once
            await idle(table.url)
            await kit.until(
                lambda: table.sql("select errors_in_row from scenarios") == [(count,)]  # noqa: B023 - awaited at once
            )
            # Not the same instant again: that one has had its run.
            await asyncio.to_thread(table.shift, timedelta(minutes=10, seconds=1))
        assert table.sql("select active from scenarios") == [(False,)]
        assert table.row(scenario)["next_at"] is None
        assert await it.turn() == 0
    kinds = {row[0] for row in table.sql("select kind from notices")}
    assert kinds == {"run_stopped", "scenario_deactivated"}


@asynchronous
async def test_deliveries_over_the_pace_wait_and_all_come(table: Table) -> None:
    async with kit.vendor() as vendor:
        scenario = placed(table, kit.blueprint(vendor.port), next_at=None, max_per_minute=4)
        async with working(table.url, allow=f"127.0.0.1:{vendor.port}") as worker:
            runs = await kit.deliver(table.url, scenario, range(10))
            for done in (4, 8, 10):
                await kit.until(lambda: len(kit.states(table.url)) == done)  # noqa: B023 - awaited at once
                await kit.until(lambda: set(kit.states(table.url).values()) == {"finished"})
                if done < 10:
                    assert table.row(scenario)["minute_n"] == 4
                    await asyncio.to_thread(minute_over, table, worker)
            await kit.settle(table.url, runs)
        assert vendor.done == dict.fromkeys(range(10), 1)


def minute_over(table: Table, worker: Worker) -> None:
    """The minute ends, for the table and for the worker that waits for it."""
    table.sql("update schedules set minute_at = minute_at - interval '61 s'")
    for claim in list(worker._claims):  # at once: it goes on in its own thread
        claim.paced_until = 0.0
    table.sql("notify junctor_wake")
