"""kill -9 of a worker around a wait: its run has one outcome, and no reply is lost."""

from __future__ import annotations

import signal

import pytest

from tests.durability import kit
from tests.durability.victim import WAITS
from tests.integration.runtime import waits_kit
from tests.integration.runtime.door import idle
from tests.integration.runtime.waits_kit import asking, asleep, outcomes, replies, reply, rows
from tests.support import asynchronous


@pytest.fixture(autouse=True)
def fresh(database_url: str) -> None:
    waits_kit.cleared(database_url)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("point", WAITS)
@asynchronous
async def test_a_worker_killed_around_a_wait_loses_and_repeats_nothing(
    point: str, early: bool, database_url: str
) -> None:
    """``early``: the reply is there before the wait opens, so that looking back finds it."""
    others, hook = replies(database_url)
    scenario = kit.plant(database_url, asking())
    answer = None
    (run,) = await kit.deliver(database_url, scenario, [7])
    if early:
        answer = await reply(database_url, others, hook, **{"from": "7", "text": "yes"})
        # The run's own start would leave it out: it came before.
        await waits_kit.execute(
            database_url, "update scenario_versions set blueprint = replace(blueprint,"
            " '\"unit\": \"hours\"', '\"unit\": \"hours\", \"since\": \"2000-01-01T00:00:00Z\"')",
        )  # fmt: skip
    victim = await kit.WorkerProcess.start(database_url, port=1, point=point)
    heir = await kit.WorkerProcess.start(database_url, port=1, held=True)
    if answer is None and point != "after opening":
        await asleep(database_url)
        answer = await reply(database_url, others, hook, **{"from": "7", "text": "yes"})
    assert await victim.died() == -signal.SIGKILL
    heir.go()
    try:
        if answer is None:
            answer = await reply(database_url, others, hook, **{"from": "7", "text": "yes"})
        await kit.settle(database_url, {run: 0, answer: 0})
        await idle(database_url)
    finally:
        await heir.stop()
    (outcome,) = await outcomes(database_url, run, 2)
    assert outcome["bundle"] == {"from": "7", "text": "yes"}
    assert kit.states(database_url) == {run: "finished", answer: "finished"}
    assert rows(database_url, "select delivery_id from waits where closed_at is not null") == [
        (answer,)
    ]


@asynchronous
async def test_a_reply_that_comes_while_nobody_works_is_given_later(database_url: str) -> None:
    others, hook = replies(database_url)
    scenario = kit.plant(database_url, asking())
    (run,) = await kit.deliver(database_url, scenario, [7])
    first = await kit.WorkerProcess.start(database_url, port=1)
    await asleep(database_url)
    first.kill()
    await first.died()
    answer = await reply(database_url, others, hook, **{"from": "7", "text": "yes"})
    second = await kit.WorkerProcess.start(database_url, port=1)
    try:
        await kit.settle(database_url, {run: 0, answer: 0})
        await idle(database_url)
    finally:
        await second.stop()
    (outcome,) = await outcomes(database_url, run, 2)
    assert outcome["answered"]
    ((name,),) = rows(database_url, "select name from runs where id = %s", answer)
    assert name.startswith("given to run_")
