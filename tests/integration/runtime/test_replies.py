"""A run that waits for a delivery gets it once, however near the two are to each other."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from junctor.adapters.postgres.queries import load as queries
from tests.durability import kit
from tests.integration.runtime import waits_kit
from tests.integration.runtime.door import flow, idle, working
from tests.integration.runtime.waits_kit import WAIT, asking, asleep, outcomes, replies, reply, rows
from tests.support import asynchronous


@pytest.fixture(autouse=True)
def fresh(database_url: str) -> None:
    waits_kit.cleared(database_url)


@pytest.mark.parametrize("sequential", [False, True])
@asynchronous
async def test_a_reply_goes_to_the_run_that_waits_for_it(
    sequential: bool, database_url: str
) -> None:
    scenario = kit.plant(database_url, asking(sequential=sequential))
    others, hook = replies(database_url)
    async with working(database_url) as worker:
        runs = await kit.deliver(database_url, scenario, [4915112345])
        (run,) = runs
        assert await asleep(database_url) == [run]
        await kit.until(lambda: worker.active == 0)
        stranger = await reply(database_url, others, hook, **{"from": "+49 151 99999", "text": "?"})
        await kit.settle(database_url, {stranger: 0})
        mine = await reply(
            database_url, others, hook, **{"from": " 4915112345", "text": "yes please"}
        )
        await kit.settle(database_url, {run: 0, mine: 0})
        again = await reply(database_url, others, hook, **{"from": "4915112345", "text": "more"})
        assert await kit.settle(database_url, {again: 0}) == {again: "finished"}
        await idle(database_url)
    (outcome,) = await outcomes(database_url, run, 2)
    waited = outcome.pop("waited")
    assert 0 < waited < 3600
    assert outcome == {
        "answered": True, "timedOut": False,
        "bundle": {"from": " 4915112345", "text": "yes please"},
    }  # fmt: skip
    given, count = rows(database_url, "select name, segments from runs where id = %s", mine)[0]
    assert given.startswith("given to run_")
    assert count == 0
    ran = "select id from runs where scenario_id = %s and name is null order by id"
    assert [row[0] for row in rows(database_url, ran, others)] == [stranger, again]
    assert rows(database_url, "select count(*) from inbox")[0] == (0,)


@asynchronous
async def test_without_a_reply_the_run_goes_on_once_the_time_is_over(database_url: str) -> None:
    scenario = kit.plant(database_url, asking())
    others, hook = replies(database_url)
    async with working(database_url):
        (run,) = runs = await kit.deliver(database_url, scenario, [7])
        await asleep(database_url)
        await waits_kit.over(database_url)
        assert await kit.settle(database_url, runs) == {run: "finished"}
        late = await reply(database_url, others, hook, **{"from": "7"})
        await kit.settle(database_url, {late: 0})
        await idle(database_url)
    (outcome,) = await outcomes(database_url, run, 2)
    assert (outcome["answered"], outcome["timedOut"], outcome["bundle"]) == (False, True, {})
    assert rows(database_url, "select name from runs where id = %s", late) == [(None,)]


@pytest.mark.parametrize("ran", [True, False])
@asynchronous
async def test_a_reply_that_came_before_the_wait_opened_is_found(
    ran: bool, database_url: str
) -> None:
    """Between the sending and the wait: it may have run its own scenario, or lie in the inbox."""
    async with kit.vendor(delay=kit.NEVER) as vendor:
        send: tuple[str, dict[str, Any]] = (
            "http:ActionSendData",
            {
                "url": f"http://127.0.0.1:{vendor.port}/", "method": "post", "headers": [],
                "qs": [], "bodyType": "raw", "contentType": "application/json",
                "data": '{"n": {{1.n}}}', "parseResponse": True,
            },
        )  # fmt: skip
        scenario = kit.plant(database_url, asking(send))
        others, hook = replies(database_url)
        if not ran:
            # Behind another run: nobody takes it, whatever waits for it.
            await block(database_url, others, kit.new_id())
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}"):
            (run,) = runs = await kit.deliver(database_url, scenario, [7])
            await kit.until(lambda: vendor.done[7] == 1)
            early = await reply(database_url, others, hook, **{"from": "7", "text": "quick"})
            if ran:
                await kit.settle(database_url, {early: 0})
            vendor.answer()
            assert await kit.settle(database_url, runs) == {run: "finished"}
            if not ran:
                await block(database_url, others, None)
                await kit.settle(database_url, {early: 0})
            await idle(database_url)
    (outcome,) = await outcomes(database_url, run, 3)
    assert outcome["bundle"] == {"from": "7", "text": "quick"}
    ((name,),) = rows(database_url, "select name from runs where id = %s", early)
    assert (name is None) == ran


async def block(url: str, scenario: UUID, run: UUID | None) -> None:
    """Makes a scenario's work stand behind a run, or lets it go on."""
    await waits_kit.execute(
        url,
        "insert into backlog (organization_id, scenario_id, idle, blocked_by_run)"
        " values (%(organization)s, %(scenario)s, %(run)s::uuid is not null, %(run)s)"
        " on conflict (organization_id, scenario_id, order_key) do update"
        " set blocked_by_run = excluded.blocked_by_run, n = backlog.n + 1",
        organization=kit.ORGANIZATION, scenario=scenario, run=run,
    )  # fmt: skip
    await waits_kit.execute(url, "notify junctor_wake")


@asynchronous
async def test_a_sequential_scenario_may_wait_for_its_own_hook(database_url: str) -> None:
    """What comes after the run stands behind it, and its answer is among that."""
    scenario = kit.plant(database_url, asking(sequential=True))
    hook = waits_kit.hook_of(database_url, scenario)
    async with working(database_url):
        first = await reply(database_url, scenario, hook, n=7)
        await asleep(database_url)
        other = await reply(database_url, scenario, hook, n=8)
        answer = await reply(database_url, scenario, hook, **{"from": "7"})
        await kit.settle(database_url, {first: 0})
        assert await asleep(database_url) == [other]
        await waits_kit.over(database_url)
        await kit.settle(database_url, {first: 0, other: 0, answer: 0})
        await idle(database_url)
    (outcome,) = await outcomes(database_url, first, 2)
    assert outcome["bundle"] == {"from": "7"}
    ((name,),) = rows(database_url, "select name from runs where id = %s", answer)
    assert name.startswith("given to run_")


@asynchronous
async def test_the_oldest_of_several_waits_is_answered_and_each_reply_answers_one(
    database_url: str,
) -> None:
    scenario = kit.plant(database_url, asking(wait={**WAIT, "match": []}))
    others, hook = replies(database_url)
    async with working(database_url):
        runs: list[UUID] = []
        for number in (1, 2):
            runs += await kit.deliver(database_url, scenario, [number])
            await asleep(database_url, number)
        for text in ("one", "two", "three"):
            await kit.settle(database_url, {await reply(database_url, others, hook, text=text): 0})
        await kit.settle(database_url, dict.fromkeys(runs, 0))
        await idle(database_url)
    said = [(await outcomes(database_url, run, 2))[0]["bundle"] for run in runs]
    assert said == [{"text": "one"}, {"text": "two"}]


@asynchronous
async def test_what_came_before_the_question_does_not_answer_it(database_url: str) -> None:
    """Somebody had written already, and nobody had looked at it when the question was asked."""
    scenario = kit.plant(database_url, asking())
    others, hook = replies(database_url)
    await block(database_url, others, kit.new_id())
    early = await reply(database_url, others, hook, **{"from": "7", "text": "hello?"})
    async with working(database_url):
        (run,) = await kit.deliver(database_url, scenario, [7])
        await asleep(database_url)
        await block(database_url, others, None)
        await kit.settle(database_url, {early: 0})
        assert await asleep(database_url) == [run]
        answer = await reply(database_url, others, hook, **{"from": "7", "text": "yes"})
        await kit.settle(database_url, {run: 0, answer: 0})
        await idle(database_url)
    (outcome,) = await outcomes(database_url, run, 2)
    assert outcome["bundle"]["text"] == "yes"


@pytest.mark.parametrize("paused", [False, True])
@asynchronous
async def test_a_reply_that_came_in_time_counts_however_late_it_is_looked_at(
    paused: bool, database_url: str
) -> None:
    """No worker was there, or the scenario of its hook stood still, until the time was over."""
    scenario = kit.plant(database_url, asking())
    others, hook = replies(database_url)
    async with working(database_url):
        (run,) = await kit.deliver(database_url, scenario, [7])
        await asleep(database_url)
        if paused:
            pause = "update scenarios set paused_at = now() where id = %(id)s"
            await waits_kit.execute(database_url, pause, id=others)
            mine = await reply(database_url, others, hook, **{"from": "7"})
            await waits_kit.over(database_url)
            await kit.settle(database_url, {run: 0})
    if not paused:
        mine = await reply(database_url, others, hook, **{"from": "7"})
        await waits_kit.over(database_url)
    await waits_kit.execute(database_url, "update scenarios set paused_at = null")
    late = await reply(database_url, others, hook, **{"from": "7"})
    async with working(database_url):
        await kit.settle(database_url, {run: 0, mine: 0, late: 0})
        await idle(database_url)
    (outcome,) = await outcomes(database_url, run, 2)
    assert outcome["answered"]
    named = "select id from runs where name like 'given to %%'"
    assert rows(database_url, named) == [(mine,)]


APPROVAL: tuple[str, dict[str, Any]] = (
    "wait:Approval",
    {"question": "Pay?", "limit": 1, "unit": "hours"},
)


@pytest.mark.parametrize("kind", ["delivery", "approval"])
@asynchronous
async def test_a_run_that_is_stopped_and_retried_goes_on_waiting(
    kind: str, database_url: str
) -> None:
    text = asking() if kind == "delivery" else flow(waits_kit.START, APPROVAL)
    scenario = kit.plant(database_url, text)
    others, hook = replies(database_url)
    where: dict[str, Any] = {"organization": kit.ORGANIZATION}
    async with working(database_url) as worker:
        (run,) = await kit.deliver(database_url, scenario, [7])
        await asleep(database_url, reason=kind)
        await kit.until(lambda: worker.active == 0)
        await waits_kit.execute(
            database_url, queries("stops")["stop"], run=run, keep=True, actor="Ada", **where
        )
        assert kit.states(database_url)[run] == "incomplete"
        meanwhile = await reply(database_url, others, hook, **{"from": "8"})
        await kit.settle(database_url, {meanwhile: 0})
        await waits_kit.execute(database_url, queries("hot")["resume"], run=run, **where)
        assert await asleep(database_url, reason=kind) == [run]
        if kind == "delivery":
            mine = await reply(database_url, others, hook, **{"from": "7"})
            await kit.settle(database_url, {run: 0, mine: 0})
            assert (await outcomes(database_url, run, 2))[0]["answered"]


@asynchronous
async def test_also_starting_the_scenario_and_giving_a_waiting_run_up(database_url: str) -> None:
    scenario = kit.plant(database_url, asking(wait={**WAIT, "alsoStart": True}))
    others, hook = replies(database_url)
    async with working(database_url):
        given_up, run = [
            *await kit.deliver(database_url, scenario, [5]),
            *await kit.deliver(database_url, scenario, [7]),
        ]
        await asleep(database_url, 2)
        await waits_kit.execute(
            database_url, queries("hot")["discard"], organization=kit.ORGANIZATION, run=given_up
        )
        first = await reply(database_url, others, hook, **{"from": "5"})
        second = await reply(database_url, others, hook, **{"from": "7"})
        await kit.settle(database_url, {run: 0, first: 0, second: 0})
        await idle(database_url)
    names = rows(database_url, "select name from runs where scenario_id = %s", others)
    assert names == [(None,), (None,)]
    assert (await outcomes(database_url, run, 2))[0]["answered"]


@asynchronous
async def test_a_wait_for_a_hook_that_is_not_there_stops_the_run(database_url: str) -> None:
    scenario = kit.plant(database_url, asking(wait={**WAIT, "hook": "nobody's"}))
    async with working(database_url):
        (run,) = runs = await kit.deliver(database_url, scenario, [7])
        assert await kit.settle(database_url, runs) == {run: "incomplete"}
    ((error,),) = rows(database_url, "select error from runs where id = %s", run)
    assert "nobody's" in error["message"]
