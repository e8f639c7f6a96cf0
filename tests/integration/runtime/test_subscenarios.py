"""Scenarios that call scenarios, from delivery to returned data, on one worker."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from junctor.adapters.postgres.hot import Line, PostgresInbox
from junctor.adapters.postgres.queries import load
from junctor.language import ids
from junctor.ports.inbox import NewDelivery
from junctor.runtime import worker
from junctor.runtime.envelope import pack_manual
from tests.durability import kit
from tests.durability.kit import ORGANIZATION, new_id, plant
from tests.integration.runtime.door import WEBHOOK, door, flow, idle, plant_hook, working
from tests.support import asynchronous

START: tuple[str, dict[str, Any]] = ("scenario-service:StartSubscenario", {})
CALL: tuple[str, dict[str, Any]] = ("scenario-service:CallSubscenario", {"data": {"n": "{{1.n}}"}})
INPUTS = [{"name": "n", "type": "integer", "required": True}, {"name": "by", "default": "nobody"}]


def child(*modules: tuple[str, dict[str, Any]], inputs: Any = INPUTS, **settings: Any) -> str:
    made = json.loads(flow(START, *modules, **settings))
    made["io"] = {"input_spec": inputs}
    return json.dumps(made)


DOUBLE = child(
    ("scenario-service:NameExecution", {"name": "Number {{1.n}}"}),
    ("scenario-service:ReturnData", {"twice": "{{1.n * 2}}", "by": "{{var.input.by}}"}),
    ("scenario-service:ReturnData", {"twice": "too late"}),
)


def parent(*modules: tuple[str, dict[str, Any]], wait: bool = True) -> str:
    made = json.loads(flow(WEBHOOK, *modules))
    for module in made["flow"]:
        if module["module"].endswith("CallSubscenario"):
            module["parameters"] = {"scenario": 1, "shouldWaitForExecutionEnd": wait}
    return json.dumps(made)


ANSWER: tuple[str, dict[str, Any]] = (
    "gateway:WebhookRespond",
    {"status": "200", "body": "{{2.twice}} {{2.by}} {{2.executionId}}", "headers": []},
)


def bind(url: str, path: str, target: UUID, module: int = 2) -> UUID:
    """Says which scenario the hook's one calls; returns that one."""
    with psycopg.connect(url, autocommit=True) as db:
        row = db.execute(
            "select scenario_id from hooks where token = %s", (path.rpartition("/")[2],)
        ).fetchone()
        assert row is not None
        db.execute(
            "update scenario_versions set bindings = %s where scenario_id = %s",
            (Jsonb({"scenarios": {str(module): str(target)}}), row[0]),
        )
    scenario: UUID = row[0]
    return scenario


def runs(url: str, scenario: UUID) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as db:
        return db.execute(
            "select id, state, name, trigger, actor, error ->> 'message' from runs"
            " where scenario_id = %s order by id",
            (scenario,),
        ).fetchall()


async def post(it: Any, path: str, n: Any) -> Any:
    return await it.post(path, json.dumps({"n": n}).encode(), content_type="application/json")


@asynchronous
async def test_a_scenario_calls_another_and_gets_what_it_returns(database_url: str) -> None:
    target = plant(database_url, DOUBLE)
    path = plant_hook(database_url, parent(CALL, ANSWER))
    caller = bind(database_url, path, target)
    async with door(database_url) as it, working(database_url):
        answers = await asyncio.gather(*(post(it, path, n) for n in range(20)))
        await idle(database_url)
    for n, answer in enumerate(answers):
        twice, by, run = answer.body.decode().split()
        assert (twice, by) == (str(2 * n), "nobody")
        assert ids.read("run", run)
    made = runs(database_url, target)
    assert sorted(name for _, _, name, *_ in made) == sorted(f"Number {n}" for n in range(20))
    assert {(state, trigger) for _, state, _, trigger, *_ in made} == {("finished", "call")}
    callers = {ids.show("run", row[0]) for row in runs(database_url, caller)}
    assert {actor for *_, actor, _ in made} == {f"{run}/1" for run in callers}


async def start(url: str, scenario: UUID, data: list[dict[str, Any]]) -> None:
    """Runs as another scenario would start them."""
    line = Line(url, patience=5)
    await PostgresInbox(line).accept(
        [
            NewDelivery(
                ORGANIZATION, new_id(), scenario, "", None,
                pack_manual([each], version=0, actor="t"), None, None,
            )
            for each in data
        ]
    )  # fmt: skip
    await line.close()


def calls_itself(url: str, mapper: dict[str, Any], condition: Any = None) -> UUID:
    """A scenario that calls itself and waits; with a condition, only where that holds."""
    made = json.loads(child(("scenario-service:CallSubscenario", mapper)))
    made["flow"][1]["parameters"] = {"shouldWaitForExecutionEnd": True}
    if condition:
        made["flow"][1]["filter"] = {"name": "", "conditions": [[condition]]}
    scenario = plant(url, json.dumps(made))
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "update scenario_versions set bindings = %s where scenario_id = %s",
            (Jsonb({"scenarios": {"2": str(scenario)}}), scenario),
        )
    return scenario


@asynchronous
async def test_more_callers_than_places_do_not_starve_those_they_call(database_url: str) -> None:
    first = {"a": "{{1.n}}", "o": "number:equal", "b": "0"}
    scenario = calls_itself(database_url, {"data": {"n": 1}}, first)
    await start(database_url, scenario, [{"n": 0}] * 24)
    with pytest.MonkeyPatch.context() as few:
        few.setattr(worker, "MOST_RUNS", 16)
        few.setattr(worker, "SLICE_RUNS", 8)
        async with working(database_url):
            await idle(database_url)
    assert [row[1] for row in runs(database_url, scenario)] == ["finished"] * 48


@asynchronous
async def test_a_scenario_that_calls_itself_ends_at_some_depth(database_url: str) -> None:
    scenario = calls_itself(database_url, {"data": {"n": "{{1.n + 1}}"}})
    await start(database_url, scenario, [{"n": 0}])
    async with working(database_url):
        await idle(database_url)
    found = runs(database_url, scenario)
    assert len(found) == 11
    assert {state for _, state, *_ in found} == {"incomplete"}
    assert sum("number 11 within one another" in message for *_, message in found) == 11


@asynchronous
async def test_a_child_that_fails_fails_its_caller(database_url: str) -> None:
    target = plant(database_url, child(("json:ParseJSON", {"json": "{{1.by}}"})))
    path = plant_hook(database_url, parent(CALL, ANSWER))
    caller = bind(database_url, path, target)
    async with door(database_url) as it, working(database_url):
        answer = await post(it, path, 1)
        await idle(database_url)
    assert answer.status == 500
    ((failed, state, *_),) = runs(database_url, target)
    assert state == "incomplete"
    ((_, state, *_, message),) = runs(database_url, caller)
    assert state == "incomplete"
    assert ids.show("run", failed) in message


@asynchronous
async def test_a_call_that_does_not_wait_only_names_the_run(database_url: str) -> None:
    target = plant(database_url, DOUBLE)
    path = plant_hook(database_url, parent(CALL, ANSWER, wait=False))
    bind(database_url, path, target)
    async with door(database_url) as it, working(database_url):
        answer = await post(it, path, 1)
        await idle(database_url)
    ((run, state, *_),) = runs(database_url, target)
    assert (answer.body.decode().strip(), state) == (ids.show("run", run), "finished")


@asynchronous
async def test_a_caller_is_resumed_and_its_child_with_it(database_url: str) -> None:
    async with kit.vendor(script={-1: [(422, {})]}) as vendor:
        fetch = (
            "http:ActionSendData",
            {
                "url": f"http://127.0.0.1:{vendor.port}/", "method": "get", "headers": [],
                "qs": [], "bodyType": "", "parseResponse": True,
            },
        )  # fmt: skip
        target = plant(
            database_url, child(fetch, ("scenario-service:ReturnData", {"ok": "{{2.data.ok}}"}))
        )
        path = plant_hook(database_url, parent(CALL))
        caller = bind(database_url, path, target)
        async with (
            door(database_url) as it,
            working(database_url, allow=f"127.0.0.1:{vendor.port}"),
        ):
            await post(it, path, 1)
            await idle(database_url)
            ((run, state, *_),) = runs(database_url, caller)
            assert state == "incomplete"
            await asyncio.to_thread(resume, database_url, run)  # the worker is in our event loop
            async with asyncio.timeout(120):
                while runs(database_url, caller)[0][1] != "finished":
                    await asyncio.sleep(0.02)
            await idle(database_url)
    ((_, state, *_),) = runs(database_url, target)
    assert state == "finished", "the same run went on; no second one was made"


def resume(url: str, run: UUID) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(load("hot")["resume"], {"organization": ORGANIZATION, "run": run})


def switch(url: str, scenario: UUID, *, active: bool) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("update scenarios set active = %s where id = %s", (active, scenario))
        db.execute("select pg_notify('junctor_wake', '')")


@asynchronous
async def test_a_caller_whose_worker_is_gone_finds_the_run_it_called(database_url: str) -> None:
    target = plant(database_url, DOUBLE)
    path = plant_hook(database_url, parent(CALL, ANSWER))
    caller = bind(database_url, path, target)
    async with door(database_url) as it:
        async with working(database_url, lease=3.0) as first:
            first._grace = 0.1
            asked = asyncio.create_task(post(it, path, 21))
            async with asyncio.timeout(120):
                while not first._ends.waiting and not runs(database_url, target):
                    await asyncio.sleep(0.001)
            switch(
                database_url, target, active=False
            )  # whatever is left waits for the other worker
        switch(database_url, target, active=True)
        async with working(database_url, lease=3.0):
            answer = await asked
            await idle(database_url)
    ((run, state, *_),) = runs(database_url, target)
    assert answer.body.decode().split() == ["42", "nobody", ids.show("run", run)]
    assert state == "finished"
    assert [row[1] for row in runs(database_url, caller)] == ["finished"]
