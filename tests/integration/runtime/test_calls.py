"""Calls of scenarios on a real inbox: one run for each, whatever happens to the caller."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from junctor.adapters.postgres.calls import PostgresCalls
from junctor.adapters.postgres.hot import Line, PostgresInbox
from junctor.engine.commands import Address
from junctor.errors import BundleInvalid, Misconfigured, ScenarioFailed
from junctor.language import ids
from junctor.language.asks.scenarios import CallScenario
from junctor.language.connector import Request, Response
from junctor.language.outputs import pack_outputs
from junctor.ports.inbox import NewDelivery
from junctor.ports.transport import Transport
from junctor.runtime.envelope import Manual, called_by, depth_of, pack_manual, unpack
from junctor.runtime.plans import Plans, Prepared
from junctor.runtime.services import Asking, Services, Tools
from junctor.runtime.services.scenarios import DEEPEST, child_id
from junctor.testing.transport import FakeTransport
from tests.durability.kit import ORGANIZATION, new_id, plant
from tests.integration.runtime.door import SET, flow, idle, registry, working
from tests.support import asynchronous

START: tuple[str, dict[str, Any]] = ("scenario-service:StartSubscenario", {})
GREET = json.loads(flow(START, SET))
GREET["io"] = {"input_spec": [{"name": "n", "type": "integer", "required": True}]}
GREETER = json.dumps(GREET)


@asynccontextmanager
async def tools(url: str) -> AsyncIterator[Tools]:
    line = Line(url, patience=5)
    transport: Transport = FakeTransport(nobody)
    try:
        yield Tools(line, transport)
    finally:
        await line.close()


def nobody(request: Request) -> Response:
    raise AssertionError(f"nothing is sent, but {request}")


def asking(
    with_: Tools, scenario: UUID | None, *, run: UUID | None = None, attempt: int = 0, **more: Any
) -> Asking:
    bindings = {"scenarios": {"7": str(scenario)}} if scenario else {}
    prepared = Prepared(
        organization_id=ORGANIZATION, scenario_id=new_id(), version=1, name="p",
        plan=None, zone=None, locale="en", country="", organization_name="o",  # type: ignore[arg-type]  # not looked at
        bindings=bindings, **more.pop("prepared", {}),
    )  # fmt: skip
    return Asking(
        tools=with_, organization_id=ORGANIZATION, scenario_id=prepared.scenario_id,
        run_id=run or new_id(), address=Address(0, 7, (0, 1), attempt), parameters={},
        prepared=prepared, **more,
    )  # fmt: skip


async def answered(ask: CallScenario, who: Asking) -> Any:
    return await Services(who.tools).do(ask, who)


def execute(url: str, statement: str, *values: Any) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as db:
        cursor = db.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def end(url: str, scenario: UUID, run: UUID, state: str = "finished", error: Any = None) -> None:
    """What a worker writes at a run's end."""
    execute(
        url,
        "with gone as (delete from inbox where id = %s) insert into runs (organization_id, id,"
        " retention, scenario_id, version, state, actor, started_at, error)"
        " values (%s, %s, 'standard', %s, 1, %s, 't', now(), %s) on conflict (organization_id, id,"
        " retention) do update set state = excluded.state, error = excluded.error",
        run, ORGANIZATION, run, scenario, state, Jsonb(error),
    )  # fmt: skip


def answer(url: str, run: UUID, status: int, headers: Any, body: bytes) -> None:
    execute(
        url,
        "insert into answers (organization_id, delivery_id, status, headers, body)"
        " values (%s, %s, %s, %s, %s)",
        ORGANIZATION, run, status, Jsonb(headers), body,
    )  # fmt: skip


def inbox(url: str, scenario: UUID) -> list[Any]:
    return execute(
        url, "select id, payload, server, order_key from inbox where scenario_id = %s", scenario
    )


async def settle(it: Tools) -> None:
    """Until somebody waits."""
    async with asyncio.timeout(120):
        while not it.ends.waiting:
            await asyncio.sleep(0.001)


CALL = CallScenario(data={"n": 1}, wait=False)
WAIT = CallScenario(data={"n": 1}, wait=True, limit=120)


def test_a_child_id_is_the_callers_own() -> None:
    run = new_id()
    address = Address(2, 7, (0, 1), 0)
    made = child_id(run, address)
    assert (made.version, ids.milliseconds(made)) == (7, ids.milliseconds(run))
    assert child_id(run, address._replace(attempt=3)) == made
    others = [
        child_id(run, address, 1), child_id(new_id(), address),
        *(child_id(run, Address(cycle, module, path)) for cycle, module, path in
          ((3, 7, (0, 1)), (2, 8, (0, 1)), (2, 7, (0, 2)), (2, 7, (0,)))),
    ]  # fmt: skip
    assert len({made, *others}) == 7


def test_depth_is_said_by_the_actor() -> None:
    assert depth_of(called_by(new_id(), 4)) == 4
    assert [depth_of(actor) for actor in ("hook", "cli:me/3", "token:tok_1", "", "run_1/x")] == [
        0, 0, 0, 0, 0,
    ]  # fmt: skip


@asynchronous
async def test_a_call_is_stored_once_and_its_run_says_who_called(database_url: str) -> None:
    child = plant(database_url, GREETER)
    async with tools(database_url) as it:
        who = asking(it, child)
        first, again = [await answered(CALL, who) for _ in range(2)]
    assert first == again
    ((run, payload, server, order_key),) = inbox(database_url, child)
    assert first == {"run": ids.show("run", run), "data": {}}
    assert (server, order_key) == ("", "")
    call = unpack(run, payload, None)  # type: ignore[arg-type]  # a manual start has no time
    assert call == Manual([{"n": 1}], 0, called_by(who.run_id, 1), {"trigger": "call"})
    assert call.trigger == "call"


@asynchronous
async def test_a_call_that_has_ended_is_not_made_again(database_url: str) -> None:
    child = plant(database_url, GREETER)
    async with tools(database_url) as it:
        who = asking(it, child)
        await answered(CALL, who)
        ((run, *_),) = inbox(database_url, child)
        end(database_url, child, run)
        await answered(CALL, who)
        # Even a worker that looked before the end and inserts after it.
        await PostgresCalls(it.line).begin(ORGANIZATION, child, run, order_key="", payload=b"x")
    assert inbox(database_url, child) == []


@asynchronous
async def test_many_who_believe_to_own_the_caller_make_one_run(database_url: str) -> None:
    child = plant(database_url, GREETER)
    lines = [Line(database_url, patience=5) for _ in range(4)]
    who = new_id()

    async def one(line: Line) -> Any:
        return await answered(CALL, asking(Tools(line, FakeTransport(nobody)), child, run=who))

    answers = await asyncio.gather(*(one(line) for line in lines for _ in range(5)))
    assert len({each["run"] for each in answers}) == 1
    assert len(inbox(database_url, child)) == 1
    for line in lines:
        await line.close()


@asynchronous
async def test_a_caller_that_waits_gets_what_was_returned(database_url: str) -> None:
    child = plant(database_url, GREETER)
    async with tools(database_url) as it:
        who = asking(it, child)
        waiting = asyncio.create_task(answered(WAIT, who))
        await settle(it)
        assert it.ends.among([who.run_id, new_id()]) == 1
        ((run, *_),) = inbox(database_url, child)
        answer(database_url, run, *pack_outputs({"greeting": "Hello"}))
        assert not waiting.done()
        end(database_url, child, run)
        assert await waiting == {"run": ids.show("run", run), "data": {"greeting": "Hello"}}
        assert it.ends.waiting == 0
        # And the same on a replay of the caller.
        assert (await answered(WAIT, who))["data"] == {"greeting": "Hello"}


@asynchronous
async def test_a_run_that_returns_nothing_gives_nothing(database_url: str) -> None:
    child = plant(database_url, GREETER)
    async with tools(database_url) as it:
        who = asking(it, child)
        run = child_id(who.run_id, who.address)
        end(database_url, child, run)
        assert (await answered(WAIT, who))["data"] == {}
        answer(database_url, run, 200, [["content-type", "text/plain"]], b"Accepted")
        assert (await answered(WAIT, who))["data"] == {}


@asynchronous
async def test_the_called_scenario_really_runs(database_url: str) -> None:
    child = plant(database_url, GREETER)
    async with tools(database_url) as it, working(database_url):
        who = asking(it, child)
        done = await answered(WAIT, who)
        await idle(database_url)
    ((state, trigger),) = execute(
        database_url, "select state, trigger from runs where id = %s", ids.read("run", done["run"])
    )
    assert (state, done["data"]) == ("finished", {})
    assert trigger in {"manual", "call"}


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        ("incomplete", {"message": "It broke.", "type": "DataError"}, "It broke."),
        ("uncertain", None, "the outcome of one of its operations is unknown"),
        ("discarded", None, "it was given up. Retry"),
        ("discarded", {"message": "It broke.", "type": "DataError"}, r"given up \(It broke\.\)"),
    ],
)
@asynchronous
async def test_a_failure_of_the_called_run_is_the_callers(
    state: str, error: Any, said: str, database_url: str
) -> None:
    child = plant(database_url, GREETER)
    async with tools(database_url) as it:
        who = asking(it, child)
        run = child_id(who.run_id, who.address)
        end(database_url, child, run, state, error)
        with pytest.raises(ScenarioFailed, match=said) as failed:
            await answered(WAIT, who)
    assert failed.value.params["run"] == ids.show("run", run)
    assert ids.show("run", run) in failed.value.message
    assert failed.value.make_type == "RuntimeError"


@asynchronous
async def test_a_retry_lets_the_stopped_run_go_on(database_url: str) -> None:
    child = plant(database_url, GREETER)
    async with tools(database_url) as it:
        who = asking(it, child)
        run = child_id(who.run_id, who.address)
        end(database_url, child, run, "incomplete", {"message": "It broke."})
        answer(database_url, run, 500, [], b"failed")
        retry = asyncio.create_task(answered(WAIT, asking(it, child, run=who.run_id, attempt=1)))
        await settle(it)
        assert execute(database_url, "select state from runs where id = %s", run) == [("waiting",)]
        answer(database_url, run, *pack_outputs({"late": True}))
        end(database_url, child, run)
        assert await retry == {"run": ids.show("run", run), "data": {"late": True}}
        assert inbox(database_url, child) == []


@asynchronous
async def test_a_retry_calls_anew_if_the_run_was_given_up(database_url: str) -> None:
    child = plant(database_url, GREETER)
    async with tools(database_url) as it:
        who = asking(it, child)
        end(database_url, child, child_id(who.run_id, who.address), "discarded")
        again = asking(it, child, run=who.run_id, attempt=1)
        first, second = [await answered(CALL, again) for _ in range(2)]
        assert first == second
        ((run, *_),) = inbox(database_url, child)
        assert run == child_id(who.run_id, who.address, 1)


@asynchronous
async def test_a_caller_waits_no_longer_than_it_says(database_url: str) -> None:
    child = plant(database_url, GREETER)
    async with tools(database_url) as it:
        with pytest.raises(ScenarioFailed, match=r"still running after 0\.05 s"):
            await answered(CallScenario(data={"n": 1}, wait=True, limit=0.05), asking(it, child))
        assert it.ends.waiting == 0
    assert len(inbox(database_url, child)) == 1, "the run goes on"


@asynchronous
async def test_many_wait_with_few_looks(database_url: str) -> None:
    child = plant(database_url, GREETER)
    async with tools(database_url) as it:
        callers = [asking(it, child) for _ in range(40)]
        waiting = [asyncio.create_task(answered(WAIT, each)) for each in callers]
        async with asyncio.timeout(120):
            while it.ends.waiting < 40:
                await asyncio.sleep(0.001)
        for each in callers:
            end(database_url, child, child_id(each.run_id, each.address))
        done = await asyncio.gather(*waiting)
    assert [each["run"] for each in done] == [
        ids.show("run", child_id(each.run_id, each.address)) for each in callers
    ]


@asynchronous
async def test_what_can_not_be_called_is_said_with_the_mend(database_url: str) -> None:
    child = plant(database_url, GREETER)
    async with tools(database_url) as it:
        with pytest.raises(Misconfigured, match="choose one of yours for it"):
            await answered(CALL, asking(it, None))
        with pytest.raises(Misconfigured, match="is not there; choose another"):
            await answered(CALL, asking(it, new_id()))
        with pytest.raises(Misconfigured, match="number 11 within one another"):
            await answered(CALL, asking(it, child, actor=called_by(new_id(), DEEPEST)))
        with pytest.raises(BundleInvalid, match=r"'data\.n': text 'x' is not a number; give"):
            await answered(CallScenario(data={"n": "x"}, wait=False), asking(it, child))
        execute(database_url, "update scenarios set active = false where id = %s", child)
        with pytest.raises(Misconfigured, match=r"'s'.* is not active; activate it"):
            await answered(CALL, asking(it, child))
        with pytest.raises(Misconfigured, match="is no id of a scenario"):
            await answered(CallScenario(scenario="scn_x", data={}, wait=False), asking(it, None))
    assert inbox(database_url, child) == []


@asynchronous
async def test_our_own_id_needs_no_binding(database_url: str) -> None:
    child = plant(database_url, GREETER)
    async with tools(database_url) as it:
        named = CallScenario(scenario=ids.show("scn", child), data={"n": 2}, wait=False)
        await answered(named, asking(it, None))
    assert len(inbox(database_url, child)) == 1


@pytest.mark.parametrize("key", ["", "customer {{1.n}}"])
@asynchronous
async def test_a_run_does_not_wait_for_one_that_stands_behind_it(
    key: str, database_url: str
) -> None:
    document = json.loads(GREETER)
    document["metadata"]["junctor"] = {"orderKey": key} if key else {}
    child = plant(database_url, json.dumps(document))
    line = "k:customer 1" if key else ""
    async with tools(database_url) as it:
        who = asking(it, child)

        def own(line: str | None, run: UUID) -> Asking:
            return replace(who, scenario_id=child, line=line, run_id=run)

        with pytest.raises(Misconfigured, match="it would wait for ever"):
            await answered(WAIT, own(line, new_id()))
        assert inbox(database_url, child) == []
        await answered(CALL, own(line, new_id()))  # it ends, and then the other can begin
        for free in ("k:customer 2", "~manual", None):  # not behind it
            run = new_id()
            asked = asyncio.create_task(answered(WAIT, own(free, run)))
            await settle(it)
            end(database_url, child, child_id(run, who.address))
            await asked
        await answered(WAIT, own(line, run))  # it has ended already


@asynchronous
async def test_a_run_of_an_order_key_that_calls_itself_says_so_at_once(database_url: str) -> None:
    made = json.loads(GREETER)
    made["metadata"]["junctor"] = {"orderKey": "same"}
    call: dict[str, Any] = {"id": 3, "module": "scenario-service:CallSubscenario", "version": 1}
    call["parameters"], call["mapper"] = {"shouldWaitForExecutionEnd": True}, {"data": {"n": 1}}
    made["flow"].append(call)
    scenario = plant(database_url, json.dumps(made))
    bindings = Jsonb({"scenarios": {"3": str(scenario)}})
    execute(
        database_url,
        "update scenario_versions set bindings = %s where scenario_id = %s", bindings, scenario,
    )  # fmt: skip
    run = new_id()
    line = Line(database_url, patience=5)
    payload = pack_manual([{"n": 1}], version=0, actor="t")
    await PostgresInbox(line).accept(
        [NewDelivery(ORGANIZATION, run, scenario, "k:same", None, payload, None, None)]
    )
    await line.close()
    async with working(database_url):
        await idle(database_url)
    ((state, message),) = execute(
        database_url,
        "select state, error ->> 'message' from runs where scenario_id = %s", scenario,
    )  # fmt: skip
    assert state == "incomplete"
    assert "would wait for ever" in message


@asynchronous
async def test_a_call_joins_the_line_of_its_order_key(database_url: str) -> None:
    document = json.loads(GREETER)
    document["metadata"]["junctor"] = {"orderKey": "customer {{1.n}}"}
    child = plant(database_url, json.dumps(document))
    async with tools(database_url) as it:
        await answered(CALL, asking(it, child))
    ((_, _, _, order_key),) = inbox(database_url, child)
    assert order_key == "k:customer 1"


@asynchronous
async def test_another_organisations_scenario_is_not_there(database_url: str) -> None:
    child = plant(database_url, GREETER, organization=new_id_of_another())
    async with tools(database_url) as it:
        with pytest.raises(Misconfigured, match="is not there"):
            await answered(CALL, asking(it, child))


def new_id_of_another() -> UUID:
    return UUID(int=77)


@asynchronous
async def test_runs_read_custom_variables_of_their_organisation_and_team(
    database_url: str,
) -> None:
    reads = flow(
        START,
        ("util:SetVariables", {"scope": "roundtrip", "variables": [
            {"name": "a", "value": "{{var.organization.base}} {{var.team.count}}"}]}),
    )  # fmt: skip
    scenario, other = plant(database_url, reads), plant(database_url, GREETER)
    for team, name, value in (
        (None, "base", {"type": "text", "value": "https://x.test"}),
        (UUID(int=2), "count", {"type": "number", "value": 3}),
        (None, "since", {"type": "date", "value": "2026-01-02T00:00:00.000Z"}),
    ):
        execute(
            database_url,
            "insert into variables (organization_id, id, team_id, name, value, created_by,"
            " updated_by) values (%s, %s, %s, %s, %s, 't', 't')",
            ORGANIZATION, new_id(), team, name, Jsonb(value),
        )  # fmt: skip
    line = Line(database_url, patience=5)
    plans = Plans(line, registry.find, public_url="https://j.test/")
    prepared = await plans.get(ORGANIZATION, scenario, 1)
    read = prepared.variables("run_1", {"n": 1})
    assert read["organization"] == {
        "base": "https://x.test", "since": prepared.organization_variables["since"], "name": "o",
    }  # fmt: skip
    assert read["team"] == {"count": 3}
    assert read["input"] == {"n": 1}
    shown = ids.show("scn", scenario)
    assert read["scenario"] == {
        "name": "s", "id": shown, "url": f"https://j.test/scenarios/{shown}",
        "executionId": "run_1",
    }  # fmt: skip
    assert await plans.get(ORGANIZATION, scenario, 1) is prepared, "not read for every run"
    plain = await plans.get(ORGANIZATION, other, 1)
    assert plain.organization_variables == {}, "not read at all where nothing names them"
    await line.close()


@asynchronous
async def test_what_a_run_is_given_becomes_bundles_and_inputs(database_url: str) -> None:
    scenario = plant(database_url, GREETER)
    line = Line(database_url, patience=5)
    prepared = await Plans(line, registry.find).get(ORGANIZATION, scenario, 1)
    await line.close()
    assert prepared.given([{"n": "4", "more": 1}]) == ([{"n": 4, "more": 1}], {"n": 4, "more": 1})
    assert prepared.given(None) == ([{"n": None}], {"n": None})
