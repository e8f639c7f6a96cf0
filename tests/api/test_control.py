"""Pause, drain, stop, skip, versions, queues and status, as the API shows them."""

from __future__ import annotations

import json
import os
from typing import Any
from uuid import UUID

import psycopg
import pytest

from junctor.adapters import neighbours
from junctor.app import control
from junctor.app.oneshot import own_worker
from junctor.language import ids
from tests.api.test_hooks import ANY, door, hook_of, triggered
from tests.support import asynchronous

TRIGGER = "gateway:CustomWebHook"


async def posted(it: Any, path: str, status: int = 200, **body: Any) -> Any:
    answer = await it.client.post(f"/api/v1{path}", json=body or None, headers=ANY)
    assert answer.status_code == status, answer.text
    return answer.json()


async def got(it: Any, path: str, status: int = 200) -> Any:
    answer = await it.client.get(f"/api/v1{path}")
    assert answer.status_code == status, answer.text
    return answer.json()


@asynchronous
async def test_a_pause_is_seen_and_what_waits_is_counted(api: Any) -> None:
    async with api() as it:
        hook = await hook_of(it, TRIGGER)
        path = f"/scenarios/{hook['scenario']}"
        held = await posted(it, f"{path}/pause")
        assert (held["active"], held["queued"], held["oldest_at"]) == (True, 0, None)
        assert held["paused_at"] == (await got(it, path))["paused_at"] is not None
        for _ in range(2):
            assert (await it.client.post(door(hook), json={"type": "x"})).status_code == 200
        again = await posted(it, f"{path}/pause")
        assert (again["paused_at"], again["queued"]) == (held["paused_at"], 2)
        async with own_worker(it.core):
            (queue,) = (await got(it, f"/queues?scenario={hook['scenario']}"))["queues"]
            assert (queue["deliveries"], queue["worker"], queue["blocked_by"]) == (2, None, None)
            status = await got(it, "/status")
            assert status["scenarios"]["paused"] == 1
            assert (status["queues"]["deliveries"], status["queues"]["held"]) == (2, 1)
            assert status["queues"]["lag"] == 0  # nothing that could be run has waited
            went = await posted(it, f"{path}/resume")
            assert went["paused_at"] is None
            scenario = ids.read("scn", hook["scenario"])
            while (
                await control.waiting(
                    it.core, await it.core.catalog.scenario(it.organization_id, scenario)
                )
            ).deliveries:
                pass  # the suite's time limit ends what never comes
        assert (await got(it, f"/queues?scenario={hook['scenario']}"))["queues"] == []


@asynchronous
async def test_a_drained_scenario_is_off_by_itself(api: Any) -> None:
    async with api() as it:
        hook = await hook_of(it, TRIGGER)
        path = f"/scenarios/{hook['scenario']}"
        assert (await it.client.post(door(hook), json={"type": "x"})).status_code == 200
        for held in ("pause", "drain"):
            assert (await posted(it, f"{path}/{held}"))["active"]
            await posted(it, f"{path}/activate")
            back = await got(it, path)
            assert (back["active"], back["paused_at"], back["draining_at"]) == (True, None, None)
        drained = await posted(it, f"{path}/drain")
        assert (drained["active"], drained["queued"]) == (True, 1)
        assert await control.end_drained(it.core) == 0  # one waits still
        answer = await it.client.post(door(hook), json={})
        while answer.status_code == 200:  # servers hear of it by notification
            answer = await it.client.post(door(hook), json={})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        async with own_worker(it.core):
            while (await got(it, path))["active"]:
                await control.end_drained(it.core)
        shown = await got(it, path)
        assert (shown["active"], shown["draining_at"]) == (False, None)
        refused = await posted(it, f"{path}/pause", status=409)
        assert "is not active: activate it first" in refused["error"]["message"]


@asynchronous
async def test_only_what_can_be_stopped_or_skipped_is(api: Any, database_url: str) -> None:
    async with api() as it:
        hook = await hook_of(it, TRIGGER)
        scenario = UUID(str(ids.read("scn", hook["scenario"])))
        run = it.core.ids.new()
        shown = ids.show("run", run)
        await posted(it, f"/runs/{shown}/stop", status=404)
        with psycopg.connect(database_url, autocommit=True) as db:
            db.execute(
                "insert into runs (organization_id, id, retention, scenario_id, version, state,"
                " actor, started_at) values (%s, %s, 'standard', %s, 1, 'uncertain', 't', now())",
                (it.organization_id, run, scenario),
            )
            refused = await posted(it, f"/runs/{shown}/stop", status=409)
            assert "Settle or discard it" in refused["error"]["message"]
            skipped = await posted(it, f"/runs/{shown}/skip")
            assert (skipped["state"], skipped["skipped"]) == ("uncertain", True)
            twice = await posted(it, f"/runs/{shown}/skip", status=409)
            assert "has been skipped already" in twice["error"]["message"]
            db.execute("update runs set state = 'incomplete' where id = %s", (run,))
        stopped = await posted(it, f"/runs/{shown}/stop")
        assert (stopped["at_once"], stopped["run"]["state"]) == (True, "discarded")
        assert await posted(it, f"/runs/{shown}/stop", status=409)


@asynchronous
async def test_a_version_is_compared_and_taken_up_again(api: Any) -> None:
    async with api() as it:
        made = await posted(it, "/scenarios", 201, blueprint=triggered(TRIGGER))
        path = f"/scenarios/{made['id']}"
        changed = triggered(TRIGGER)
        changed["flow"][1]["mapper"]["variables"][0]["value"] = "{{1.kind}}"
        answer = await it.client.put(
            f"/api/v1{path}/draft", json={"blueprint": changed}, headers=ANY
        )
        assert answer.json()["draft"] == 2
        found = await got(it, f"{path}/comparison?old=1&new=2")
        assert (found["old"], found["new"], found["same"]) == (1, 2, False)
        (module,) = found["changed"]
        assert module["changes"] == [
            {
                "path": "mapper.variables[0].value",
                "kind": "changed",
                "old": "{{1.type}}",
                "new": "{{1.kind}}",
            }
        ]
        back = await posted(it, f"{path}/restore", version=1, publish=True)
        assert (back["draft"], back["published"]) == (3, 3)
        assert (await got(it, f"{path}/comparison?old=1"))["same"]
        await posted(it, f"{path}/restore", 404, version=99)
        stale = await it.client.post(
            f"/api/v1{path}/restore", json={"version": 1}, headers={"if-match": '"1"'}
        )
        assert stale.status_code == 412


@asynchronous
async def test_status_shows_processes_and_the_database(api: Any) -> None:
    async with api() as it:
        async with own_worker(it.core):
            workers: list[Any] = []
            while not workers:
                found = await got(it, "/status")
                workers = [each for each in found["nodes"] if each["role"] == "worker"]
        assert workers[0]["alive"]
        assert workers[0]["version"]
        assert found["database"]["bytes"] > 0
        assert 0 < found["database"]["connections"] <= found["database"]["most_connections"]
        assert set(found["runs"]) == {"waiting", "incomplete", "uncertain"}
        headers = await it.token_with("runs:read")
        assert (await it.client.get("/api/v1/status", headers=headers)).status_code == 403


@pytest.mark.skipif(not neighbours.machine(), reason="this system does not tell (no Linux /proc)")
@asynchronous
async def test_a_process_of_this_machine_that_was_killed_is_gone_at_once(
    api: Any, database_url: str
) -> None:
    """Its last heartbeat was a moment ago, and of another machine's that is all that is known."""
    pid, begun = neighbours.process(os.getpid()).split(":")
    died = {"machine": neighbours.machine(), "process": f"{pid}:{int(begun) + 1}"}
    put = "insert into nodes (name, role, details) values (%s, 'worker', %s)"
    async with api() as it:
        with psycopg.connect(database_url, autocommit=True) as db:
            db.execute("delete from nodes")
            db.execute(put, ("died", json.dumps(died)))
            ready = (await it.client.get("/readyz")).json()["checks"]
            db.execute(put, ("far", json.dumps(died | {"machine": "another"})))
        found = {each["name"]: each for each in (await got(it, "/status"))["nodes"]}
        assert (found["died"]["alive"], found["died"]["gone"]) == (False, True)
        assert (found["far"]["alive"], found["far"]["gone"]) == (True, False)
        assert ready["worker"] is False
        assert (await it.client.get("/readyz")).json()["checks"]["worker"] is True


@asynchronous
async def test_queues_have_pages_and_their_users_keys(api: Any, database_url: str) -> None:
    async with api() as it:
        hook = await hook_of(it, TRIGGER)
        with psycopg.connect(database_url, autocommit=True) as db:
            for key in ("k:a", "k:b", "~manual"):
                db.execute(
                    "insert into inbox (organization_id, id, scenario_id, order_key, payload)"
                    " values (%s, %s, %s, %s, '')",
                    (it.organization_id, it.core.ids.new(), ids.read("scn", hook["scenario"]), key),
                )
        path = f"/queues?scenario={hook['scenario']}&limit=2"
        first = await got(it, path)
        assert [each["order_key"] for each in first["queues"]] == ["a", "b"]
        rest = await got(it, f"{path}&cursor={first['next']}")
        assert ([each["order_key"] for each in rest["queues"]], rest["next"]) == (["~manual"], None)
        assert "cursor" in (await got(it, f"{path}&cursor=x", 400))["error"]["message"]
