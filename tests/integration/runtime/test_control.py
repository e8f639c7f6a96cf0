"""Scenarios held and run dry, runs stopped and left behind: in a real database, at real workers."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import psycopg
import pytest

from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.queries import load
from junctor.runtime.stops import Stops
from tests.durability import kit
from tests.durability.kit import ORGANIZATION
from tests.integration.runtime.door import SET, WEBHOOK, door, flow, idle, plant_hook, working
from tests.integration.runtime.test_waits import SLEEP, sends
from tests.support import asynchronous

STOPS = load("stops")
LEFT = "select 1 from stops where run_id = %(run)s"


def execute(url: str, query: str, **parameters: Any) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("set role junctor_engine")
        cursor = db.execute(query, parameters)
        return cursor.fetchall() if cursor.description else []


async def act(url: str, query: str, **parameters: Any) -> list[Any]:
    """In a thread: what it waits for may be held by the worker, which lives in our event loop."""
    return await asyncio.to_thread(execute, url, query, **parameters)


async def hold(url: str, scenario: UUID, column: str, value: str = "now()") -> None:
    await act(
        url,
        f"update scenarios set {column} = {value} where id = %(id)s",  # our words
        id=scenario,
    )
    execute(url, "select pg_notify('junctor_wake', ''), pg_notify('junctor_hooks', '')")


async def stop(url: str, run: UUID, *, keep: bool = False) -> Any:
    given = {"organization": ORGANIZATION, "run": run, "keep": keep, "actor": "Ada"}
    return (await act(url, STOPS["stop"], **given))[0]


def value(url: str, query: str, **parameters: Any) -> Any:
    return execute(url, query, **parameters)[0][0]


def of_run(url: str, run: UUID, column: str) -> Any:
    return value(url, f"select {column} from runs where id = %(id)s", id=run)  # ours


async def quiet(url: str, scenario: UUID) -> None:
    """Waits until nobody is at the scenario."""
    query = "select count(*) from backlog where scenario_id = %(id)s and fence > 0"
    await kit.until(lambda: value(url, query, id=scenario) == 0)


@asynchronous
async def test_a_paused_scenario_keeps_what_comes_and_runs_it_later(database_url: str) -> None:
    scenario = kit.plant(database_url, flow(WEBHOOK, SET))
    other = kit.plant(database_url, flow(WEBHOOK, SET))
    await hold(database_url, scenario, "paused_at")
    async with working(database_url):
        held = await kit.deliver(database_url, scenario, [1, 2, 3])
        runs = await kit.deliver(database_url, other, [4])
        await kit.settle(database_url, runs)
        assert not held.keys() & kit.states(database_url).keys()
        await hold(database_url, scenario, "paused_at", "null")
        assert set((await kit.settle(database_url, held)).values()) == {"finished"}
        await idle(database_url)


@asynchronous
async def test_a_pause_reaches_a_worker_that_is_at_it(database_url: str) -> None:
    """It has a claim, and would go on taking from it; what it has begun ends."""
    async with kit.vendor(delay=0.2) as vendor:
        text = flow(WEBHOOK, sends(vendor.port, "{{1.n}}"), sequential=True)
        scenario = kit.plant(database_url, text)
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}"):
            runs = await kit.deliver(database_url, scenario, range(100))
            await kit.until(lambda: bool(vendor.done))
            await hold(database_url, scenario, "paused_at")
            await quiet(database_url, scenario)
            begun = len(kit.states(database_url).keys() & runs.keys())
            assert 0 < begun <= 32  # what it had taken
            left = "select count(*) from inbox where scenario_id = %(id)s"
            assert value(database_url, left, id=scenario) == 100 - begun
            vendor.delay = 0.0
            await hold(database_url, scenario, "paused_at", "null")
            await kit.settle(database_url, runs)
            await idle(database_url)
        assert vendor.done == dict.fromkeys(range(100), 1)
        assert vendor.order == sorted(vendor.order)


@asynchronous
async def test_waits_of_a_paused_scenario_wait_too(database_url: str) -> None:
    scenario = kit.plant(database_url, flow(WEBHOOK, SLEEP, SET))
    async with working(database_url) as worker:
        runs = await kit.deliver(database_url, scenario, [1])
        await kit.waiting(database_url)
        await hold(database_url, scenario, "paused_at")
        kit.advance(worker, 300)
        await kit.make_due(database_url)
        probe = kit.plant(database_url, flow(WEBHOOK, SET))
        await kit.settle(database_url, await kit.deliver(database_url, probe, [2]))
        assert [kit.states(database_url)[run] for run in runs] == ["waiting"]
        await hold(database_url, scenario, "paused_at", "null")
        await kit.settle(database_url, runs)
        await idle(database_url)


@asynchronous
async def test_a_draining_scenario_takes_nothing_and_says_when_to_come_again(
    database_url: str,
) -> None:
    path = plant_hook(database_url, flow(WEBHOOK, SET))
    scenario = value(
        database_url, "select scenario_id from hooks where %(p)s like '%%' || token", p=path
    )
    async with door(database_url) as it:
        assert (await it.post(path, b"{}", content_type="application/json")).status == 200
        await hold(database_url, scenario, "draining_at")
        answer = await it.post(path)
        while answer.status == 200:  # until the server has heard of it
            answer = await it.post(path)
        assert (answer.status, answer.headers["retry-after"]) == (503, "60")
        assert execute(database_url, STOPS["drained"]) == []
        async with working(database_url):
            await kit.until(
                lambda: (ORGANIZATION, scenario) in execute(database_url, STOPS["drained"])
            )
        await hold(database_url, scenario, "draining_at", "null")
        answer = await it.post(path)
        while answer.status == 503:
            answer = await it.post(path)
        assert answer.status == 200


@pytest.mark.parametrize("keep", [False, True])
@asynchronous
async def test_a_run_under_way_stops_before_its_next_operation(
    database_url: str, keep: bool
) -> None:
    async with kit.vendor(delay=kit.NEVER) as vendor:
        text = flow(WEBHOOK, sends(vendor.port, "{{1.n}}1"), sends(vendor.port, "{{1.n}}2"))
        scenario = kit.plant(database_url, text)
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}") as worker:
            (run,) = await kit.deliver(database_url, scenario, [7])
            await kit.until(lambda: vendor.done == {71: 1})
            assert (await stop(database_url, run, keep=keep))[:2] == ("running", True)
            await kit.until(lambda: run in worker._stops._wished)
            vendor.answer()
            ended = "incomplete" if keep else "discarded"
            await kit.until(lambda: kit.states(database_url)[run] == ended)
            assert vendor.done == {71: 1}  # what was sent is done, the next is not sent
            error = of_run(database_url, run, "error")
            assert (error["code"], error["params"]["actor"]) == ("stopped", "Ada")
            await kit.until(lambda: execute(database_url, "select 1 from stops") == [])
            assert execute(database_url, "select 1 from inbox") == []
            if keep:
                await act(database_url, load("hot")["resume"], organization=ORGANIZATION, run=run)
                await kit.until(lambda: kit.states(database_url)[run] == "finished")
                assert vendor.done == {71: 1, 72: 1}
            await idle(database_url)


@asynchronous
async def test_a_discarded_run_that_was_taken_up_again_does_nothing_more(database_url: str) -> None:
    """Its row says that it waits until it has something to record."""
    async with kit.vendor(delay=kit.NEVER) as vendor:
        reads = sends(vendor.port, "{{1.n}}1")
        reads = (reads[0], {**reads[1], "method": "get"})
        text = flow(WEBHOOK, SLEEP, reads, sends(vendor.port, "{{1.n}}2"))
        scenario = kit.plant(database_url, text)
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}") as worker:
            (run,) = await kit.deliver(database_url, scenario, [7])
            await kit.waiting(database_url)
            kit.advance(worker, 300)
            await kit.make_due(database_url)
            await kit.until(lambda: vendor.done == {71: 1})
            given = {"organization": ORGANIZATION, "run": run}
            assert of_run(database_url, run, "state") == "waiting"
            assert (await act(database_url, load("hot")["discard"], **given))[0][0] == run
            assert execute(database_url, "select keep, actor from stops") == [(False, "discard")]
            await act(database_url, "update stops set created_at = now() - interval '2 minutes'")
            await act(database_url, STOPS["forget_stops"])
            assert len(execute(database_url, "select 1 from stops")) == 1  # it is still at it
            await kit.until(lambda: run in worker._stops._wished)
            vendor.answer()
            await quiet(database_url, scenario)
            assert (kit.states(database_url)[run], vendor.done) == ("discarded", {71: 1})
            await kit.until(lambda: execute(database_url, "select 1 from stops") == [])
        assert await act(database_url, load("hot")["discard"], **given) == []


@asynchronous
async def test_a_run_that_nobody_is_at_is_discarded_without_more_ado(database_url: str) -> None:
    scenario = kit.plant(database_url, flow(WEBHOOK, SLEEP, SET))
    async with working(database_url):
        (run,) = await kit.deliver(database_url, scenario, [1])
        await kit.waiting(database_url)
        await quiet(database_url, scenario)
        given = {"organization": ORGANIZATION, "run": run}
        assert (await act(database_url, load("hot")["discard"], **given))[0][0] == run
        assert execute(database_url, "select 1 from stops") == []


@asynchronous
async def test_a_stop_ends_a_short_sleep_and_a_run_nobody_has_begun(database_url: str) -> None:
    short = flow(WEBHOOK, ("util:FunctionSleep", {"duration": "29"}), SET)
    scenario = kit.plant(database_url, short)
    async with working(database_url):
        (run,) = await kit.deliver(database_url, scenario, [1])
        asleep = "select count(*) from backlog where scenario_id = %(id)s and fence > 0"
        await kit.until(lambda: value(database_url, asleep, id=scenario) == 1)
        assert (await stop(database_url, run))[1]
        async with asyncio.timeout(25):
            await kit.until(lambda: kit.states(database_url).get(run) == "discarded")
        await idle(database_url)


@pytest.mark.parametrize(("keep", "then"), [(False, "discarded"), (True, "incomplete")])
@asynchronous
async def test_a_run_that_waits_is_stopped_at_once(
    database_url: str, keep: bool, then: str
) -> None:
    scenario = kit.plant(database_url, flow(WEBHOOK, SLEEP, SET, sequential=True))
    async with working(database_url):
        first, second = sorted(await kit.deliver(database_url, scenario, [1, 2]))
        await kit.until(lambda: kit.states(database_url).get(first) == "waiting")
        await quiet(database_url, scenario)
        assert (await stop(database_url, first, keep=keep))[0] == "waiting"
        assert kit.states(database_url)[first] == then
        assert of_run(database_url, first, "due_at") is None
        if keep:  # what follows it in order stands behind it still
            blocked = "select blocked_by_run from backlog where scenario_id = %(id)s"
            await quiet(database_url, scenario)
            assert value(database_url, blocked, id=scenario) == first
            given = {"organization": ORGANIZATION, "run": first}
            assert await act(database_url, load("hot")["discard"], **given)
        await kit.until(lambda: kit.states(database_url).get(second) == "waiting")
        assert (await stop(database_url, UUID(int=99)))[:2] == (None, False)


@pytest.mark.parametrize(("keep", "then"), [(False, "discarded"), (True, "incomplete")])
@asynchronous
async def test_a_run_that_left_to_wait_as_it_was_to_be_stopped_is(
    database_url: str, keep: bool, then: str
) -> None:
    """It was at work when somebody wanted it to end, and its worker had not heard of that yet."""
    scenario = kit.plant(database_url, flow(WEBHOOK, SLEEP, SET))
    async with working(database_url):
        (run,) = await kit.deliver(database_url, scenario, [1])
        await kit.until(lambda: kit.states(database_url).get(run) == "waiting")
        await quiet(database_url, scenario)
        wanted = (
            "insert into stops (organization_id, run_id, keep, actor)"
            " values (%(of)s, %(run)s, %(keep)s, 'Ada')"
        )
        await act(database_url, wanted, of=ORGANIZATION, run=run, keep=keep)
        await act(database_url, "notify junctor_stop")
        await kit.until(lambda: kit.states(database_url)[run] == then)
        assert of_run(database_url, run, "due_at") is None
        await kit.until(lambda: execute(database_url, LEFT, run=run) == [])


@asynchronous
async def test_a_run_that_waited_and_was_stopped_goes_on_as_soon_as_it_is_retried(
    database_url: str,
) -> None:
    """Nobody was at it, so no wish is left that would stop it again."""
    scenario = kit.plant(database_url, flow(WEBHOOK, SLEEP, SET))
    async with working(database_url) as worker:
        (run,) = await kit.deliver(database_url, scenario, [1])
        await kit.until(lambda: kit.states(database_url).get(run) == "waiting")
        await quiet(database_url, scenario)
        kit.advance(worker, 300)
        assert (await stop(database_url, run, keep=True))[:2] == ("waiting", True)
        await act(database_url, load("hot")["resume"], organization=ORGANIZATION, run=run)
        await kit.until(lambda: kit.states(database_url)[run] != "waiting")
        assert kit.states(database_url)[run] == "finished"
        await idle(database_url)


@asynchronous
async def test_a_run_that_was_due_soon_and_stopped_goes_on_as_soon_as_it_is_retried(
    database_url: str,
) -> None:
    """No worker was at it, or could begin with it at that moment."""
    scenario = kit.plant(database_url, flow(WEBHOOK, SLEEP, SET))
    async with working(database_url) as worker:
        (run,) = await kit.deliver(database_url, scenario, [1])
        await kit.until(lambda: kit.states(database_url).get(run) == "waiting")
        await quiet(database_url, scenario)
        kit.advance(worker, 300)
        soon = "update runs set due_at = now() + interval '15 s' where id = %(id)s"
        await act(database_url, soon, id=run)
        assert (await stop(database_url, run, keep=True))[:2] == ("waiting", True)
        assert execute(database_url, LEFT, run=run) == []
        await act(database_url, load("hot")["resume"], organization=ORGANIZATION, run=run)
        await kit.until(lambda: kit.states(database_url)[run] not in {"waiting", "running"})
        assert kit.states(database_url)[run] == "finished"
        await idle(database_url)


class Meanwhile(Line):
    """Does something once it has read what is wished."""

    act: str = ""

    async def fetch(self, name: str, parameters: Any = None) -> Any:
        found = await super().fetch(name, parameters)
        if name == "wanted_stops" and self.act:
            await act(self._url, self.act)
            self.act = ""
        return found


@pytest.mark.parametrize(
    ("meanwhile", "left"),
    [
        # Another worker has just gone on with it.
        ("update backlog set fence = 7, owner = 'o', lease_until = now() + interval '1 min'", True),
        # Another worker has just ended it, and somebody has retried it.
        ("delete from stops", False),
    ],
)
@asynchronous
async def test_a_stop_of_a_run_that_goes_on_at_that_very_moment(
    meanwhile: str, left: bool, database_url: str
) -> None:
    """It has waited, as a worker sees, which would end it."""
    scenario = kit.plant(database_url, flow(WEBHOOK, SLEEP, SET))
    async with working(database_url):
        (run,) = await kit.deliver(database_url, scenario, [1])
        await kit.until(lambda: kit.states(database_url).get(run) == "waiting")
        await quiet(database_url, scenario)
    wanted = "insert into stops (organization_id, run_id, actor) values (%(of)s, %(run)s, 'Ada')"
    await act(database_url, wanted, of=ORGANIZATION, run=run)
    line = Meanwhile(database_url, patience=5)
    line.act = f"with due as (update runs set due_at = now() where id = '{run}') {meanwhile}"
    await Stops(line).look()
    await line.close()
    assert line.act == ""
    assert kit.states(database_url)[run] == "waiting"
    assert execute(database_url, LEFT, run=run) == [(1,)] * left
    await act(database_url, "delete from backlog")
    await act(database_url, "delete from stops")


@asynchronous
async def test_what_stands_behind_a_skipped_run_goes_on_without_it(database_url: str) -> None:
    async with kit.vendor() as vendor:
        vendor.script[1] = [(400, {})]
        text = json.loads(flow(WEBHOOK, sends(vendor.port, "{{1.n}}"), order_key="{{1.k}}"))
        text["metadata"]["scenario"]["sequential"] = True
        text["flow"][1]["parameters"]["handleErrors"] = True
        scenario = kit.plant(database_url, json.dumps(text))
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}"):
            runs = sorted(await kit.deliver(database_url, scenario, [1, 2, 3]))
            await kit.until(lambda: kit.states(database_url).get(runs[0]) == "incomplete")
            await quiet(database_url, scenario)
            assert runs[1] not in kit.states(database_url)
            given = {"organization": ORGANIZATION, "run": runs[0]}
            assert (await act(database_url, STOPS["skip"], **given))[0][:2] == (runs[0], True)
            await kit.until(lambda: kit.states(database_url).get(runs[2]) == "finished")
            assert of_run(database_url, runs[0], "state || skipped") == "incompletetrue"
            assert await act(database_url, STOPS["skip"], **given) == []
            await act(database_url, load("hot")["resume"], **given)
            await kit.until(lambda: kit.states(database_url)[runs[0]] == "finished")
            await quiet(database_url, scenario)
        assert vendor.order == [2, 3, 1]
