"""Runs done again, on a real database with a real worker: edited, on other versions, replayed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from junctor.app.chores import wipe_confidential
from junctor.app.core import Core, open_core
from junctor.app.erase_journal import erase_run
from junctor.app.oneshot import own_worker
from junctor.app.owner import ensure_owner
from junctor.app.server import open_application
from junctor.app.settings import Settings
from junctor.language import ids
from junctor.language.ids import uuid7
from junctor.language.people import Person
from tests.api.repair_stand import standing as toky
from tests.api.test_repairs import uncertain
from tests.durability import kit
from tests.integration.runtime.door import WEBHOOK
from tests.support import asynchronous

ANY = {"if-match": "*"}
ENDED = {"finished", "incomplete", "uncertain", "discarded"}


def sets(value: str) -> tuple[str, dict[str, Any]]:
    return (
        "util:SetVariables",
        {"scope": "roundtrip", "variables": [{"name": "v", "value": value}]},
    )


def sends(port: int, number: str) -> tuple[str, dict[str, Any]]:
    return (
        "http:ActionSendData",
        {
            "url": f"http://127.0.0.1:{port}/", "method": "post", "headers": [], "qs": [],
            "bodyType": "raw", "contentType": "application/json", "data": f'{{"n": {number}}}',
            "parseResponse": True,
        },
    )  # fmt: skip


def blueprint(*modules: tuple[str, dict[str, Any]], **settings: Any) -> dict[str, Any]:
    placed = [
        {
            "id": number,
            "module": name,
            "version": 1,
            "parameters": {"handleErrors": True} if name.startswith("http:") else {},
            "mapper": mapper,
            "flags": {"retry": {"attempts": 1}},
        }
        for number, (name, mapper) in enumerate(modules, start=1)
    ]
    metadata = {"version": 1, "instant": True, "scenario": settings}
    return {"name": "again", "flow": placed, "metadata": metadata}


@dataclass
class Stand:
    """The application, a worker and a vendor that counts."""

    client: httpx.AsyncClient
    core: Core
    vendor: kit.Vendor
    organization: UUID
    url: str

    async def scenario(self, made: dict[str, Any]) -> str:
        answer = await self.client.post("/api/v1/scenarios", json={"blueprint": made})
        assert answer.status_code == 201, answer.text
        path = f"/api/v1/scenarios/{answer.json()['id']}"
        active = await self.client.post(f"{path}/activate", headers=ANY)
        assert active.status_code == 200, active.text
        return path

    async def draft(self, path: str, made: dict[str, Any]) -> int:
        answer = await self.client.put(f"{path}/draft", json={"blueprint": made}, headers=ANY)
        assert answer.status_code == 200, answer.text
        scenario = (await self.client.get(path)).json()
        return int(scenario["draft"])

    async def deliver(self, path: str, *bundles: dict[str, Any], ends: bool = True) -> list[Any]:
        """The runs of these deliveries, ended, in their order; none, if they need not end."""
        hooks = (await self.client.get("/api/v1/hooks")).json()["items"]
        (hook,) = [each for each in hooks if each["scenario"] == path.rpartition("/")[2]]
        before = {run["id"] for run in await self.runs(path)}
        for bundle in bundles:
            url = "/hook/" + hook["url"].rpartition("/")[2]
            assert (await self.client.post(url, json=bundle)).status_code == 200
        while ends:
            runs = [run for run in await self.runs(path) if run["id"] not in before]
            if len(runs) >= len(bundles) and {run["state"] for run in runs} <= ENDED:
                return sorted(runs, key=lambda run: str(run["id"]))
            await asyncio.sleep(0.01)
        return []

    async def runs(self, path: str) -> list[Any]:
        found = await self.client.get(
            "/api/v1/runs", params={"scenario": path.rpartition("/")[2], "limit": 200}
        )
        items: list[Any] = found.json()["items"]
        return items

    async def post(self, run: Any, verb: str, **body: Any) -> Any:
        answer = await self.client.post(f"/api/v1/runs/{run['id']}/{verb}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def get(self, run: Any, what: str = "", **query: Any) -> Any:
        answer = await self.client.get(f"/api/v1/runs/{run['id']}{what}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ended(self, run: Any) -> Any:
        while True:
            found = await self.get(run)
            if found["state"] in ENDED:
                return found
            await asyncio.sleep(0.01)

    async def output(self, run: Any, module: int) -> list[Any]:
        made = (await self.get(run, "/operations"))["operations"]
        return [bundle for each in made if each["module"] == module for bundle in each["bundles"]]

    async def audit(self) -> list[tuple[str, Any]]:
        with psycopg.connect(self.url) as db:
            return db.execute("select verb, details from audit order by seq").fetchall()


@asynccontextmanager
async def standing(url: str, folder: Path) -> AsyncIterator[Stand]:
    async with kit.vendor() as vendor:
        settings = Settings(
            data_dir=folder,
            public="https://hooks.test",
            egress_allow=(f"127.0.0.1:{vendor.port}",),
        )
        async with (
            open_core(settings, url) as core,
            open_application(settings, url, name="serveragain") as application,
        ):
            await ensure_owner(core)
            organization = (await core.catalog.organizations())[0].organization_id
            _, token = await core.catalog.create_token(
                organization, actor="test", name=f"o{vendor.port}", scopes=["owner"]
            )
            async with (
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(application, raise_app_exceptions=False),
                    base_url="http://testserver",
                    headers={"authorization": f"Bearer {str.__str__(token)}"},
                ) as client,
                own_worker(core),
            ):
                yield Stand(client, core, vendor, organization, url)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "again"


@asynchronous
async def test_an_edited_bundle_goes_on_and_what_is_computed_of_it_too(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder) as it:
        port = it.vendor.port
        path = await it.scenario(
            blueprint(
                WEBHOOK,
                sends(port, "{{1.n}}1"),
                sets("{{1.customer.name}}"),
                sends(port, "{{3.v}}"),
            )
        )
        it.vendor.script = {90: [(422, {})]}
        (run,) = await it.deliver(path, {"n": 4, "customer": {"name": 90}})
        assert (run["state"], run["failed_module"]) == ("incomplete", 4)
        why = await it.get(run, "/stopped")
        assert (why["module"], why["name"]) == (4, "http:ActionSendData")
        assert why["input"]["data"] == '{"n": 90}'
        assert why["request"]["url"] == f"http://127.0.0.1:{port}/"
        assert {each["module"]: each["bundle"] for each in why["bundles"]}[3] == {"v": 90}
        late = {"module": 4, "bundle": {}}
        refused = await it.client.post(f"/api/v1/runs/{run['id']}/retry", json={"edits": [late]})
        assert "failed" in refused.json()["error"]["message"]
        edit = {"module": 1, "values": {"customer.name": 9}}
        again = await it.post(run, "retry", edits=[edit])
        assert again["edited"]
        assert (await it.ended(run))["state"] == "finished"
        assert it.vendor.done == {41: 1, 9: 1}, "what was sent before is not sent again"
        assert ("run.retry", [1, 3]) in [
            (verb, details.get("edited")) for verb, details in await it.audit()
        ]


@asynchronous
async def test_an_edit_that_adds_or_takes_an_iterators_bundles_says_where_to_begin(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder) as it:
        each = ("builtin:BasicFeeder", {"array": "{{1.numbers}}"})
        path = await it.scenario(blueprint(WEBHOOK, each, sends(it.vendor.port, "{{2.value}}")))
        it.vendor.script = {90: [(422, {})]}
        (run,) = await it.deliver(path, {"numbers": [4, 90]})
        for numbers, count in ([4, 5, 6], 3), ([4], 1), ([], 0):
            edits = [{"module": 1, "values": {"numbers": numbers}}]
            refused = await it.client.post(f"/api/v1/runs/{run['id']}/retry", json={"edits": edits})
            assert refused.status_code == 400
            said = refused.json()["error"]["message"]
            assert f"gives {count} bundles in place of 2" in said
            assert "from module 2" in said
        edits = [{"module": 1, "values": {"numbers": [4, 5, 6]}}]
        again = await it.post(run, "retry", **{"edits": edits, "from": 2})
        assert (await it.ended(again))["state"] == "finished"
        assert it.vendor.done == {4: 1, 5: 1, 6: 1}


@asynchronous
async def test_a_stopped_run_goes_on_in_the_newest_version_in_its_place(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder) as it:
        port = it.vendor.port
        each = ("builtin:BasicFeeder", {"array": '{{split("1,7,3"; ",")}}'})
        path = await it.scenario(
            blueprint(WEBHOOK, each, sends(port, "{{2.value}}"), sequential=True)
        )
        it.vendor.script = {7: [(422, {})]}
        (run,) = await it.deliver(path, {"n": 4})
        assert it.vendor.done == {1: 1}
        assert run["state"] == "incomplete"
        await it.deliver(path, {"n": 5}, ends=False)
        mended = "{{if(2.value = 7; 2; 2.value)}}"
        await it.draft(path, blueprint(WEBHOOK, each, sends(port, mended), sequential=True))
        assert (await it.client.post(f"{path}/activate", headers=ANY)).status_code == 200
        new = await it.post(run, "retry", version="newest")
        assert (new["origin"], new["version"], new["trigger"]) == (run["id"], 2, "replay")
        assert (await it.ended(new))["state"] == "finished"
        assert (await it.get(run))["state"] == "discarded"
        while len(await it.runs(path)) < 3:
            await asyncio.sleep(0.01)
        late = next(
            each for each in await it.runs(path) if each["id"] not in {run["id"], new["id"]}
        )
        assert (await it.ended(late))["state"] == "finished"
        assert it.vendor.order == [1, 2, 3, 1, 2, 3], "what stood behind it went after it"
        wrong = await it.client.post(f"/api/v1/runs/{run['id']}/retry", json={"version": 1})
        assert wrong.status_code == 409


@asynchronous
async def test_a_bundle_that_was_set_aside_is_edited_and_replayed(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder) as it:
        each = ("builtin:BasicFeeder", {"array": '{{split("1,7,3"; ",")}}'})
        made = blueprint(WEBHOOK, each, sends(it.vendor.port, "{{2.value}}"), sets("{{3.data.ok}}"))
        made["flow"][2]["onerror"] = [
            {
                "id": 9, "module": "builtin:Break", "version": 1, "parameters": {},
                "mapper": {"retry": False, "count": "1", "interval": "1"},
            }
        ]  # fmt: skip
        path = await it.scenario(made)
        it.vendor.script = {7: [(422, {})]}
        runs = await it.deliver(path, {"n": 1}, {"n": 2})
        (aside,) = [run for run in runs if run["trigger"] == "break"]
        assert it.vendor.done == {1: 2, 3: 2, 7: 1}
        bundles = (await it.get(aside, "/stopped"))["bundles"]
        assert {each["module"]: each["bundle"].get("value") for each in bundles}[2] == "7"
        await it.post(aside, "retry", edits=[{"module": 2, "values": {"value": "8"}}])
        assert (await it.ended(aside))["state"] == "finished"
        assert it.vendor.done == {1: 2, 3: 2, 7: 1, 8: 1}
        again = await it.ended(await it.post(aside, "replay"))
        assert again["state"] == "finished"
        assert it.vendor.done == {1: 2, 3: 2, 7: 2, 8: 1}
        assert (await it.client.get(f"{path}/backtest")).json()["changed"] == []
        await it.draft(path, blueprint(WEBHOOK, sets("{{1.n}}")))
        refused = (await it.client.get(f"{path}/backtest")).json()["untold"]
        assert [each["run"] for each in refused] == [aside["id"]]
        assert "began in modules [3], which version 2 does not have" in refused[0]["problem"]


@asynchronous
async def test_what_is_written_and_not_committed_is_not_taken_over(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder) as it:
        store = await it.client.post("/api/v1/data-stores", json={"name": "again"})
        assert store.status_code == 201, store.text
        puts = ("datastore:AddRecord", {"key": "a", "data": {"n": "{{1.n}}"}})
        made = blueprint(WEBHOOK, puts, sends(it.vendor.port, "{{1.n}}"), autoCommit=False)
        answer = await it.client.post("/api/v1/scenarios", json={"blueprint": made})
        path = f"/api/v1/scenarios/{answer.json()['id']}"
        bound = await it.client.put(f"{path}/draft", json={"map": {"2": "again"}}, headers=ANY)
        assert bound.status_code == 200, bound.text
        active = await it.client.post(f"{path}/activate", headers=ANY)
        assert active.status_code == 200, active.text
        it.vendor.script = {7: [(422, {})]}
        (run,) = await it.deliver(path, {"n": 7})
        assert (run["state"], run["failed_module"]) == ("incomplete", 3)
        moved = await it.client.post(f"/api/v1/runs/{run['id']}/retry", json={"from": 3})
        part = await it.client.post(f"/api/v1/runs/{run['id']}/replay", json={"from": 3})
        for refused in (moved, part):
            assert refused.status_code == 409, refused.text
            assert "not applied" in refused.json()["error"]["message"]
        await it.post(run, "retry", edits=[{"module": 1, "values": {"n": 8}}])
        assert (await it.ended(run))["state"] == "finished"
        assert it.vendor.done == {8: 1}


@asynchronous
async def test_a_run_is_replayed_whole_or_from_a_module(database_url: str, folder: Path) -> None:
    async with standing(database_url, folder) as it:
        port = it.vendor.port
        made = blueprint(WEBHOOK, sends(port, "{{1.n}}1"), sets("{{1.n}}"), sends(port, "{{3.v}}2"))
        path = await it.scenario(made)
        (run,) = await it.deliver(path, {"n": 5})
        whole = await it.ended(await it.post(run, "replay"))
        assert (whole["state"], whole["origin"]) == ("finished", run["id"])
        assert it.vendor.done == {51: 2, 52: 2}
        part = await it.ended(await it.post(run, "replay", **{"from": 3}))
        assert part["state"] == "finished"
        assert it.vendor.done == {51: 2, 52: 3}
        assert await it.output(part, 3) == [{"v": 5}]
        unknown = await it.client.post(f"/api/v1/runs/{run['id']}/replay", json={"from": 9})
        assert "no module 9" in unknown.json()["error"]["message"]
        off = await it.client.post(f"{path}/deactivate", headers=ANY)
        assert off.status_code == 200
        assert (await it.ended(await it.post(run, "replay")))["state"] == "finished"


@asynchronous
async def test_what_is_not_kept_is_not_repeated_and_the_error_says_why(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder) as it:
        path = await it.scenario(blueprint(WEBHOOK, sends(it.vendor.port, "{{1.n}}1")))
        who = {"mail": "ada@example.com"}
        run, other = await it.deliver(path, {"n": 5, "who": who}, {"n": 6})

        async def refused(what: Any, **body: Any) -> Any:
            answer = await it.client.post(f"/api/v1/runs/{what}/replay", json=body)
            assert answer.status_code in {404, 409}, answer.text
            return answer.json()["error"]

        person = Person(emails=["ada@example.com"])
        await erase_run(it.core, it.organization, ids.read("run", run["id"]), person)
        said = await refused(run["id"])
        assert (said["code"], said["params"]["reason"]) == ("not_kept", "erased")
        assert "module 1 gave holds '[erased]' at 'who.mail'" in said["message"]
        await it.get(run, "/comparison")
        changed = await it.client.patch(path, json={"confidential": True}, headers=ANY)
        assert changed.status_code == 200, changed.text
        await wipe_confidential(it.core, whole=True)
        said = await refused(other["id"])
        assert (said["code"], said["params"]["reason"]) == ("not_kept", "confidential")
        assert "was confidential: its journal was removed on" in said["message"]
        assert "junctor scenarios set NAME --open" in said["message"]
        compared = await it.client.get(f"/api/v1/runs/{other['id']}/comparison")
        assert compared.json()["error"]["code"] == "not_kept"
        old = ids.show("run", uuid7(1_700_000_000_000, bytes(10)))
        said = await refused(old)
        assert said["params"]["reason"] == "retention"
        assert "of 2023-11-14" in said["message"]
        never = await refused(ids.show("run", uuid7(int(time.time() * 1000), bytes(10))))
        assert "reason" not in never["params"]


@asynchronous
async def test_a_draft_is_run_over_recorded_runs_and_sends_nothing(
    database_url: str, folder: Path
) -> None:
    async with standing(database_url, folder) as it:
        port = it.vendor.port
        path = await it.scenario(blueprint(WEBHOOK, sets("{{1.n}}"), sends(port, "{{2.v}}")))
        runs = await it.deliver(path, {"n": 1}, {"n": 2}, {"n": 3})
        same = (await it.client.get(f"{path}/backtest")).json()
        assert (same["runs"], same["changed"], same["untold"]) == (3, [], [])
        doubled = "{{if(1.n = 2; 20; 1.n)}}"
        await it.draft(path, blueprint(WEBHOOK, sets(doubled), sends(port, "{{2.v}}")))
        made = (await it.client.get(f"{path}/backtest")).json()
        assert (made["runs"], made["version"]) == (3, 2)
        (changed,) = made["changed"]
        assert changed["run"] == runs[1]["id"]
        kinds = {each["kind"]: each for each in changed["changes"]}
        assert set(kinds) == {"output", "arguments"}
        assert kinds["arguments"]["after"]["data"] == '{"n": 20}'
        one = await it.get(runs[1], "/comparison", version="draft")
        assert one["changes"] == changed["changes"]
        more = blueprint(WEBHOOK, sets("{{1.n}}"), sends(port, "{{2.v}}"), sends(port, "{{2.v}}7"))
        await it.draft(path, more)
        added = await it.get(runs[0], "/comparison", version="draft")
        assert [(each["kind"], each["module"]) for each in added["changes"]] == [("added", 4)]
        await it.draft(path, blueprint(WEBHOOK, sets("{{1.n}}")))
        gone = await it.get(runs[0], "/comparison", version="draft")
        assert [(each["kind"], each["module"]) for each in gone["changes"]] == [("removed", 3)]
        part = await it.get(runs[0], "/comparison", **{"from": 3})
        assert part["changes"] == []
        assert it.vendor.done == {1: 1, 2: 1, 3: 1}


@asynchronous
async def test_many_are_counted_then_retried_or_discarded(database_url: str, folder: Path) -> None:
    async with standing(database_url, folder) as it:
        path = await it.scenario(blueprint(WEBHOOK, sends(it.vendor.port, "{{1.n}}")))
        it.vendor.script = {1: [(422, {})], 2: [(429, {})], 3: [(422, {})]}
        runs = await it.deliver(path, {"n": 1}, {"n": 2}, {"n": 3})
        assert {run["state"] for run in runs} == {"incomplete"}
        shown = path.rpartition("/")[2]

        async def bulk(**order: Any) -> Any:
            answer = await it.client.post("/api/v1/runs/bulk", json=order)
            return answer.json()

        assert await bulk(verb="retry", scenario=shown) == {"matching": 3, "done": 0}
        limited = await bulk(verb="retry", scenario=shown, error="RateLimitError")
        assert limited == {"matching": 1, "done": 0}
        assert "error" in await bulk(verb="retry", dry=False)
        assert "error" in await bulk(verb="discard", scenario="", dry=False)  # none is not all
        assert "error" in await bulk(verb="retry", scenario=shown, states=["uncertain"])
        ids = [runs[0]["id"]]
        assert await bulk(verb="discard", ids=ids, dry=False) == {"matching": 1, "done": 1}
        assert await bulk(verb="retry", scenario=shown, dry=False) == {"matching": 2, "done": 2}
        for run in runs[1:]:
            assert (await it.ended(run))["state"] == "finished"
        assert (await it.get(runs[0]))["state"] == "discarded"
        assert it.vendor.done == {2: 1, 3: 1}


@asynchronous
async def test_what_an_uncertain_run_sent_is_shown(database_url: str, folder: Path) -> None:
    async with toky(database_url, folder) as it, own_worker(it.core):
        _, run = await uncertain(it, "cut_after")
        why = (await it.client.get(f"{run}/stopped")).json()
        assert (why["state"], why["name"], why["probe"]) == (
            "uncertain", "toky:createTextMessage", True,
        )  # fmt: skip
        assert why["input"]["text"] == "Hello"
        assert why["request"]["method"] == "POST"
        assert why["request"]["url"].startswith(it.sim.origin)
        assert why["request"]["json"]["text"] == "Hello"
        assert why["sent_at"] is not None
        edit = {"module": 1, "bundle": {"t": "Other"}}
        refused = await it.client.post(f"{run}/retry", json={"edits": [edit]})
        assert "Settle it first" in refused.json()["error"]["message"]


@asynchronous
async def test_a_run_that_is_being_tried_is_left_alone(database_url: str, folder: Path) -> None:
    async with standing(database_url, folder) as it:
        path = await it.scenario(blueprint(WEBHOOK, sends(it.vendor.port, "{{1.n}}")))
        it.vendor.script = {1: [(422, {})]}
        (run,) = await it.deliver(path, {"n": 1})
        await asyncio.to_thread(taken_by_another, it.url)
        edit = {"module": 1, "values": {"n": 2}}
        answer = await it.client.post(f"/api/v1/runs/{run['id']}/retry", json={"edits": [edit]})
        assert answer.status_code == 409
        assert "just now" in answer.json()["error"]["message"]


def taken_by_another(url: str) -> None:
    """All stopped runs are due, and their backlogs somebody's."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "insert into backlog as b (organization_id, scenario_id, lease_until, fence, owner)"
            " select organization_id, scenario_id, now() + interval '1 hour', 7, 'w' from runs"
            " where state = 'incomplete' on conflict (organization_id, scenario_id, order_key)"
            " do update set lease_until = excluded.lease_until, fence = 7, owner = 'w'"
        )
        db.execute("update runs set due_at = now() where state = 'incomplete'")
