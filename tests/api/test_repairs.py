"""After trouble, on a real database and a simulated Toky: what was missed comes once, and what was
perhaps sent is never sent twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from junctor.app import settling
from junctor.app.oneshot import own_worker
from junctor.app.repair import fill_gaps
from junctor.app.settling import probe_uncertain, settle
from junctor.language import ids
from junctor.runtime.backfill import Filler
from junctor.runtime.heartbeat import Heartbeat
from junctor.simulators.toky import TokySimulator
from tests.api.repair_stand import Stand, standing
from tests.support import asynchronous

NUMBER = "+12025550199"


SET = (
    "util:SetVariables",
    {"scope": "roundtrip", "variables": [{"name": "c", "value": "{{1.callid}}"}]},
)


async def callids(it: Stand, runs: list[Any]) -> Counter[str]:
    return Counter(bundle["callid"] for bundle in await it.first_bundles(runs))


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "repairs"


@asynchronous
async def test_calls_while_nobody_listened_arrive_once(database_url: str, folder: Path) -> None:
    async with standing(database_url, folder) as it:
        path = await it.scenario(("toky:watchNewCalls", {}), SET)
        made = await it.admin("/calls", {"count": 5, "told": False})
        door = await it.door(path)
        for callid in made["callids"][:2]:  # these came all the same
            assert (await it.client.post(door, json={"callid": callid})).status_code == 200
        answer = await it.client.post(f"{path}/backfill", json={})
        assert answer.status_code == 200, answer.text
        (hook,) = answer.json()["hooks"]
        assert (hook["listed"], hook["stored"], hook["known"], hook["unidentified"]) == (5, 3, 2, 0)
        again = (await it.client.post(f"{path}/backfill", json={})).json()["hooks"][0]
        assert (again["stored"], again["known"]) == (0, 5)
        # The vendor's own late delivery is known, too.
        assert (await it.client.post(door, json={"callid": made["callids"][4]})).status_code == 200
        async with own_worker(it.core):
            runs = await it.ended(path, 5)
        assert await callids(it, runs) == Counter(made["callids"])


@asynchronous
async def test_what_was_missed_may_not_be_older_than_what_is_remembered(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder) as it:
        path = await it.scenario(("toky:watchNewVoicemails", {}), SET)
        old = (datetime.now(UTC) - timedelta(days=8)).isoformat()
        refused = await it.client.post(f"{path}/backfill", json={"since": old})
        assert refused.status_code == 422
        assert "no longer remembered" in refused.json()["error"]["message"]
        plain = await it.scenario(("gateway:CustomWebHook", {}), SET)
        refused = await it.client.post(f"{plain}/backfill", json={})
        assert "can fetch what it missed" in refused.json()["error"]["message"]
        await it.admin("/faults", {"kind": "status", "status": 401, "match": {"method": "GET"}})
        refused = await it.client.post(f"{path}/backfill", json={})
        assert refused.status_code >= 400
        assert "401" in refused.json()["error"]["message"]


def beat(url: str, *, gap: int) -> None:
    heart = Heartbeat(url, name="serverrepairs", role="server", gap=gap)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("set role junctor_engine")
        heart._beat(db)


def quiet(url: str, minutes: int) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "insert into nodes (name, role, details) values ('door', 'door', '{\"gaps\": []}')"
            " on conflict (name) do nothing"
        )
        db.execute(
            "update nodes set seen_at = now() - make_interval(mins => %s) where name = 'door'",
            (minutes,),
        )


@asynchronous
async def test_after_a_downtime_what_was_missed_is_fetched_by_itself(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder) as it:
        path = await it.scenario(("toky:watchNewCalls", {}), SET)
        await it.scenario(("toky:watchNewTextMessages", {}), SET)
        await it.scenario(("gateway:CustomWebHook", {}), SET)
        made = await it.admin("/calls", {"count": 3, "told": False})
        quiet(it.url, 3)
        await asyncio.to_thread(beat, it.url, gap=5)
        assert await fill_gaps(it.core) == {"gaps": 0, "stored": 0, "left": 0}
        quiet(it.url, 30)
        await asyncio.to_thread(beat, it.url, gap=0)
        assert await fill_gaps(it.core) == {"gaps": 0, "stored": 0, "left": 0}
        quiet(it.url, 30)
        for _ in range(2):  # two servers come up: one gap
            await asyncio.to_thread(beat, it.url, gap=5)
        await it.admin("/faults", {"kind": "status", "status": 500, "match": {"path": "/sms"}})
        assert await fill_gaps(it.core) == {"gaps": 1, "stored": 3, "left": 1}
        assert (await fill_gaps(it.core))["gaps"] == 0, "it waits before it tries again"
        with psycopg.connect(it.url, autocommit=True) as db:
            db.execute(
                "update nodes set details = jsonb_set(details, '{gaps,0,after}',"
                " '\"2026-01-01T00:00:00+00:00\"') where name = 'door'"
            )
        assert await fill_gaps(it.core) == {"gaps": 1, "stored": 0, "left": 0}
        assert (await fill_gaps(it.core))["gaps"] == 0
        async with own_worker(it.core):
            assert await callids(it, await it.ended(path, 3)) == Counter(made["callids"])


@asynchronous
async def test_an_answer_that_nobody_expects_keeps_no_other_gap_open(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing(database_url, folder) as it:
        await it.scenario(("toky:watchNewTextMessages", {}), SET)
        await it.scenario(("toky:watchNewCalls", {}), SET)
        await it.admin("/calls", {"count": 3, "told": False})
        quiet(it.url, 30)
        await asyncio.to_thread(beat, it.url, gap=5)
        fill = Filler.fill

        async def filled(self: Filler, hook: Any, since: datetime) -> Any:
            if hook.kind == "watchNewTextMessages":
                return dict[str, Any]()["results"]
            return await fill(self, hook, since)

        monkeypatch.setattr(Filler, "fill", filled)
        assert await fill_gaps(it.core) == {"gaps": 1, "stored": 3, "left": 1}
        assert (await fill_gaps(it.core))["gaps"] == 0, "it waits before it tries again"


def text(sim: TokySimulator) -> dict[str, Any]:
    agent = sim.state.agents[0]
    return {"from": agent["phone_number"], "to": NUMBER, "text": "{{1.t}}", "email": agent["email"]}


async def uncertain(it: Stand, fault: str, said: str = "Hello") -> tuple[str, str]:
    """A scenario whose text message has an unknown outcome: its path, and its run's."""
    keep = {"scope": "roundtrip", "variables": [{"name": "id", "value": "{{2.id}}"}]}
    path = await it.scenario(
        ("gateway:CustomWebHook", {}),
        ("toky:createTextMessage", text(it.sim)),
        ("util:SetVariables", keep),
    )
    await it.admin("/faults", {"kind": fault, "match": {"path": "/sms/send"}})
    await it.client.post(await it.door(path), json={"t": said})
    (run,) = await it.ended(path, 1, state="uncertain")
    return path, f"/api/v1/runs/{run['id']}"


@asynchronous
async def test_a_message_that_was_sent_is_found_and_the_run_goes_on(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder) as it, own_worker(it.core):
        path, run = await uncertain(it, "cut_after")
        assert (await it.client.post(f"{run}/retry")).status_code == 409
        settled = await it.client.post(f"{run}/settle", json={"outcome": "probe"})
        assert settled.status_code == 200, settled.text
        assert settled.json()["found"] == "done"
        await it.ended(path, 1)
        assert len(it.sim.state.sms) == 1
        made = (await it.client.get(f"{run}/operations")).json()["operations"]
        assert made[1]["bundles"][0]["id"] == it.sim.state.sms[0]["id"]
        assert made[1]["input"]["to"] == NUMBER
        assert made[2]["bundles"] == [{"id": it.sim.state.sms[0]["id"]}]
        late = await it.client.post(f"{run}/settle", json={"outcome": "not-done"})
        assert late.status_code == 409


@asynchronous
async def test_a_message_that_was_not_sent_is_sent_once_that_is_sure(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder) as it, own_worker(it.core):
        path, run = await uncertain(it, "cut_before")
        early = (await it.client.post(f"{run}/settle", json={"outcome": "probe"})).json()
        assert early["found"] == "unknown"
        assert "counts from" in early["says"]
        assert early["run"]["state"] == "uncertain"
        run_id = ids.read("run", run.rpartition("/")[2])
        later = datetime.now(UTC) + timedelta(minutes=11)
        _, found = await settle(it.core, it.organization, run_id, "probe", actor="t", now=later)
        assert found.verdict == "not-done"
        await it.ended(path, 1)
        assert [row["text"] for row in it.sim.state.sms] == ["Hello"]


@asynchronous
async def test_a_word_that_comes_again_settles_nothing_that_came_after_it(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder) as it, own_worker(it.core):
        path, run = await uncertain(it, "cut_before")
        stopped = (await it.client.get(f"{run}/stopped")).json()
        first = {"outcome": "not-done", "attempt_id": stopped["attempt_id"]}
        await it.admin("/faults", {"kind": "cut_after", "match": {"path": "/sms/send"}})
        assert (await it.client.post(f"{run}/settle", json=first)).status_code == 200
        while len(it.sim.state.sms) < 1:  # the suite's time limit ends what never comes
            await asyncio.sleep(0)
        await it.ended(path, 1, state="uncertain")
        again = await it.client.post(f"{run}/settle", json=first)
        assert again.status_code == 409
        now = again.json()["error"]["params"]["attempt_id"]
        assert now == (await it.client.get(f"{run}/stopped")).json()["attempt_id"]
        assert now != first["attempt_id"]
        done = {"outcome": "done", "attempt_id": now}
        assert (await it.client.post(f"{run}/settle", json=done)).status_code == 200
        await it.ended(path, 1)
        assert len(it.sim.state.sms) == 1


@asynchronous
async def test_a_person_says_how_it_was(database_url: str, folder: Path) -> None:
    async with standing(database_url, folder) as it, own_worker(it.core):
        path, run = await uncertain(it, "cut_after")
        order = {"outcome": "done", "bundle": {"id": 77}}
        both = await asyncio.gather(
            *(it.client.post(f"{run}/settle", json=order) for _ in range(2))
        )
        assert sorted(each.status_code for each in both) == [200, 409]
        await it.ended(path, 1)
        made = (await it.client.get(f"{run}/operations")).json()["operations"]
        assert made[2]["bundles"] == [{"id": 77}]
        assert len(it.sim.state.sms) == 1


@asynchronous
async def test_uncertain_runs_settle_themselves(database_url: str, folder: Path) -> None:
    async with standing(database_url, folder) as it, own_worker(it.core):
        with psycopg.connect(it.url, autocommit=True) as db:  # those of other tests
            db.execute("update runs set state = 'discarded' where state = 'uncertain'")
        path, run = await uncertain(it, "cut_after")
        other, _ = await uncertain(it, "cut_before", "Goodbye")
        with psycopg.connect(it.url, autocommit=True) as db:
            db.execute("update runs set ended_at = now()")
        now = datetime.now(UTC).timestamp()
        assert sum((await probe_uncertain(it.core, now=now)).values()) == 0, "a pause first"
        with psycopg.connect(it.url, autocommit=True) as db:
            db.execute("update runs set ended_at = now() - interval '1 minute'")
        found = await probe_uncertain(it.core, now=now)
        assert found == {"done": 1, "not-done": 0, "unknown": 1}
        await it.ended(path, 1)
        await it.ended(other, 1, state="uncertain")
        assert len(it.sim.state.sms) == 1
        log = await it.core.catalog.audit(it.organization)
        (noted,) = [each for each in log.items if each.object == run.rpartition("/")[2]]
        assert (noted.verb, noted.actor) == ("run.settle", "probe")


@asynchronous
async def test_a_run_that_can_not_be_looked_for_keeps_no_other_from_it(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing(database_url, folder) as it, own_worker(it.core):
        with psycopg.connect(it.url, autocommit=True) as db:  # those of other tests
            db.execute("update runs set state = 'discarded' where state = 'uncertain'")
        for said in ("One", "Two"):
            await uncertain(it, "cut_after", said)
        with psycopg.connect(it.url, autocommit=True) as db:
            db.execute("update runs set ended_at = now() - interval '1 minute'")
        placed, bad = settling._placed, []

        async def unexpected(core: Any, run: Any, number: int) -> Any:
            bad.append(run.id)
            return dict[str, Any]()["flow"] if run.id == bad[0] else await placed(core, run, number)

        monkeypatch.setattr(settling, "_placed", unexpected)
        now = datetime.now(UTC).timestamp()
        found = await probe_uncertain(it.core, now=now)
        assert found["done"] == 1
        assert bad.count(bad[0]) == 1
