"""Importing blueprints: what is mapped, what is made, what is refused; all of it or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from junctor.app import scenarios as service
from junctor.app.activation import activate
from junctor.errors import Conflict
from junctor.language import ids
from tests.api.shapes import bad_blueprints, blueprint
from tests.support import asynchronous

RUNS = {"dangling reference", "handlers in handlers"}
"""What Make would run as well: a mapping from nowhere is empty."""

FIELDS = [{"name": "name", "type": "text"}, {"name": "age", "type": "number"}]


def toky(number: int, label: str = "My Toky") -> dict[str, Any]:
    return {
        "id": number,
        "module": "toky:listAgents",
        "version": 1,
        "parameters": {"__IMTCONN__": 4711},
        "mapper": {},
        "metadata": {
            "restore": {"parameters": {"__IMTCONN__": {"label": label}}},
            "parameters": [{"name": "__IMTCONN__", "type": "account:toky", "required": True}],
        },
    }


def parse(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "module": "json:ParseJSON",
        "version": 1,
        "parameters": {"type": 815},
        "mapper": {"json": '{"name": "x"}'},
        "metadata": {
            "restore": {"parameters": {"type": {"label": "Person"}}},
            "parameters": [{"name": "type", "type": "udt"}],
            "interface": FIELDS,
        },
    }


def shape(name: str = "Mapped") -> dict[str, Any]:
    return {"name": name, "flow": [toky(1), parse(2), toky(3)], "metadata": {"version": 1}}


async def connection(it: Any, name: str) -> str:
    answer = await it.client.post(
        "/api/v1/connections",
        json={"connector": "toky", "name": name, "values": {"api_key": "k" * 20}},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def count(it: Any) -> tuple[int, ...]:
    """How many of each thing that an import can make."""
    catalog, org = it.core.catalog, it.organization_id
    pages = (catalog.scenarios, catalog.stores, catalog.structures, catalog.hooks)
    return tuple([len((await page(org, limit=200)).items) for page in pages])


@asynchronous
async def test_requirements_are_listed_mapped_and_changed(api: Any) -> None:
    async with api() as it:
        first, second = await connection(it, "First"), await connection(it, "Second")
        made = await it.client.post(
            "/api/v1/scenarios",
            json={"blueprint": shape(), "map": {"My Toky": "Second"}, "create": True},
        )
        assert made.status_code == 201, made.text
        wanted = {each["kind"]: each for each in made.json()["requirements"]}
        assert wanted["connection"]["chosen"]["id"] == second
        assert wanted["connection"]["modules"] == [1, 3]
        assert {each["name"] for each in wanted["connection"]["candidates"]} >= {"First", "Second"}
        assert wanted["structure"]["create"] == "Person"
        assert made.json()["missing"] == []
        structures = await it.core.catalog.structures(it.organization_id)
        assert [(each.name, each.spec) for each in structures.items] == [("Person", FIELDS)]
        path = f"/api/v1/scenarios/{made.json()['id']}"
        version = (await it.client.get(f"{path}/versions/1")).json()
        assert version["connections"] == {"1": second, "3": second}
        structure = ids.show("str", structures.items[0].id)
        assert version["bindings"]["structures"] == {"2": structure}
        saved = await it.client.put(
            f"{path}/draft", json={"map": {"3": first}}, headers={"if-match": "*"}
        )
        assert saved.status_code == 200, saved.text
        version = (await it.client.get(f"{path}/versions/2")).json()
        assert version["connections"] == {"1": second, "3": first}
        assert version["bindings"]["structures"] == {"2": structure}
        listed = await it.client.get(f"{path}/requirements")
        chosen = [each["chosen"] and each["chosen"]["name"] for each in listed.json()["items"]]
        assert sorted(chosen) == ["First", "Person", "Second"]


@asynchronous
async def test_what_is_not_mapped_can_not_be_activated(api: Any) -> None:
    async with api() as it:
        made = await it.client.post(
            "/api/v1/scenarios", json={"blueprint": shape("Open"), "map": {"My Toky": ""}}
        )
        path = f"/api/v1/scenarios/{made.json()['id']}"
        (line,) = made.json()["missing"]
        assert "Modules 1, 3 (toky:listAgents) need a connection of 'toky'" in line
        refused = await it.client.post(f"{path}/activate", headers={"if-match": "*"})
        assert refused.status_code == 400
        error = refused.json()["error"]
        assert "junctor scenarios bind Open --map 1=NAME" in error["message"]
        assert len(error["params"]["missing"]) == 1


@asynchronous
async def test_a_hook_that_exists_is_taken_over(api: Any) -> None:
    async with api() as it:
        trigger = {"id": 1, "module": "gateway:CustomWebHook", "version": 1, "mapper": {}}
        document = {"name": "Hooked", "flow": [trigger], "metadata": {"version": 1}}
        hook = await it.core.catalog.create_hook(
            it.organization_id, actor="t", name="Old", connector="gateway", kind="CustomWebHook"
        )
        made = await it.client.post(
            "/api/v1/scenarios", json={"blueprint": document, "map": {"hook": "Old"}}
        )
        assert made.status_code == 201, made.text
        bound = await it.core.catalog.hook(it.organization_id, hook.id)
        assert ids.show("scn", bound.scenario_id) == made.json()["id"]
        again = await it.client.post(
            "/api/v1/scenarios", json={"blueprint": document, "map": {"hook": "Old"}}
        )
        assert again.status_code == 404


def hooked(module: int = 1) -> dict[str, Any]:
    trigger = {"id": module, "module": "gateway:CustomWebHook", "version": 1, "mapper": {}}
    return {"name": "Hooked", "flow": [trigger], "metadata": {"version": 1}}


async def another_hook(it: Any) -> Any:
    return await it.core.catalog.create_hook(
        it.organization_id, actor="t", name="Old", connector="gateway", kind="CustomWebHook"
    )


@asynchronous
async def test_a_hook_moves_as_the_draft_goes_live_and_not_before(api: Any) -> None:
    async with api() as it:
        made = await it.client.post("/api/v1/scenarios", json={"blueprint": hooked()})
        path = f"/api/v1/scenarios/{made.json()['id']}"
        live = await it.client.post(f"{path}/activate", headers={"if-match": "*"})
        (own,) = live.json()["hooks"]
        hook = await another_hook(it)
        saved = await it.client.put(
            f"{path}/draft",
            json={"blueprint": hooked(7), "map": {"hook": "Old"}},
            headers={"if-match": "*"},
        )
        assert saved.status_code == 200, saved.text
        bound = await it.core.catalog.hook(it.organization_id, hook.id)
        assert (bound.scenario_id, bound.module) == (None, None)
        live = await it.client.post(f"{path}/activate", headers={"if-match": "*"})
        assert [each["name"] for each in live.json()["hooks"]] == ["Old"]
        bound = await it.core.catalog.hook(it.organization_id, hook.id)
        assert (ids.show("scn", bound.scenario_id), bound.module) == (made.json()["id"], 7)
        assert own["id"] != ids.show("hok", hook.id)


@asynchronous
async def test_a_hook_that_another_scenario_took_meanwhile_is_not_taken_back(api: Any) -> None:
    async with api() as it:
        made = await it.client.post("/api/v1/scenarios", json={"blueprint": hooked()})
        path = f"/api/v1/scenarios/{made.json()['id']}"
        await another_hook(it)
        mapping = {"map": {"hook": "Old"}}
        await it.client.put(f"{path}/draft", json=mapping, headers={"if-match": "*"})
        other = await it.client.post("/api/v1/scenarios", json={"blueprint": hooked(), **mapping})
        assert other.status_code == 201, other.text
        refused = await it.client.post(f"{path}/activate", headers={"if-match": "*"})
        assert refused.status_code == 400
        assert "feeds another scenario" in refused.json()["error"]["message"]
        assert (await it.client.get(path)).json()["published"] is None


@asynchronous
async def test_a_draft_that_nobody_looked_at_does_not_go_live(api: Any) -> None:
    async with api() as it:
        made = await it.client.post("/api/v1/scenarios", json={"blueprint": hooked()})
        scenario = await it.core.catalog.scenario(
            it.organization_id, ids.read("scn", made.json()["id"])
        )
        await it.core.catalog.save_draft(
            it.organization_id, scenario.id, actor="t", blueprint="{}", bindings={}
        )
        with pytest.raises(Conflict):
            await activate(it.core, scenario, actor="t")
        after = await it.core.catalog.scenario(it.organization_id, scenario.id)
        assert (after.published, after.active) == (None, False)


@asynchronous
async def test_who_may_not_make_data_stores_makes_none_by_importing(api: Any) -> None:
    async with api() as it:
        weak = await it.token_with("scenarios:write", "data-stores:write")
        able = await it.token_with("scenarios:write", "data-structures:write")
        before = await count(it)
        body: dict[str, Any] = {"blueprint": shape(), "map": {"My Toky": "", "2": "new"}}
        refused = await it.client.post("/api/v1/scenarios", json=body, headers=weak)
        assert refused.status_code == 403, refused.text
        assert "data-structures:write" in refused.json()["error"]["message"]
        assert await count(it) == before
        body = {"blueprint": shape(), "map": {"My Toky": "", "2": ""}, "create": True}
        made = await it.client.post("/api/v1/scenarios", json=body, headers=weak)
        assert made.status_code == 201, made.text
        path = f"/api/v1/scenarios/{made.json()['id']}/draft"
        change = {"map": {"2": "new"}}
        refused = await it.client.put(path, json=change, headers={**weak, "if-match": "*"})
        assert refused.status_code == 403, refused.text
        saved = await it.client.put(path, json=change, headers={**able, "if-match": "*"})
        assert saved.status_code == 200, saved.text


@asynchronous
async def test_an_import_that_fails_leaves_nothing(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api() as it:
        before = await count(it)

        async def fails(*_args: Any, **_rest: Any) -> None:
            raise RuntimeError("the power went out")

        monkeypatch.setattr(service, "_take_hooks", fails)
        answer = await it.client.post(
            "/api/v1/scenarios", json={"blueprint": shape("Gone"), "create": True}
        )
        assert answer.status_code == 500
        assert await count(it) == before
        wrong = await it.client.post(
            "/api/v1/scenarios",
            json={"blueprint": shape("Gone"), "create": True, "map": {"nothing": "x"}},
        )
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "misconfigured")
        assert "Nothing here answers to 'nothing'" in wrong.json()["error"]["message"]
        assert await count(it) == before


@pytest.mark.parametrize("name", bad_blueprints())
@asynchronous
async def test_bad_blueprints_get_a_report(api: Any, name: str) -> None:
    data, said = bad_blueprints()[name]
    async with api() as it:
        before = await count(it)
        bodies = [b'{"blueprint": ' + data + b"}"]
        if len(data) < 1_000_000:
            bodies.append(json.dumps({"blueprint": data.decode("latin-1")}).encode())
        for body in bodies:
            answer = await it.client.post(
                "/api/v1/scenarios", content=body, headers={"content-type": "application/json"}
            )
            if said is None:
                assert answer.status_code == 201, answer.text[:500]
                found = [p for p in answer.json()["problems"] if p["severity"] == "error"]
                assert found, name
                assert all(problem["path"].startswith("$") for problem in found)
                path = f"/api/v1/scenarios/{answer.json()['id']}"
                started = await it.client.post(f"{path}/activate", headers={"if-match": "*"})
                if name not in RUNS:
                    assert 400 <= started.status_code < 500, started.text[:500]
                await it.client.post(f"{path}/deactivate", headers={"if-match": "*"})
                gone = await it.client.delete(path, headers={"if-match": "*"})
                assert gone.status_code == 204
            else:
                assert 400 <= answer.status_code < 500, answer.text[:500]
                assert answer.json()["error"]["message"]
            assert await count(it) == before


@asynchronous
async def test_numbers_keep_their_spelling(api: Any) -> None:
    async with api() as it:
        text = json.dumps(blueprint("Numbers")).replace('"version": 1', '"version": 1.0', 1)
        text = text.replace('"parameters": {}', '"parameters": {"n": 1e5, "m": 1.10}')
        made = await it.client.post(
            "/api/v1/scenarios",
            content=f'{{"blueprint": {text}}}'.encode(),
            headers={"content-type": "application/json"},
        )
        assert made.status_code == 201, made.text
        out = (await it.client.get(f"/api/v1/scenarios/{made.json()['id']}/blueprint")).text
        assert "1e5" in out
        assert "1.10" in out
        assert json.loads(out) == json.loads(text)
