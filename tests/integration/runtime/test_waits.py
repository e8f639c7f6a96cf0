"""A long wait lies in the database, not in a worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.durability import kit
from tests.integration.runtime.door import SET, WEBHOOK, flow, idle, working
from tests.support import asynchronous

SLEEP: tuple[str, dict[str, Any]] = ("util:FunctionSleep", {"duration": "300"})


def sends(port: int, number: str) -> tuple[str, dict[str, Any]]:
    return (
        "http:ActionSendData",
        {
            "url": f"http://127.0.0.1:{port}/", "method": "post", "headers": [], "qs": [],
            "bodyType": "raw", "contentType": "application/json", "data": f'{{"n": {number}}}',
            "parseResponse": True,
        },
    )  # fmt: skip


@pytest.mark.parametrize("sequential", [False, True])
@asynchronous
async def test_a_long_wait_is_left_and_taken_up_again(sequential: bool, database_url: str) -> None:
    async with kit.vendor() as vendor:
        text = flow(
            WEBHOOK, SET, sends(vendor.port, "{{2.n}}1"), SLEEP, sends(vendor.port, "{{2.n}}2"),
            sequential=sequential,
        )  # fmt: skip
        scenario = kit.plant(database_url, text)
        allow = f"127.0.0.1:{vendor.port}"
        async with working(database_url, allow=allow) as worker:
            runs = await kit.deliver(database_url, scenario, [7])
            (run,) = runs
            assert await kit.waiting(database_url) == [run]
            assert worker.active == 0
            assert vendor.done == {71: 1}
            with psycopg.connect(database_url) as db:
                row = db.execute(
                    "select r.wait_reason, r.due_at - r.started_at, b.due_at = r.due_at, b.idle,"
                    " b.blocked_by_run from runs r join backlog b using (scenario_id)"
                    " where r.id = %s", (run,),
                ).fetchone()  # fmt: skip
                assert row is not None
                assert (row[0], row[2:]) == ("time", (True, True, run if sequential else None))
                assert timedelta(seconds=299) < row[1] < timedelta(seconds=590)
                assert db.execute("select count(*) from inbox").fetchone() == (0,)
        async with working(database_url, allow=allow) as other:
            kit.advance(other, 300)
            await kit.make_due(database_url)
            assert await kit.settle(database_url, runs) == {run: "finished"}
            await idle(database_url)
        assert vendor.order == [71, 72]
        with psycopg.connect(database_url) as db:
            left = "not idle or due_at is not null or blocked_by_run is not null"
            assert db.execute(f"select * from backlog where {left}").fetchall() == []


@asynchronous
async def test_others_go_on_while_one_waits_unless_order_forbids(database_url: str) -> None:
    async with kit.vendor() as vendor:
        allow = f"127.0.0.1:{vendor.port}"
        free = kit.plant(database_url, flow(WEBHOOK, SLEEP, sends(vendor.port, "{{1.n}}")))
        strict = kit.plant(
            database_url, flow(WEBHOOK, SLEEP, sends(vendor.port, "{{1.n}}"), sequential=True)
        )
        async with working(database_url, allow=allow) as worker:
            runs = await kit.deliver(database_url, free, [1, 2, 3])
            waiting = await kit.deliver(database_url, strict, [4, 5])
            await kit.waiting(database_url, 4)
            assert waiting.keys() & kit.states(database_url).keys() == {min(waiting)}
            kit.advance(worker, 300)
            await kit.make_due(database_url)
            await kit.settle(database_url, {**runs, min(waiting): 4})
            await kit.waiting(database_url, 1)
            kit.advance(worker, 600)
            await kit.make_due(database_url)
            await kit.settle(database_url, {**runs, **waiting})
            await idle(database_url)
        assert vendor.done == dict.fromkeys(range(1, 6), 1)
        assert [n for n in vendor.order if n > 3] == [4, 5]


@asynchronous
async def test_many_waits_at_once_are_all_taken_up(database_url: str) -> None:
    async with kit.vendor() as vendor:
        text = flow(WEBHOOK, sends(vendor.port, "{{1.n}}"), SLEEP, SET)
        scenario = kit.plant(database_url, text)
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}") as worker:
            runs = await kit.deliver(database_url, scenario, range(150))
            await kit.waiting(database_url, 150)
            kit.advance(worker, 300)
            await kit.make_due(database_url)
            found = await kit.settle(database_url, runs)
        assert set(found.values()) == {"finished"}
        assert vendor.done == dict.fromkeys(range(150), 1)
