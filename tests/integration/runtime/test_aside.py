"""Bundles set aside, automatic retries and failures in a row, on a real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from junctor.runtime.flight import Flight
from tests.durability import kit
from tests.integration.runtime.door import WEBHOOK, flow, idle, working
from tests.integration.runtime.test_waits import sends
from tests.support import asynchronous

EACH: tuple[str, dict[str, Any]] = ("builtin:BasicFeeder", {"array": '{{split("1,2,3"; ",")}}'})
CHECK: tuple[str, dict[str, Any]] = (
    "util:SetVariables",
    {
        "scope": "roundtrip",
        "variables": [
            {"name": "n", "value": '{{if(2.value = 2; parseNumber("x"); 2.value)}}'},
        ],
    },
)


def breaking(port: int, *, retry: bool = False, **settings: Any) -> str:
    """Three bundles, each sent; the second can't be read as a number, and is set aside."""
    made = json.loads(flow(WEBHOOK, EACH, CHECK, sends(port, "{{2.value}}"), **settings))
    mapper = {"retry": retry, "count": "2", "interval": "1"}
    directive = {"id": 10, "module": "builtin:Break", "version": 1, "parameters": {}}
    made["flow"][2]["onerror"] = [{**directive, "mapper": mapper}]
    return json.dumps(made)


def rows(url: str, statement: str, *values: Any) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as db:
        cursor = db.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("sequential", [False, True])
@asynchronous
async def test_a_broken_bundle_is_a_run_of_its_own(sequential: bool, database_url: str) -> None:
    async with kit.vendor() as vendor:
        text = breaking(vendor.port, sequential=sequential)
        scenario = kit.plant(database_url, text)
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}"):
            runs = await kit.deliver(database_url, scenario, [7])
            (run,) = runs
            assert await kit.settle(database_url, runs) == {run: "finished"}
            await idle(database_url)
        assert vendor.done == {1: 1, 3: 1}
        ((fork, state, trigger, failed, due),) = rows(
            database_url,
            "select id, state, trigger, failed_module, due_at from runs where origin = %s", run,
        )  # fmt: skip
        assert (state, trigger, failed, due) == ("incomplete", "break", 3, None)
        assert rows(database_url, "select warnings from runs where id = %s", run) == [(1,)]
        blocked = rows(
            database_url, "select blocked_by_run from backlog where blocked_by_run = %s", fork
        )
        assert len(blocked) == sequential
        look = "select kind, run_id, params->>'bundles' from notices where scenario_id = %s"
        await eventually(lambda: bool(rows(database_url, look, scenario)))
        assert rows(database_url, look, scenario) == [("run_stopped", fork, "1")]


@asynchronous
async def test_a_broken_bundle_is_tried_again_by_itself_and_gives_up(database_url: str) -> None:
    async with kit.vendor() as vendor:
        scenario = kit.plant(database_url, breaking(vendor.port, retry=True))
        async with working(database_url, allow=f"127.0.0.1:{vendor.port}"):
            runs = await kit.deliver(database_url, scenario, [7])
            await kit.settle(database_url, runs)
            (run,) = runs
            for left in (True, False):
                await eventually(lambda: bool(forks(database_url, run)))
                fork, due = forks(database_url, run)[0]
                assert due is not None
                before = len(segments(database_url, fork))
                await asyncio.to_thread(make_due, database_url)
                await eventually(lambda: len(segments(database_url, fork)) > before)  # noqa: B023 - awaited at once
                await eventually(lambda: (forks(database_url, run)[0][1] is not None) is left)  # noqa: B023 - awaited at once
            await idle(database_url)
        assert vendor.done == {1: 1, 3: 1}
        told = rows(
            database_url, "select kind, run_id from notices where scenario_id = %s", scenario
        )
        assert told == [("run_stopped", fork)]


@asynchronous
async def test_a_run_that_stops_is_told_though_a_bundle_of_it_is_tried_again(
    database_url: str,
) -> None:
    stops = '{{if(2.value = 3; parseNumber("x"); 2.value)}}'
    last = ("util:SetVariables", {**CHECK[1], "variables": [{"name": "m", "value": stops}]})
    made = json.loads(flow(WEBHOOK, EACH, CHECK, last))
    mapper = {"retry": True, "count": "2", "interval": "1"}
    directive = {"id": 10, "module": "builtin:Break", "version": 1, "parameters": {}}
    made["flow"][2]["onerror"] = [{**directive, "mapper": mapper}]
    scenario = kit.plant(database_url, json.dumps(made))
    async with working(database_url):
        runs = await kit.deliver(database_url, scenario, [7])
        (run,) = runs
        assert await kit.settle(database_url, runs) == {run: "incomplete"}
        look = "select kind, run_id from notices where scenario_id = %s"
        await eventually(lambda: rows(database_url, look, scenario) == [("run_stopped", run)])
    ((_, due),) = forks(database_url, run)
    assert due is not None


async def eventually(look: Callable[[], bool]) -> None:
    """Waits until it is so; looking opens a connection, so the worker beside needs its turns."""
    async with asyncio.timeout(kit.PATIENCE):
        while not look():
            await asyncio.sleep(0.1)


def forks(url: str, run: UUID) -> list[Any]:
    """The first of them that has stopped."""
    return rows(url, "select id, due_at from runs where origin = %s and state = 'incomplete'", run)


def segments(url: str, run: UUID) -> list[Any]:
    return rows(url, "select seq from segments where run_id = %s", run)


def make_due(url: str) -> None:
    rows(url, "update runs set due_at = now() where due_at is not null")
    rows(url, "update backlog set due_at = now() where due_at is not null")


@asynchronous
async def test_an_unreachable_vendor_is_tried_again_after_a_minute(database_url: str) -> None:
    made = json.loads(flow(WEBHOOK, sends(1, "{{1.n}}")))
    made["flow"][1]["flags"] = {"retry": {"attempts": 1}}
    scenario = kit.plant(database_url, json.dumps(made))
    async with working(database_url, allow="127.0.0.1:1"):
        runs = await kit.deliver(database_url, scenario, [7])
        (run,) = runs
        await kit.settle(database_url, runs)
        await idle(database_url)
        waits = "select state, extract(epoch from due_at - ended_at)::float from runs where id = %s"
        ((state, wait),) = rows(database_url, waits, run)
        assert (state, wait) == ("incomplete", pytest.approx(60, abs=30))
        make_due(database_url)
        await eventually(lambda: rows(database_url, waits, run)[0][1] > 500)
        await idle(database_url)
    assert counted(database_url, scenario) == (1, True)  # one run is one failure


@asynchronous
async def test_failures_in_a_row_are_counted_and_told(database_url: str) -> None:
    scenario = kit.plant(database_url, flow(WEBHOOK, ("builtin:Throw", {"message": "no"})))
    async with working(database_url):
        runs = await kit.deliver(database_url, scenario, [1, 2, 3, 4])
        await kit.settle(database_url, runs)
        await eventually(lambda: counted(database_url, scenario) == (4, True))
        await idle(database_url)
    kinds = [
        kind
        for (kind,) in rows(
            database_url, "select kind from notices where scenario_id = %s order by id", scenario
        )
    ]
    assert sorted(kinds) == ["errors_repeated", *["run_stopped"] * 4]


@asynchronous
async def test_a_worker_ends_when_all_failures_are_counted(database_url: str) -> None:
    throws = flow(WEBHOOK, ("builtin:Throw", {"message": "no"}))
    scenarios = [kit.plant(database_url, throws) for _ in range(3)]
    async with working(database_url):
        for scenario in scenarios:
            await kit.settle(database_url, await kit.deliver(database_url, scenario, range(40)))
    assert [counted(database_url, scenario) for scenario in scenarios] == [(40, True)] * 3
    counts = "select kind, count(*) from notices where scenario_id = any(%s) group by 1 order by 1"
    told = rows(database_url, counts, scenarios)
    assert told == [("errors_repeated", 6), ("run_stopped", 120)]


def counted(url: str, scenario: UUID) -> Any:
    return rows(url, "select errors_in_row, active from scenarios where id = %s", scenario)[0]


@asynchronous
async def test_a_stop_is_told_in_the_commit_that_ends_the_run(database_url: str) -> None:
    """Whoever is killed right after that commit has told all the same."""
    scenario = kit.plant(database_url, flow(WEBHOOK, ("builtin:Throw", {"message": "no"})))

    async def killed(_flight: Flight) -> None:
        """Nothing is done any more."""

    async with working(database_url) as worker:
        worker.starter.notices.ended = killed  # type: ignore[method-assign,assignment]  # as if it were dead
        runs = await kit.deliver(database_url, scenario, [1])
        (run,) = runs
        assert await kit.settle(database_url, runs) == {run: "incomplete"}
        told = "select kind, run_id, params->>'state' from notices where scenario_id = %s"
        assert rows(database_url, told, scenario) == [("run_stopped", run, "incomplete")]
    assert counted(database_url, scenario) == (0, True)
