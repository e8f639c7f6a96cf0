"""The API from outside: revisions, keys, pages, errors, secrets, a scenario's life."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from junctor.app.api.permissions import TABLE
from junctor.app.oneshot import own_worker
from tests.api.shapes import EXAMPLE, blueprint
from tests.support import asynchronous

SECRET = "sk-canary-0123456789abcdef"


async def connection(it: Any, name: str = "T") -> Any:
    answer = await it.client.post(
        "/api/v1/connections",
        json={"connector": "toky", "name": name, "values": {"api_key": SECRET}},
    )
    assert answer.status_code == 201, answer.text
    return answer


@asynchronous
async def test_every_error_has_one_shape(api: Any) -> None:
    async with api() as it:
        cases = (
            ("GET", "/nowhere", None, 404, "not_found"),
            ("GET", "/api/v1/nowhere", None, 404, "not_found"),
            ("PUT", "/api/v1/tokens", None, 405, "method_not_allowed"),
            ("GET", "/api/v1/scenarios/scn_nonsense", None, 404, "not_found"),
            ("GET", "/api/v1/scenarios?limit=9999", None, 422, "invalid"),
            ("GET", "/api/v1/scenarios?cursor=%21", None, 400, "misconfigured"),
            ("POST", "/api/v1/tokens", {"name": 3, "scopes": []}, 422, "invalid"),
            ("POST", "/api/v1/tokens", {"name": "x", "scopes": [], "z": 1}, 422, "invalid"),
            ("POST", "/api/v1/scenarios", {"blueprint": "no json"}, 422, "blueprint_invalid"),
            ("POST", "/api/v1/connections", {"connector": "x", "values": {}}, 404, "not_found"),
        )
        for method, path, body, status, code in cases:
            answer = await it.client.request(method, path, json=body)
            assert answer.status_code == status, (path, answer.text)
            error = answer.json()["error"]
            assert error["code"] == code, (path, error)
            assert set(error) <= {"code", "message", "params", "path"}
            assert answer.headers["content-type"] == "application/json"
        broken = await it.client.post(
            "/api/v1/tokens", content=b"{", headers={"content-type": "application/json"}
        )
        assert (broken.status_code, broken.json()["error"]["code"]) == (400, "bad_request")


@asynchronous
async def test_an_error_names_the_part_of_the_request(api: Any) -> None:
    async with api() as it:
        for method, path, body, where in (
            ("GET", "/api/v1/scenarios?limit=0", None, "query.limit"),
            ("GET", "/api/v1/runs?state=lost", None, "query.state"),
            ("POST", "/api/v1/tokens", {"name": 3, "scopes": []}, "body.name"),
            ("POST", "/api/v1/tokens", {"name": "x", "scopes": [], "z": 1}, "body"),
        ):
            error = (await it.client.request(method, path, json=body)).json()["error"]
            assert error["path"] == where
            assert [each["path"] for each in error["params"]["problems"]] == [where]


@asynchronous
async def test_a_bug_is_a_500_that_tells_nothing(api: Any) -> None:
    async with api() as it:
        made = await connection(it, "broken")
        async with it.core.engine.connection() as database:  # what no code of ours ever writes
            await database.execute("update connections set settings = '7' where name = 'broken'")
        path = f"/api/v1/connections/{made.json()['id']}"
        answer = await it.client.get(path)
        assert answer.status_code == 500
        assert answer.json() == {
            "error": {
                "code": "fault",
                "message": "Something went wrong here; it has been logged.",
                "params": {},
            }
        }
        await it.client.delete(path, headers={"if-match": "*"})


@asynchronous
async def test_writes_name_the_revision_they_change(api: Any) -> None:
    async with api() as it:
        made = await it.client.post("/api/v1/scenarios", json={"blueprint": blueprint()})
        path = f"/api/v1/scenarios/{made.json()['id']}"
        tag = made.headers["etag"]
        assert (await it.client.patch(path, json={"name": "B"})).status_code == 428
        for wrong in ('"99"', '"abc"'):
            answer = await it.client.patch(path, json={"name": "B"}, headers={"if-match": wrong})
            assert answer.status_code == 412, answer.text
        done = await it.client.patch(path, json={"name": "B"}, headers={"if-match": tag})
        assert (done.status_code, done.json()["name"]) == (200, "B")
        stale = await it.client.patch(path, json={"name": "C"}, headers={"if-match": tag})
        assert (stale.status_code, stale.json()["error"]["code"]) == (412, "precondition_failed")
        again = await it.client.patch(path, json={"name": "C"}, headers={"if-match": "*"})
        assert again.status_code == 200
        assert again.headers["etag"] != done.headers["etag"]


@asynchronous
async def test_an_idempotency_key_gives_the_first_answer_again(api: Any) -> None:
    async with api() as it:
        key = {"idempotency-key": "one"}
        body = {"name": "a", "scopes": ["runs:read"]}
        first = await it.client.post("/api/v1/tokens", json=body, headers=key)
        second = await it.client.post("/api/v1/tokens", json=body, headers=key)
        assert first.status_code == second.status_code == 201
        assert second.content == first.content
        assert second.headers["idempotency-replayed"] == "true"
        assert "idempotency-replayed" not in first.headers
        other = await it.client.post("/api/v1/tokens", json={**body, "name": "b"}, headers=key)
        assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")
        names = [each["name"] for each in (await it.client.get("/api/v1/tokens")).json()["items"]]
        assert names.count("a") == 1
        assert "b" not in names
        async with it.core.engine.connection() as database:
            rows = await database.execute("select body from idempotency")
            stored = b"".join([bytes(row[0]) for row in await rows.fetchall()])
        assert first.json()["token"].encode() not in stored


@asynchronous
async def test_one_of_many_requests_with_a_key_does_the_work(api: Any) -> None:
    async with api() as it:
        send = [
            it.client.post(
                "/api/v1/data-stores", json={"name": "once"}, headers={"idempotency-key": "k"}
            )
            for _ in range(8)
        ]
        statuses = [answer.status_code for answer in await asyncio.gather(*send)]
        assert set(statuses) <= {201, 409}
        assert 201 in statuses
        found = (await it.client.get("/api/v1/data-stores")).json()["items"]
        assert [each["name"] for each in found].count("once") == 1


@asynchronous
async def test_lists_come_in_pages(api: Any) -> None:
    async with api() as it:
        for number in range(5):
            made = await it.client.post("/api/v1/data-stores", json={"name": f"page {number}"})
            assert made.status_code == 201
        seen: list[str] = []
        cursor: str | None = None
        while True:
            params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
            page = (await it.client.get("/api/v1/data-stores", params=params)).json()
            assert len(page["items"]) <= 2
            seen += [each["name"] for each in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        ours = [name for name in seen if name.startswith("page")]
        assert ours == [f"page {number}" for number in (4, 3, 2, 1, 0)]


@asynchronous
async def test_secrets_go_in_and_never_come_out(api: Any) -> None:
    async with api() as it:
        made = await connection(it)
        path = f"/api/v1/connections/{made.json()['id']}"
        tag = {"if-match": made.headers["etag"]}
        shown = [
            made.text,
            (await it.client.get(path)).text,
            (await it.client.get("/api/v1/connections")).text,
            (await it.client.post(f"{path}/test")).text,
        ]
        moved = await it.client.patch(path, json={"base_url": "https://evil.test"}, headers=tag)
        assert moved.status_code == 400
        unknown = await it.client.post(
            "/api/v1/connections",
            json={"connector": "toky", "values": {"api_key": SECRET, "wrong": SECRET}},
        )
        assert unknown.status_code == 400
        assert SECRET not in "".join([*shown, moved.text, unknown.text])
        used = await it.client.delete(path, headers={"if-match": "*"})
        assert used.status_code == 204


@asynchronous
async def test_a_scenario_from_blueprint_to_history(api: Any) -> None:
    async with api() as it:
        made = await it.client.post("/api/v1/scenarios", json={"blueprint": blueprint("Life")})
        path = f"/api/v1/scenarios/{made.json()['id']}"
        any_revision = {"if-match": "*"}
        exported = await it.client.get(f"{path}/blueprint")
        assert exported.json() == blueprint("Life")
        draft = await it.client.put(
            f"{path}/draft", json={"blueprint": blueprint("Life 2")}, headers=any_revision
        )
        assert (draft.status_code, draft.json()["draft"]) == (200, 2)
        versions = (await it.client.get(f"{path}/versions")).json()["items"]
        assert [each["version"] for each in versions] == [2, 1]
        assert (await it.client.get(f"{path}/versions/1")).json()["connections"] == {}
        published = await it.client.post(f"{path}/publish", headers=any_revision)
        assert published.json()["published"] == 2
        active = await it.client.post(f"{path}/activate", headers=any_revision)
        assert (active.json()["active"], active.json()["hooks"]) == (True, [])
        refused = await it.client.delete(path, headers=any_revision)
        assert refused.status_code == 409
        async with own_worker(it.core):
            started = await it.client.post(
                f"{path}/runs", params={"wait": "60"}, json={"input": {"name": "Ada"}}
            )
        assert started.status_code == 202
        assert started.json()["state"] == "finished"
        run = (await it.client.get(started.headers["location"])).json()
        assert (run["state"], run["trigger"], run["version"]) == ("finished", "manual", 2)
        assert run["actor"].startswith("token:tok_")
        operations = await it.client.get(started.headers["location"] + "/operations")
        found = operations.json()["operations"]
        assert any(bundle == {"greeting": "hello"} for each in found for bundle in each["bundles"])
        again = await it.client.post(f"/api/v1/runs/{run['id']}/retry")
        assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
        listed = (await it.client.get("/api/v1/runs", params={"state": "finished"})).json()
        assert run["id"] in [each["id"] for each in listed["items"]]
        off = await it.client.post(f"{path}/deactivate", headers=any_revision)
        assert off.json()["active"] is False
        assert (await it.client.delete(path, headers=any_revision)).status_code == 204
        assert (await it.client.get(path)).status_code == 404


@asynchronous
async def test_a_trigger_without_its_vendor_says_what_is_wrong(api: Any) -> None:
    async with api() as it:
        text = EXAMPLE.read_text()
        made = await it.client.post("/api/v1/scenarios", json={"blueprint": text})
        assert made.status_code == 201
        assert any("junctor connections add" in line for line in made.json()["missing"])
        path = f"/api/v1/scenarios/{made.json()['id']}"
        refused = await it.client.post(f"{path}/activate", headers={"if-match": "*"})
        assert refused.status_code == 400
        assert refused.json()["error"]["path"].startswith("flow")
        exported = await it.client.get(f"{path}/blueprint")
        assert exported.json() == json.loads(text)


@asynchronous
async def test_data_store_records(api: Any) -> None:
    async with api() as it:
        made = await it.client.post("/api/v1/data-stores", json={"name": "people"})
        path = f"/api/v1/data-stores/{made.json()['id']}"
        put = await it.client.put(f"{path}/records/ada", json={"age": 36})
        assert (put.status_code, put.json()["data"]) == (200, {"age": 36})
        assert (await it.client.get(f"{path}/records/ada")).json()["data"] == {"age": 36}
        assert len((await it.client.get(f"{path}/records")).json()["items"]) == 1
        assert (await it.client.delete(f"{path}/records/ada")).status_code == 204
        assert (await it.client.get(f"{path}/records/ada")).status_code == 404
        assert (await it.client.delete(path, headers={"if-match": "*"})).status_code == 204


@asynchronous
async def test_health_and_description_are_open(api: Any) -> None:
    async with api() as it:
        nobody = {"authorization": ""}
        assert (await it.client.get("/healthz", headers=nobody)).json() == {"status": "ok"}
        ready = await it.client.get("/readyz", headers=nobody)
        assert ready.status_code == 503
        assert ready.json()["checks"] == {"database": True, "migrations": True, "worker": False}
        document = (await it.client.get("/api/v1/openapi.json", headers=nobody)).json()
        assert "/api/v1/scenarios/{scenario_id}/activate" in document["paths"]


@asynchronous
async def test_another_organisation_is_as_if_it_did_not_exist(api: Any) -> None:
    async with api() as it:
        made = await connection(it, "mine")
        mine = await everything(it, made.json()["id"])
        other, _ = await it.core.catalog.create_organization("Other", actor="test")
        _, text = await it.core.catalog.create_token(
            other.organization_id, actor="test", name="o", scopes=["owner"]
        )
        theirs = {"authorization": f"Bearer {str.__str__(text)}"}
        path = f"/api/v1/connections/{made.json()['id']}"
        assert (await it.client.get(path, headers=theirs)).status_code == 404
        assert (await it.client.get("/api/v1/connections", headers=theirs)).json()["items"] == []
        gone = await it.client.delete(path, headers={**theirs, "if-match": "*"})
        assert gone.status_code == 404
        for kind in (
            "connections",
            "scenarios",
            "hooks",
            "runs",
            "data-stores",
            "data-structures",
            "variables",
        ):
            assert (await it.client.get(f"/api/v1/{kind}")).json()["items"], kind
            listed = await it.client.get(f"/api/v1/{kind}", headers=theirs)
            assert (listed.status_code, listed.json()["items"]) == (200, []), kind
        tokens = await it.client.get("/api/v1/tokens", headers=theirs)
        assert [each["name"] for each in tokens.json()["items"]] == ["o"]
        written = {**theirs, "if-match": "*"}
        for method, at, body in reaching(mine):
            answer = await it.client.request(method, at, json=body, headers=written)
            assert answer.status_code == 404, (method, at, answer.text)
            assert answer.json()["error"]["code"] == "not_found"
        for at in mine["paths"]:  # and nothing of it was changed
            assert (await it.client.get(at)).status_code == 200, at


async def everything(it: Any, connection_id: str) -> dict[str, Any]:
    """One of each resource in the first organisation: ids and paths."""
    trigger = {"id": 9, "module": "gateway:CustomWebHook", "version": 1, "mapper": {}}
    shape = blueprint("theirs not")
    shape["flow"].insert(0, trigger)
    scenario = (await it.client.post("/api/v1/scenarios", json={"blueprint": shape})).json()["id"]
    any_revision = {"if-match": "*"}
    active = await it.client.post(f"/api/v1/scenarios/{scenario}/activate", headers=any_revision)
    hook = active.json()["hooks"][0]["id"]
    async with own_worker(it.core):
        path = f"/api/v1/scenarios/{scenario}/runs"
        run = (await it.client.post(path, params={"wait": "60"}, json={})).json()["id"]
    store = (await it.client.post("/api/v1/data-stores", json={"name": "s"})).json()["id"]
    await it.client.put(f"/api/v1/data-stores/{store}/records/ada", json={"age": 36})
    structure = (await it.client.post("/api/v1/data-structures", json={"name": "s"})).json()["id"]
    found = {
        "structure_id": structure,
        "scenario_id": scenario,
        "hook_id": hook,
        "run_id": run,
        "store_id": store,
    }
    found |= {"connection_id": connection_id, "key": "ada", "version": "1"}
    variable = await it.client.post("/api/v1/variables", json={"name": "base", "value": "x"})
    found["variable_id"] = variable.json()["id"]
    channel = await it.client.post(
        "/api/v1/notification-channels", json={"name": "mail", "email": "a@example.com"}
    )
    found["channel_id"] = channel.json()["id"]
    tokens = (await it.client.get("/api/v1/tokens")).json()["items"]
    found["token_id"] = tokens[0]["id"]
    paths = [
        f"/api/v1/scenarios/{scenario}",
        f"/api/v1/connections/{connection_id}",
        f"/api/v1/hooks/{hook}",
        f"/api/v1/runs/{run}",
        f"/api/v1/data-stores/{store}/records/ada",
        f"/api/v1/variables/{found['variable_id']}",
        f"/api/v1/notification-channels/{found['channel_id']}",
        f"/api/v1/data-structures/{structure}",
        "/api/v1/organization",
    ]
    return {"ids": found, "paths": paths}


BODIES: dict[tuple[str, str], Any] = {
    ("PUT", "schedule"): {"scheduling": {"type": "on-demand"}},
    ("POST", "options"): {"module": "toky:createTextMessage", "field": "email"},
    ("PUT", "draft"): {"blueprint": blueprint()},
    ("PUT", "{key}"): {"age": 1},
    ("POST", "runs"): {"input": {}},
    ("POST", "restore"): {"version": 1},
    ("POST", "decide"): {"decision": "yes"},
    ("PATCH", "{variable_id}"): {"value": 1},
    ("PATCH", "{channel_id}"): {"enabled": False},
}
"""What a write must hold to be one; others are an empty object."""


class _Known(dict[str, str]):
    """Ids by name; of what nothing was made, one that reads like none."""

    def __missing__(self, _name: str) -> str:
        return "none_01m7zjbgsneqybx0x3bx1g0ac6"


def reaching(mine: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """Every route of the permission table that names a thing, with the first organisation's ids."""
    out = []
    for method, route in TABLE:
        if "{" not in route or "/connectors/" in route:
            continue
        last = route.rpartition("/")[2]
        body = BODIES.get((method, last), {}) if method in {"POST", "PUT", "PATCH"} else None
        out.append((method, route.format_map(_Known(mine["ids"])), body))
    return out
