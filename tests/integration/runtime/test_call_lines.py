"""Calls that come back, through other scenarios, into a line that their callers hold."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from junctor.adapters.postgres.calls import PostgresCalls
from junctor.adapters.postgres.hot import Line, PostgresInbox
from junctor.errors import Misconfigured
from junctor.language import ids
from junctor.ports.inbox import NewDelivery
from junctor.runtime.envelope import Manual, lines_of, pack_manual, unpack
from junctor.runtime.services.scenarios import child_id
from tests.durability.kit import ORGANIZATION, new_id, plant
from tests.integration.runtime.door import SET, flow, idle, working
from tests.integration.runtime.test_calls import (
    CALL,
    GREETER,
    START,
    WAIT,
    answered,
    asking,
    end,
    execute,
    inbox,
    settle,
    tools,
)
from tests.support import asynchronous


def keyed(key: str) -> str:
    document = json.loads(GREETER)
    document["metadata"]["junctor"] = {"orderKey": key} if key else {}
    return json.dumps(document)


async def stored(line: Line, scenario: UUID, run: UUID, order_key: str) -> None:
    """A run's delivery, as it lies there while the run goes on."""
    payload = pack_manual([{"n": 1}], version=0, actor="t")
    await PostgresInbox(line).accept(
        [NewDelivery(ORGANIZATION, run, scenario, order_key, None, payload, None, None)]
    )


@pytest.mark.parametrize("key", ["", "customer {{1.n}}"])
@asynchronous
async def test_a_call_does_not_come_back_behind_a_caller_that_waits(
    key: str, database_url: str
) -> None:
    first = plant(database_url, keyed(key))
    line = "k:customer 1" if key else ""
    above = new_id()
    async with tools(database_url) as it:
        await stored(it.line, first, above, line)
        who = asking(it, first)
        back = replace(who, lines=((first, above), (who.scenario_id, new_id())))
        with pytest.raises(Misconfigured, match="it would wait for ever") as refused:
            await answered(WAIT, back)
        assert ids.show("run", above) in refused.value.message
        end(database_url, first, above, "incomplete")  # others stand behind it still
        execute(database_url, "update runs set order_key = %s where id = %s", line, above)
        with pytest.raises(Misconfigured, match="it would wait for ever"):
            await answered(WAIT, back)
        assert inbox(database_url, first) == []
        await answered(CALL, back)  # it ends, and so do its callers, and then the other can begin
        ours = replace(back, run_id=new_id(), lines=((new_id(), above),))  # not in that line
        for free in (ours, replace(back, run_id=new_id())):
            if free is not ours:
                end(database_url, first, above)  # not waiting any more
            asked = asyncio.create_task(answered(WAIT, free))
            await settle(it)
            end(database_url, first, child_id(free.run_id, free.address))
            await asked


@asynchronous
async def test_a_call_may_come_back_into_another_line(database_url: str) -> None:
    first = plant(database_url, keyed("customer {{1.n}}"))
    above = new_id()
    async with tools(database_url) as it:
        await stored(it.line, first, above, "k:customer 2")
        who = replace(asking(it, first), lines=((first, above),))
        asked = asyncio.create_task(answered(WAIT, who))
        await settle(it)
        end(database_url, first, child_id(who.run_id, who.address))
        await asked


@asynchronous
async def test_a_called_run_knows_who_waits_for_it(database_url: str) -> None:
    child = plant(database_url, GREETER)
    above = ((new_id(), new_id()),)

    async def told(line: str | None, call: Any) -> Any:
        who = replace(asking(it, child), line=line, lines=above)
        limited = replace(call, limit=0.01) if call.wait else call
        asked = await asyncio.gather(answered(limited, who), return_exceptions=True)
        run = child_id(who.run_id, who.address)
        found = {row[0]: row[1] for row in inbox(database_url, child)}
        stored = unpack(run, found[run], None)  # type: ignore[arg-type]  # a manual start has no time
        assert isinstance(stored, Manual), asked
        return who, lines_of(stored.options.get("lines"))

    async with tools(database_url) as it:
        who, lines = await told("", WAIT)
        assert lines == (*above, (who.scenario_id, who.run_id))
        _, lines = await told(None, WAIT)
        assert lines == above, "nobody stands behind this one, but behind those that wait for it"
        _, lines = await told("", CALL)
        assert lines == (), "nobody waits"


def planted(url: str, **settings: Any) -> UUID:
    """A scenario that calls another, and waits."""
    document = json.loads(flow(START, SET, **settings))
    document["io"] = json.loads(GREETER)["io"]
    call: dict[str, Any] = {"id": 3, "module": "scenario-service:CallSubscenario", "version": 1}
    call |= {"parameters": {"shouldWaitForExecutionEnd": True}, "mapper": {"data": {"n": 1}}}
    document["flow"].append(call)
    return plant(url, json.dumps(document))


def binds(url: str, scenario: UUID, to: UUID) -> None:
    execute(
        url, "update scenario_versions set bindings = %s where scenario_id = %s",
        Jsonb({"scenarios": {"3": str(to)}}), scenario,
    )  # fmt: skip


def stops(url: str, scenario: UUID) -> list[Any]:
    return execute(
        url,
        "select state, error ->> 'message', id from runs where scenario_id = %s order by id",
        scenario,
    )


@asynchronous
async def test_scenarios_that_call_one_another_say_so_at_once(database_url: str) -> None:
    first, second = planted(database_url, sequential=True), planted(database_url)
    binds(database_url, first, second)
    binds(database_url, second, first)
    line = Line(database_url, patience=5)
    await stored(line, first, new_id(), "")
    async with working(database_url):
        await idle(database_url)
        ((state, message, run),) = stops(database_url, first)
        ((called, why, _),) = stops(database_url, second)
        assert (state, called) == ("incomplete", "incomplete")
        assert "would wait for ever" in message
        assert f"{ids.show('run', run)} of it waits for this one" in why
        # Gone on with, the called run still knows, though its delivery left the inbox.
        assert await PostgresCalls(line).resume(ORGANIZATION, run)
        await idle(database_url)
    again = stops(database_url, first)
    assert [(each[0], each[2]) for each in again] == [("incomplete", run)]
    assert "would wait for ever" in again[0][1]
    await line.close()


@asynchronous
async def test_scenarios_without_a_line_may_call_one_another(database_url: str) -> None:
    """Ten deep, where a call without end is refused."""
    first, second = planted(database_url), planted(database_url)
    binds(database_url, first, second)
    binds(database_url, second, first)
    line = Line(database_url, patience=5)
    await stored(line, first, new_id(), "")
    async with working(database_url):
        await idle(database_url)
    await line.close()
    ended = stops(database_url, first) + stops(database_url, second)
    assert len(ended) == 11
    assert all("10 are allowed" in message for _, message, _ in ended)
