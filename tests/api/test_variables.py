"""Custom variables, and what runs are started with and give back, through the API."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from junctor.app.oneshot import own_worker
from junctor.engine.commands import Address
from junctor.engine.journal import Journal, encode_segment
from junctor.language import ids
from junctor.language.outputs import pack_outputs
from junctor.runtime.flight import segment_aad
from tests.api.shapes import blueprint
from tests.support import asynchronous

ANY = {"if-match": "*"}
INPUTS = [
    {"name": "name", "type": "text", "required": True},
    {"name": "count", "type": "uinteger", "default": 1},
]


@asynchronous
async def test_a_variables_life(api: Any) -> None:
    async with api() as it:
        made = await it.client.post(
            "/api/v1/variables", json={"name": "limit", "type": "number", "value": "12"}
        )
        assert made.status_code == 201, made.text
        body = made.json()
        assert (body["value"], body["type"], body["team"]) == (12, "number", None)
        assert body["reads_as"] == "var.organization.limit"
        path = f"/api/v1/variables/{body['id']}"
        taken = await it.client.post("/api/v1/variables", json={"name": "limit", "value": "x"})
        assert (taken.status_code, taken.json()["error"]["code"]) == (409, "conflict")
        team = (await it.core.catalog.teams(it.organization_id))[0]
        ours = await it.client.post(
            "/api/v1/variables",
            json={"name": "limit", "value": "a", "team": ids.show("team", team.id)},
        )
        assert ours.json()["reads_as"] == "var.team.limit"
        tag = {"if-match": made.headers["etag"]}
        assert (await it.client.patch(path, json={"value": 13})).status_code == 428
        changed = await it.client.patch(path, json={"value": 13}, headers=tag)
        assert (changed.status_code, changed.json()["value"]) == (200, 13)
        stale = await it.client.patch(path, json={"value": 14}, headers=tag)
        assert stale.status_code == 412
        wrong = await it.client.patch(path, json={"value": "many"}, headers=ANY)
        assert (wrong.status_code, wrong.json()["error"]["path"]) == (400, "value")
        assert "not a number; give a number" in wrong.json()["error"]["message"]
        other = await it.client.patch(path, json={"value": "many", "type": "text"}, headers=ANY)
        assert (other.json()["type"], other.json()["value"]) == ("text", "many")
        assert (await it.client.delete(path, headers=tag)).status_code == 412
        assert (await it.client.delete(path, headers=ANY)).status_code == 204
        assert (await it.client.get(path)).status_code == 404
        log = (await it.core.catalog.audit(it.organization_id)).items
        verbs = [each.verb for each in log if each.object == body["id"]]
        assert verbs == ["delete", "update", "update", "create"]
        bad = await it.client.post("/api/v1/variables", json={"name": "no way", "value": 1})
        assert (bad.status_code, bad.json()["error"]["path"]) == (400, "name")


@asynchronous
async def test_variables_have_rights_of_their_own(api: Any) -> None:
    async with api() as it:
        reader = await it.token_with("variables:read")
        assert (await it.client.get("/api/v1/variables", headers=reader)).status_code == 200
        new = {"name": "x", "value": 1}
        refused = await it.client.post("/api/v1/variables", json=new, headers=reader)
        assert refused.status_code == 403


async def with_inputs(it: Any, **more: Any) -> str:
    shape = blueprint("Inputs")
    shape["io"] = {"input_spec": INPUTS, "output_spec": []}
    made = await it.client.post("/api/v1/scenarios", json={"blueprint": {**shape, **more}})
    assert made.status_code == 201, made.text
    return f"/api/v1/scenarios/{made.json()['id']}"


@asynchronous
async def test_inputs_that_can_not_be_taken_start_nothing(api: Any) -> None:
    async with api() as it:
        path = await with_inputs(it)
        for body, where, said in (
            ({"data": {"count": -1}}, "body.data.name", "it is required"),
            ({"data": {"name": "a", "count": -1}}, "body.data.count", "negative; give a whole"),
            ({"data": {"nmae": "a"}}, "body.data.name", "required"),
            ({"input": [{"name": "a"}, {}]}, "body.input[1].name", "required"),
        ):
            refused = await it.client.post(f"{path}/runs", json=body)
            assert refused.status_code == 422, refused.text
            error = refused.json()["error"]
            assert (error["code"], error["path"]) == ("input_invalid", where)
            assert said in error["message"]
        two = await it.client.post(f"{path}/runs", json={"data": {"name": "a"}, "input": {}})
        assert two.status_code == 422
        async with it.core.engine.connection() as database:
            rows = await database.execute("select count(*) from inbox")
            assert await rows.fetchone() == (0,)


@asynchronous
async def test_data_starts_the_published_version_and_input_the_draft(api: Any) -> None:
    async with api() as it:
        path = await with_inputs(it)
        await it.client.post(f"{path}/publish", headers=ANY)
        await it.client.put(f"{path}/draft", json={"blueprint": blueprint("2")}, headers=ANY)
        async with own_worker(it.core):
            used = await it.client.post(
                f"{path}/runs", json={"data": {"name": "Ada"}, "responsive": True}
            )
            built = await it.client.post(f"{path}/runs", json={"input": {}, "responsive": True})
        versions = []
        for answer in (used, built):
            assert (answer.status_code, answer.json()["state"]) == (202, "finished")
            run = (await it.client.get(answer.headers["location"])).json()
            versions.append(run["version"])
        assert versions == [1, 2]
        assert used.json()["outputs"] is None


@asynchronous
async def test_a_run_shows_its_name_and_what_it_returned(api: Any, database_url: str) -> None:
    async with api() as it:
        returns = blueprint("Returns")
        returns["flow"].append(
            {"id": 2, "module": "scenario-service:ReturnData", "version": 2, "mapper": {"a": "1"}}
        )
        made = await it.client.post("/api/v1/scenarios", json={"blueprint": returns})
        scenario = ids.read("scn", made.json()["id"])
        run = it.core.ids.new()
        status, headers, body = pack_outputs({"greeting": "Hello", "token": "jct_" + "x" * 43})
        journal = Journal()
        journal.answered(Address(0, 2, (0,)), (status, headers, body), sent=True)
        journal.operation(0, 3, (0,), 0, {"n": 1})
        taken = journal.take()
        assert taken is not None
        keyring = await it.core.vault.keyring(it.organization_id)
        sealed = keyring.seal(encode_segment(taken.raw), segment_aad(it.organization_id, run, 0))
        with psycopg.connect(database_url, autocommit=True) as db:
            db.execute(
                "insert into runs (organization_id, id, retention, scenario_id, version, state,"
                " actor, started_at, segments, name) values (%s, %s, 'standard', %s, 1,"
                " 'finished', 't', now(), 1, 'Order 4711')",
                (it.organization_id, run, scenario),
            )
            db.execute(
                "insert into answers (organization_id, delivery_id, status, headers, body)"
                " values (%s, %s, %s, %s, %s)",
                (it.organization_id, run, status, Jsonb(headers), body),
            )
            path = f"/api/v1/runs/{ids.show('run', run)}"
            first = (await it.client.get(path)).json()
            assert (first["name"], first["outputs"]["greeting"]) == ("Order 4711", "Hello")
            assert "redacted" in first["outputs"]["token"]
            db.execute("delete from answers")
            db.execute(
                "insert into segments (organization_id, run_id, retention, seq, data)"
                " values (%s, %s, 'standard', 0, %s)",
                (it.organization_id, run, sealed),
            )
        later = (await it.client.get(path)).json()
        assert later["outputs"] == first["outputs"], "the journal says it too"
        operations = (await it.client.get(f"{path}/operations")).json()["operations"]
        assert operations[0]["bundles"] == [first["outputs"]]
        page = (await it.client.get(f"{path}/operations?limit=1")).json()
        assert page["operations"] == operations[:1]
        rest = f"{path}/operations?limit=1&cursor={page['next']}"
        page = (await it.client.get(rest)).json()
        assert (page["operations"], page["next"]) == (operations[1:], None)
        assert (await it.client.get(f"{path}/operations?cursor=W10")).status_code == 400
        for text, found in (("order", 1), ("4711", 1), ("%", 0)):
            listed = (await it.client.get("/api/v1/runs", params={"name": text})).json()["items"]
            assert len(listed) == found, text
