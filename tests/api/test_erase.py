"""A person's data is found wherever runs leave it, and nothing of it stays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import msgspec
import psycopg

from junctor.app.erase import Report, erase
from junctor.app.indexing import index_history, index_run
from junctor.language.people import Person
from junctor.ports.vault import Keyring
from junctor.runtime.waiting import pack_answer, wait_aad
from tests.api import history_scene as scene
from tests.durability import kit
from tests.integration.runtime.door import SET, WEBHOOK, flow
from tests.support import asynchronous

PHONE, DIGITS = "+1 (202) 555-0142", "2025550142"
MAIL = "canary.jane@example.com"
WHO = {"phones": ["+12025550142"], "emails": [MAIL]}


def text_of(port: int, *, fails: bool) -> str:
    record = {"phone": "{{1.phone}}", "mail": "{{1.mail}}", "n": 1}
    modules: list[tuple[str, dict[str, Any]]] = [
        WEBHOOK,
        SET,
        ("datastore:AddRecord", {"key": "{{1.phone}}", "overwrite": True, "data": record}),
        ("datastore:AddRecord", {"key": "kept-{{1.n}}", "overwrite": True, "data": record}),
        (
            "http:ActionSendData",
            {
                "url": f"http://127.0.0.1:{port}/contacts/{{{{encodeURL(1.phone)}}}}",
                "method": "post",
                "headers": [],
                "qs": [{"name": "mail", "value": "{{1.mail}}"}],
                "bodyType": "raw",
                "contentType": "application/json",
                "data": '{"n": {{1.n}}, "to": "{{1.number}}"}',
                "parseResponse": True,
            },
        ),
    ]
    if fails:
        modules.append(("json:ParseJSON", {"json": "{{1.mail}} is no JSON {{1.phone}}"}))
    return flow(*modules)


def found(rows: list[tuple[str, str]]) -> set[str]:
    return {
        table.split("_2")[0] for table, text in rows if scene.names(text, digits=DIGITS, mail=MAIL)
    }


def beside(url: str, organization: UUID, connection: UUID, keyring: Keyring) -> None:
    """What runs write only with a vendor's account, a notice, or a program's repeat."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "insert into connections (organization_id, id, team_id, name, connector, kind,"
            " base_url, sealed, created_by, updated_by)"
            " values (%s, %s, %s, 'c', 'toky', 'k', 'https://x', '', 't', 't')",
            (organization, connection, kit.TEAM),
        )
        db.execute(
            "insert into connection_requests values"
            " (%s, %s, %s, now(), null, 'GET', %s, 200, %s, 1, 1, 1)",
            (
                organization,
                connection,
                kit.new_id(),
                "https://x/contacts/%2B12025550142",
                f"no contact {MAIL}",
            ),
        )
        db.execute(
            "insert into notices (organization_id, id, kind, subject, params)"
            " values (%s, %s, 'run_stopped', %s, %s)",
            (organization, kit.new_id(), MAIL, json.dumps({"message": f"to {PHONE}"})),
        )
        db.execute(
            "insert into seen (organization_id, hook_id, key, delivery_id) values (%s, %s, %s, %s)",
            (organization, kit.new_id(), "202-555-0142", kit.new_id()),
        )
        answer = msgspec.msgpack.encode({"headers": [], "body": MAIL.encode()})
        db.execute(
            "insert into idempotency (organization_id, key, request, body)"
            " values (%s, 'k', '', %s)",
            (organization, keyring.seal(answer, scene.answer_aad(organization, "k"))),
        )
        wait = kit.new_id()
        match = msgspec.msgpack.encode([{"phone": PHONE}, "us"])
        db.execute(
            "insert into waits (organization_id, id, run_id, scenario_id, module, kind, sealed,"
            " until, answer, closed_at)"
            " values (%s, %s, %s, %s, 3, 'delivery', %s, now(), %s, now())",
            (
                organization,
                wait,
                kit.new_id(),
                kit.new_id(),
                keyring.seal(match, wait_aad(organization, wait, "match")),
                pack_answer(keyring, organization, wait, {"from": PHONE, "n": 7}),
            ),
        )


@asynchronous
async def test_nothing_of_a_person_stays(api: Any, database_url: str) -> None:
    url = database_url
    async with api() as it, kit.vendor() as vendor:
        organization = it.organization_id
        store, other = kit.new_id(), kit.new_id()
        stores = {3: store, 4: other}
        _, good = scene.plant(url, organization, text_of(vendor.port, fails=False), stores=stores)
        _, bad = scene.plant(url, organization, text_of(vendor.port, fails=True), stores=stores)
        body = {
            "n": 1,
            "phone": PHONE,
            "mail": MAIL.upper(),
            "number": int("1" + DIGITS),
            "text": f"Call me: 202.555.0142, {MAIL}",
            "long": f"<p>{PHONE}</p>" + "x" * 100_000,
        }
        clean = {"n": 2, "phone": "+1 202 555 0199", "mail": "joe@example.com", "number": 1}
        async with scene.working(it.core, url, f"127.0.0.1:{vendor.port}"):
            for path, sent in ((good, body), (bad, body), (good, clean)):
                answer = await it.client.post(path, json=sent)
                assert answer.status_code == 200, answer.text
            ended = {"finished", "incomplete"}
            await kit.until(
                lambda: len(kit.states(url)) == 3 and {*kit.states(url).values()} == ended
            )
        beside(url, organization, kit.new_id(), await it.core.vault.keyring(organization))
        queued = await it.client.post(good, json=body)
        assert queued.status_code == 200
        assert (await index_history(it.core))["indexed"] == 3
        assert (await index_history(it.core))["indexed"] == 0

        before = found(await scene.everything(it.core, url, organization))
        assert before >= {
            "blob_chunks", "connection_requests", "data_store_records", "idempotency", "inbox",
            "notices", "runs_standard", "run_texts", "seen", "segments_standard",
            "waits",
        }  # fmt: skip

        # Looked at first: nothing changes.
        looked = await it.client.post("/api/v1/erasures", json={**WHO, "dry_run": True})
        assert looked.status_code == 200, looked.text
        said = looked.json()
        assert said["done"]
        assert (said["erased"]["runs"], said["erased"]["unfinished runs"]) == (2, 1)
        assert said["left"] == {"queued deliveries": 1}
        assert found(await scene.everything(it.core, url, organization)) == before

        done = await it.client.post("/api/v1/erasures", json={**WHO, "include_queued": True})
        report = done.json()
        assert report["done"]
        assert report["left"] == {}
        assert {name: report["erased"][name] for name in said["erased"]} == {
            **said["erased"],
            "values": report["erased"]["values"],
        }
        assert report["erased"]["queued deliveries"] == 1
        assert report["erased"]["records"] == 2
        assert len(report["unfinished"]) == 1
        assert found(await scene.everything(it.core, url, organization)) == set()

        # The others are as they were, and all can be read.
        with psycopg.connect(url) as db:
            rows = db.execute("select key, data from data_store_records order by key").fetchall()
        assert rows == [
            ("+1 202 555 0199", {"phone": "+1 202 555 0199", "mail": "joe@example.com", "n": 1}),
            ("kept-1", {"phone": "[erased]", "mail": "[erased]", "n": 1}),
            ("kept-2", {"phone": "+1 202 555 0199", "mail": "joe@example.com", "n": 1}),
        ]
        for run in (await it.client.get("/api/v1/runs")).json()["items"]:
            shown = await it.client.get(f"/api/v1/runs/{run['id']}/operations")
            assert shown.status_code == 200
            assert len(shown.json()["operations"]) >= 5

        # Again: nothing is left to do. And it was written down, without saying who.
        again = await it.client.post("/api/v1/erasures", json={**WHO, "thorough": True})
        assert (again.json()["erased"], again.json()["left"]) == ({}, {})
        audit = (await it.core.catalog.audit(organization)).items
        lines = [line for line in audit if line.verb == "erase"]
        assert len(lines) == 3
        assert len({line.details["term"] for line in lines}) == 1
        assert lines[1].details["counts"] == report["erased"]
        assert await it.core.catalog.verify_audit(organization) is None


class Late:
    """An engine's pool that writes what is indexed only when it is told to."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.reached, self.go = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        async with self._pool.connection() as connection:
            yield LateConnection(self, connection)


class LateConnection:
    """One of its connections."""

    def __init__(self, late: Late, connection: Any) -> None:
        self._late, self._connection = late, connection
        self.transaction = connection.transaction

    async def execute(self, query: str, *parameters: Any, **options: Any) -> Any:
        if "insert into run_texts" in query:
            self._late.reached.set()
            await self._late.go.wait()
        return await self._connection.execute(query, *parameters, **options)


@asynchronous
async def test_an_index_that_is_just_being_made_does_not_bring_them_back(
    api: Any, database_url: str
) -> None:
    url = database_url
    async with api() as it:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute("truncate runs, segments, run_texts, inbox, backlog")
        organization = it.organization_id
        _, path = scene.plant(url, organization, flow(WEBHOOK, SET), stores={})
        async with scene.working(it.core, url):
            assert (await it.client.post(path, json={"mail": MAIL})).status_code == 200
            await kit.until(lambda: "finished" in kit.states(url).values())
        (run,) = kit.states(url)
        late = Late(it.core.engine)
        making = asyncio.create_task(
            index_run(replace(it.core, engine=cast("Any", late)), organization, run)
        )
        await late.reached.wait()
        erasing = asyncio.create_task(
            erase(it.core, organization, Person(emails=[MAIL]), actor="test")
        )
        waits = (
            "select count(*) from pg_stat_activity"
            " where wait_event_type = 'Lock' and datname = current_database()"
        )
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as db:
            while not erasing.done():
                if await (await db.execute(waits)).fetchone() != (0,):
                    break
        late.go.set()
        await asyncio.gather(making, erasing)
        assert found(await scene.everything(it.core, url, organization)) == set()


@asynchronous
async def test_one_cut_short_goes_on(api: Any, database_url: str) -> None:
    async with api() as it:
        with psycopg.connect(database_url, autocommit=True) as db:
            store = kit.new_id()
            db.execute("delete from data_store_records")
            db.execute(
                "insert into teams (organization_id, id, name, created_by)"
                " values (%s, %s, 't', 't')"
                " on conflict do nothing",
                (it.organization_id, kit.TEAM),
            )
            db.execute(
                "insert into data_stores (organization_id, id, team_id, name, created_by,"
                " updated_by) values (%s, %s, %s, 'many', 't', 't')",
                (it.organization_id, store, kit.TEAM),
            )
            db.execute(
                "insert into data_store_records (organization_id, store_id, key, data, updated_by)"
                " select %s, %s, 'k' || n, jsonb_build_object('of', %s::text), 't'"
                " from generate_series(1, 1200) n",
                (it.organization_id, store, MAIL),
            )
        person = Person(emails=[MAIL])
        reports: list[Report] = []
        while not reports or not reports[-1].done:
            reports.append(
                await erase(it.core, it.organization_id, person, actor="test", within=0.0)
            )
            assert len(reports) < 40
        assert len(reports) > 5
        assert {report.id for report in reports} == {reports[0].id}
        assert reports[-1].counts == {"records": 1200}
        with psycopg.connect(database_url) as db:
            left = db.execute("select count(*) from data_store_records where data::text like '%@%'")
            assert left.fetchone() == (0,)


@asynchronous
async def test_it_takes_a_right_of_its_own(api: Any) -> None:
    async with api() as it:
        headers = await it.token_with("runs:execute", "runs:read")
        refused = await it.client.post("/api/v1/erasures", json=WHO, headers=headers)
        assert refused.status_code == 403
        nobody = await it.client.post("/api/v1/erasures", json={"phones": ["12"]})
        assert nobody.status_code in {400, 422}


@asynchronous
async def test_what_people_set_up_is_told_and_left(api: Any) -> None:
    mail, phone = "joan@example.com", "+1 202 555 0177"
    async with api() as it:
        made = {"name": "ops", "email": f"ops@example.com, {mail}"}
        assert (await it.client.post("/api/v1/notification-channels", json=made)).status_code == 201
        store = await it.client.post("/api/v1/data-stores", json={"name": f"Calls of {phone}"})
        assert store.status_code == 201, store.text
        said = (
            await it.client.post("/api/v1/erasures", json={"phones": [phone], "emails": [mail]})
        ).json()
        assert said["left"]["notification channels"] == 1
        assert said["left"]["data stores"] == 1
        channels = (await it.client.get("/api/v1/notification-channels")).json()["items"]
        assert mail in channels[0]["address"]
