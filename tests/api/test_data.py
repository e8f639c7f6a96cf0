"""Data stores and data structures, as the API gives them."""

from __future__ import annotations

from typing import Any

from tests.support import asynchronous

SPEC = [
    {"name": "name", "type": "text", "required": True},
    {"name": "born", "type": "date"},
    {"name": "tags", "type": "array", "spec": {"type": "text"}},
]


async def structure(it: Any, **more: Any) -> Any:
    body = {"name": "person", "spec": SPEC, **more}
    return await it.client.post("/api/v1/data-structures", json=body)


@asynchronous
async def test_a_structure_is_made_changed_and_removed(api: Any) -> None:
    async with api() as it:
        made = await structure(it)
        assert (made.status_code, made.headers["etag"]) == (201, '"1"')
        assert (made.json()["spec"], made.json()["strict"]) == (SPEC, False)
        path = f"/api/v1/data-structures/{made.json()['id']}"
        assert (await it.client.patch(path, json={"strict": True})).status_code == 428
        changed = await it.client.patch(path, json={"strict": True}, headers={"if-match": '"1"'})
        assert (changed.json()["strict"], changed.json()["spec"]) == (True, SPEC)
        late = await it.client.patch(path, json={"name": "x"}, headers={"if-match": '"1"'})
        assert late.status_code == 412
        assert (await it.client.get(path)).headers["etag"] == '"2"'
        listed = (await it.client.get("/api/v1/data-structures")).json()["items"]
        assert [each["name"] for each in listed] == ["person"]
        assert (await it.client.delete(path, headers={"if-match": '"1"'})).status_code == 412
        assert (await it.client.delete(path, headers={"if-match": '"2"'})).status_code == 204
        assert (await it.client.get(path)).status_code == 404


@asynchronous
async def test_a_structure_that_makes_no_sense_says_where(api: Any) -> None:
    async with api() as it:
        for spec, path in (
            ([{"type": "text"}], "spec[0].name"),
            ([{"name": "a"}, {"name": "a"}], "spec[1]"),
            ([{"name": "a", "type": "collection", "spec": [{}]}], "spec[0].spec[0].name"),
            ([{"name": "a", "type": "array", "spec": 7}], "spec[0].spec"),
        ):
            refused = await structure(it, spec=spec)
            assert refused.status_code == 400, spec
            assert refused.json()["error"]["path"] == path
        assert (await structure(it, name=" ")).status_code == 400


@asynchronous
async def test_records_must_fit_their_stores_structure(api: Any) -> None:
    async with api() as it:
        shape = (await structure(it, strict=True)).json()["id"]
        body = {"name": "people", "structure_id": shape}
        made = await it.client.post("/api/v1/data-stores", json=body)
        assert made.json()["structure_id"] == shape
        path = f"/api/v1/data-stores/{made.json()['id']}"
        record = {"name": 5, "born": "2026-01-02", "tags": "a"}
        put = await it.client.put(f"{path}/records/ada", json=record)
        wanted = {"name": "5", "born": "2026-01-02T00:00:00.000Z", "tags": ["a"]}
        assert (put.status_code, put.json()["data"]) == (200, wanted)
        for wrong, names in (({}, "name"), ({"name": "A", "age": 1}, "age")):
            refused = await it.client.put(f"{path}/records/ada", json=wrong)
            assert refused.status_code == 422
            assert f"'{names}'" in refused.json()["error"]["message"]
        assert (await it.client.get(f"{path}/records/ada")).json()["data"] == wanted

        used = await it.client.delete(f"/api/v1/data-structures/{shape}", headers={"if-match": "*"})
        assert used.status_code == 409
        assert "the data store 'people'" in used.json()["error"]["message"]
        free = await it.client.patch(path, json={"structure_id": None}, headers={"if-match": '"1"'})
        assert (free.status_code, free.json()["structure_id"]) == (200, None)
        assert (await it.client.put(f"{path}/records/bob", json={"x": 1})).status_code == 200
        named = await it.client.patch(path, json={"name": "folk"}, headers={"if-match": '"2"'})
        assert (named.json()["name"], named.json()["structure_id"]) == ("folk", None)


@asynchronous
async def test_values_that_json_lacks_come_in_with_their_type(api: Any) -> None:
    async with api() as it:
        made = await it.client.post("/api/v1/data-stores", json={"name": "typed"})
        path = f"/api/v1/data-stores/{made.json()['id']}/records/a"
        body = {"at": {"$date": "2026-01-02T03:04:05.000Z"}, "file": {"$buffer": "/w=="}}
        put = await it.client.put(path, json=body)
        assert put.json()["data"] == {"at": "2026-01-02T03:04:05.000Z", "file": "/w=="}
        kept = await it.core.catalog.record(
            it.organization_id, (await it.core.catalog.stores(it.organization_id)).items[0].id, "a"
        )
        assert kept.data == body


@asynchronous
async def test_a_store_is_emptied_and_one_in_use_stays(api: Any) -> None:
    async with api() as it:
        made = (await it.client.post("/api/v1/data-stores", json={"name": "full"})).json()
        path = f"/api/v1/data-stores/{made['id']}"
        for key in ("a", "b"):
            await it.client.put(f"{path}/records/{key}", json={})
        assert (await it.client.delete(f"{path}/records")).status_code == 204
        assert (await it.client.get(f"{path}/records")).json()["items"] == []
        store = (await it.core.catalog.stores(it.organization_id)).items[0]
        await it.core.catalog.create_scenario(
            it.organization_id,
            actor="test",
            name="uses it",
            blueprint="{}",
            bindings={"stores": {"2": str(store.id)}},
        )
        refused = await it.client.delete(path, headers={"if-match": "*"})
        assert refused.status_code == 409
        assert "the scenario 'uses it'" in refused.json()["error"]["message"]


@asynchronous
async def test_a_store_cannot_take_a_structure_that_is_not_there(api: Any) -> None:
    async with api() as it:
        lost = "str_" + "0" * 26
        made = await it.client.post("/api/v1/data-stores", json={"name": "s", "structure_id": lost})
        assert made.status_code == 404
