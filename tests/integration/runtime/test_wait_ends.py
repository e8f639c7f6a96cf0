"""Runs that stop with a wait open: what comes then is not theirs, unless they come back to it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from junctor.adapters.postgres.queries import load as queries
from junctor.errors import Misconfigured
from junctor.runtime.flight import Flight
from tests.durability import kit
from tests.integration.runtime import waits_kit
from tests.integration.runtime.door import flow, idle, working
from tests.integration.runtime.test_waits import sends
from tests.integration.runtime.waits_kit import asking, asleep, outcomes, replies, reply, rows
from tests.support import asynchronous

OF_RUN = "select watching, closed_at is null from waits where run_id = %s"


@pytest.fixture(autouse=True)
def fresh(database_url: str) -> None:
    waits_kit.cleared(database_url)


@pytest.mark.parametrize("keep", [True, False])
@asynchronous
async def test_a_run_that_its_worker_stopped_takes_no_reply(keep: bool, database_url: str) -> None:
    scenario = kit.plant(database_url, asking())
    others, hook = replies(database_url)
    async with working(database_url) as worker:
        (run,) = await kit.deliver(database_url, scenario, [7])
        await asleep(database_url)
        await waits_kit.stopped_by_its_worker(database_url, worker, run, keep=keep)
        assert rows(database_url, OF_RUN, run) == [(False, keep)]
        mine = await reply(database_url, others, hook, **{"from": "7"})
        await kit.settle(database_url, {mine: 0})
        assert rows(database_url, "select name from runs where id = %s", mine) == [(None,)]
        if keep:  # it looks back, and goes on with what came
            await waits_kit.execute(
                database_url, queries("hot")["resume"], organization=kit.ORGANIZATION, run=run
            )
            await kit.settle(database_url, {run: 0})
            assert kit.states(database_url)[run] == "finished"
            assert (await outcomes(database_url, run, 2))[0]["answered"]
        await idle(database_url)


@asynchronous
async def test_a_run_that_goes_on_without_its_wait_takes_no_reply(database_url: str) -> None:
    """The hook went between opening the wait and looking back; an error handler lets that be."""
    made = json.loads(asking(wait=waits_kit.WAIT))
    made["flow"][1]["onerror"] = [{"id": 9, "module": "builtin:Resume", "mapper": {"bundle": {}}}]
    sleep = {"id": 3, "module": "util:FunctionSleep", "mapper": {"duration": "300"}}
    made["flow"].append(sleep)
    scenario = kit.plant(database_url, json.dumps(made))
    others, hook = replies(database_url)
    async with working(database_url) as worker:

        async def gone(*_: Any) -> None:
            raise Misconfigured(reason="there is no hook 'replies'")

        worker._waiting._look_back = gone  # type: ignore[assignment,method-assign]  # at just that moment
        (run,) = await kit.deliver(database_url, scenario, [7])
        reason = "select wait_reason from runs where id = %s"
        await kit.until(lambda: rows(database_url, reason, run) == [("time",)])
        assert rows(database_url, OF_RUN, run) == [(False, True)]
        mine = await reply(database_url, others, hook, **{"from": "7"})
        await kit.settle(database_url, {mine: 0})
        assert rows(database_url, "select name from runs where id = %s", mine) == [(None,)]
        kit.advance(worker, 300)
        await kit.make_due(database_url)
        await kit.settle(database_url, {run: 0})
        assert kit.states(database_url)[run] == "finished"
        assert rows(database_url, OF_RUN, run) == [(False, False)]
        await idle(database_url)


@asynchronous
async def test_what_runs_of_a_deleted_scenario_waited_for_is_over(database_url: str) -> None:
    scenario = kit.plant(database_url, asking())
    others, hook = replies(database_url)
    async with working(database_url):
        (run,) = await kit.deliver(database_url, scenario, [7])
        await asleep(database_url)
        await waits_kit.execute(
            database_url, queries("catalog")["forget_deliveries"],
            organization=kit.ORGANIZATION, id=scenario,
        )  # fmt: skip
        assert kit.states(database_url)[run] == "discarded"
        assert rows(database_url, OF_RUN, run) == [(False, False)]
        mine = await reply(database_url, others, hook, **{"from": "7"})
        await kit.settle(database_url, {mine: 0})
        await idle(database_url)


@asynchronous
async def test_a_reply_that_a_run_went_on_with_stays_given_when_it_is_stopped_later(
    database_url: str,
) -> None:
    """It stands behind the run still, and is taken when that has ended."""
    sleep = ("util:FunctionSleep", {"duration": "300"})
    scenario = kit.plant(
        database_url,
        flow(waits_kit.START, ("wait:Delivery", waits_kit.WAIT), sleep, sequential=True),
    )
    hook = waits_kit.hook_of(database_url, scenario)
    async with working(database_url) as worker:
        first = await reply(database_url, scenario, hook, n=7)
        await asleep(database_url)
        answer = await reply(database_url, scenario, hook, **{"from": "7"})
        reason = "select wait_reason from runs where id = %s"
        await kit.until(lambda: rows(database_url, reason, first) == [("time",)])
        await kit.until(lambda: worker.active == 0)
        await waits_kit.execute(
            database_url, queries("stops")["stop"],
            organization=kit.ORGANIZATION, run=first, keep=False, actor="Ada",
        )  # fmt: skip
        await kit.settle(database_url, {answer: 0})
        await idle(database_url)
    ((name,),) = rows(database_url, "select name from runs where id = %s", answer)
    assert name is not None
    assert name.startswith("given to run_")


@asynchronous
async def test_a_run_that_is_discarded_while_it_looks_back_does_nothing_more(
    database_url: str,
) -> None:
    async with kit.vendor() as vendor:
        sends_on = sends(vendor.port, "{{1.n}}")
        text = flow(waits_kit.START, ("wait:Delivery", waits_kit.WAIT), sends_on)
        scenario = kit.plant(database_url, text)
        replies(database_url)
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}") as worker:
            look_back = worker._waiting._look_back

            async def meanwhile(flight: Flight, *given: Any) -> None:
                await look_back(flight, *given)
                await waits_kit.execute(
                    database_url, queries("hot")["discard"],
                    organization=kit.ORGANIZATION, run=flight.run_id,
                )  # fmt: skip

            worker._waiting._look_back = meanwhile  # type: ignore[assignment,method-assign]  # at just that moment
            (run,) = await kit.deliver(database_url, scenario, [7])
            await kit.until(lambda: kit.states(database_url).get(run) == "discarded")
            await idle(database_url)
        assert kit.states(database_url)[run] == "discarded"
        assert vendor.done == {}
