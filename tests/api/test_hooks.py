"""Hooks from outside: their settings and secrets, and real signed events that start runs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from junctor.app.oneshot import own_worker
from tests.support import asynchronous, shared_dir

CANARY = "canary-5f0e9d8c7b6a-signing"
ANY = {"if-match": "*"}


def triggered(trigger: str) -> dict[str, Any]:
    """A scenario that starts at a hook and keeps the event's type."""
    variables = [{"name": "type", "value": "{{1.type}}"}]
    return {
        "name": f"On {trigger}",
        "flow": [
            {"id": 1, "module": trigger, "version": 1, "parameters": {}, "mapper": {}},
            {
                "id": 2,
                "module": "util:SetVariables",
                "version": 1,
                "parameters": {},
                "mapper": {"variables": variables, "scope": "roundtrip"},
            },
        ],
        "metadata": {"version": 1},
    }


async def hook_of(it: Any, trigger: str) -> dict[str, Any]:
    """A new active scenario's hook."""
    made = await it.client.post("/api/v1/scenarios", json={"blueprint": triggered(trigger)})
    assert made.status_code == 201, made.text
    path = f"/api/v1/scenarios/{made.json()['id']}"
    active = await it.client.post(f"{path}/activate", headers=ANY)
    assert active.status_code == 200, active.text
    hook: dict[str, Any] = active.json()["hooks"][0]
    return hook


def door(hook: dict[str, Any]) -> str:
    """The path of its address."""
    return "/hook/" + str(hook["url"].rpartition("/")[2])


async def until(it: Any, hook: dict[str, Any], status: int) -> None:
    """Waits until an unsigned delivery is answered so: servers hear of a change by notification."""
    while (await it.client.post(door(hook), json={})).status_code != status:
        pass  # the suite's time limit ends what never comes


@asynchronous
async def test_settings_and_secrets_go_in_and_secrets_stay(api: Any) -> None:
    async with api() as it:
        hook = await hook_of(it, "gateway:CustomWebHook")
        path = f"/api/v1/hooks/{hook['id']}"
        assert (hook["settings"], hook["secrets"]) == ({}, [])
        values = {"signing_secret": CANARY, "method": True}
        missing = await it.client.patch(path, json={"values": values})
        assert missing.status_code == 428
        changed = await it.client.patch(
            path, json={"values": values}, headers={"if-match": f'"{hook["revision"]}"'}
        )
        assert changed.status_code == 200, changed.text
        assert changed.json()["secrets"] == ["signing_secret"]
        assert changed.json()["settings"]["method"] is True
        # What is not named stays: a second change leaves the secret alone.
        again = await it.client.patch(path, json={"values": {"headers": True}}, headers=ANY)
        assert again.json()["secrets"] == ["signing_secret"]
        assert again.json()["settings"] == {
            "headers": True,
            "learning": False,
            "method": True,
            "stringify": False,
            "validation": "off",
        }
        stale = await it.client.patch(
            path, json={"values": {"headers": False}}, headers={"if-match": '"1"'}
        )
        assert stale.status_code == 412

        body = b'{"type":"x"}'
        signature = "sha256=" + hmac.new(CANARY.encode(), body, hashlib.sha256).hexdigest()
        await until(it, hook, 401)
        signed = await it.client.post(
            door(hook), content=body, headers={"x-signature-256": signature}
        )
        assert signed.status_code == 200

        listed = await it.client.get("/api/v1/hooks")
        for answer in (changed, again, await it.client.get(path), listed):
            assert CANARY not in answer.text
        assert next(each for each in listed.json()["items"] if each["id"] == hook["id"])[
            "secrets"
        ] == ["signing_secret"]
        async with it.core.engine.connection() as database:
            rows = await database.execute(
                "select sealed, settings::text from hooks where sealed is not null"
            )
            kept = [(bytes(sealed), settings) for sealed, settings in await rows.fetchall()]
            assert kept
            for sealed, settings in kept:
                assert CANARY.encode() not in sealed
                assert CANARY not in settings
            audited = await database.execute("select details::text from audit")
            assert all(CANARY not in row[0] for row in await audited.fetchall())

        cleared = await it.client.patch(
            path, json={"values": {"signing_secret": None}}, headers=ANY
        )
        assert cleared.json()["secrets"] == []
        await until(it, hook, 200)


@pytest.mark.parametrize(
    ("trigger", "values", "said"),
    [
        ("gateway:CustomWebHook", {"colour": "red"}, "no field 'colour'"),
        ("gateway:CustomWebHook", {"api_key": "short"}, "at least 8"),
        ("highlevel:watchEvents", {"public_key": "not a key"}, "PEM"),
    ],
)
def test_a_setting_that_could_not_work_is_refused(
    api: Any, trigger: str, values: dict[str, Any], said: str
) -> None:
    @asynchronous
    async def check() -> None:
        async with api() as it:
            hook = await hook_of(it, trigger)
            answer = await it.client.patch(
                f"/api/v1/hooks/{hook['id']}", json={"values": values}, headers=ANY
            )
            assert 400 <= answer.status_code < 500
            assert said in answer.json()["error"]["message"]
            assert "short" not in answer.text

    check()


@asynchronous
async def test_a_disabled_hook_is_not_there(api: Any) -> None:
    async with api() as it:
        hook = await hook_of(it, "gateway:CustomWebHook")
        assert (await it.client.post(door(hook), json={})).status_code == 200
        off = await it.client.patch(
            f"/api/v1/hooks/{hook['id']}", json={"enabled": False}, headers=ANY
        )
        assert off.json()["enabled"] is False
        await until(it, hook, 404)


@asynchronous
async def test_published_highlevel_events_start_runs(api: Any) -> None:
    published = json.loads(shared_dir("specs", "highlevel", "webhook_events.json").read_text())
    samples = [
        example
        for name in ("ContactCreate", "ContactUpdate", "NoteCreate", "InboundMessage")
        for example in published[name]["examples"]
    ]
    assert len(samples) >= 4
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    async with api() as it:
        hook = await hook_of(it, "highlevel:watchEvents")
        types = sorted({sample["type"] for sample in samples})
        values = {"public_key": base64.b64encode(public).decode(), "types": types}
        settled = await it.client.patch(
            f"/api/v1/hooks/{hook['id']}", json={"values": values}, headers=ANY
        )
        assert settled.status_code == 200, settled.text

        async def post(body: bytes, **headers: str) -> int:
            answer = await it.client.post(
                door(hook), content=body, headers={"content-type": "application/json", **headers}
            )
            return int(answer.status_code)

        def signed(body: bytes) -> dict[str, str]:
            return {"x-ghl-signature": base64.b64encode(key.sign(body)).decode()}

        bodies = [json.dumps(sample).encode() for sample in samples]
        await until(it, hook, 401)
        before = (await it.client.get(f"/api/v1/hooks/{hook['id']}")).json()["refused"]
        for body in bodies:
            assert await post(body) == 401
            assert await post(body, **signed(body + b" ")) == 401
            assert await post(body, **{"x-ghl-signature": "nonsense"}) == 401
            stranger = base64.b64encode(Ed25519PrivateKey.generate().sign(body)).decode()
            assert await post(body, **{"x-ghl-signature": stranger}) == 401
        scenario = {"scenario": hook["scenario"], "limit": "200"}
        assert (await it.client.get("/api/v1/runs", params=scenario)).json()["items"] == []
        for body in bodies:
            assert await post(body, **signed(body)) == 200
        refused = (await it.client.get(f"/api/v1/hooks/{hook['id']}")).json()["refused"]
        assert refused - before == 4 * len(bodies)

        # Events with one webhookId are one event, so they start one run.
        wanted = len({sample.get("webhookId") or number for number, sample in enumerate(samples)})
        async with own_worker(it.core):
            runs = await finished(it, scenario, wanted)
        assert len(runs) == wanted
        seen = set()
        for run in runs:
            done = (await it.client.get(f"/api/v1/runs/{run['id']}/operations")).json()
            seen |= {
                bundle["type"]
                for each in done["operations"]
                for bundle in each["bundles"]
                if set(bundle) == {"type"}
            }
        assert seen == {sample["type"] for sample in samples}


async def finished(it: Any, scenario: dict[str, str], wanted: int) -> list[dict[str, Any]]:
    """The scenario's finished runs, once there are as many."""
    while True:  # the suite's time limit ends what never comes
        runs = (await it.client.get("/api/v1/runs", params=scenario)).json()["items"]
        done = [run for run in runs if run["state"] == "finished"]
        if len(done) >= wanted:
            return done


@asynchronous
async def test_a_hook_learns_the_structure_of_the_next_delivery_and_heeds_it(api: Any) -> None:
    async with api() as it:
        hook = await hook_of(it, "gateway:CustomWebHook")
        path = f"/api/v1/hooks/{hook['id']}"
        for verb, learning in (("post", True), ("delete", False), ("post", True)):
            told = await getattr(it.client, verb)(f"{path}/learn")
            assert told.status_code == 200, told.text
            assert told.json()["settings"]["learning"] is learning
        body = {"type": "x", "who": {"name": "A"}}
        found: dict[str, Any] = {}
        while not found.get("structure"):  # servers hear of a change by notification
            assert (await it.client.post(door(hook), json=body)).status_code == 200
            found = (await it.client.get(path)).json()["settings"]
        assert found["learning"] is False
        name = {"name": "name", "label": "name", "type": "text"}
        assert found["structure"] == [
            {"name": "type", "label": "type", "type": "text"},
            {"name": "who", "label": "who", "type": "collection", "spec": [name]},
        ]
        # The next one is no lesson any more.
        assert (await it.client.post(door(hook), json={"other": 1})).status_code == 200
        again = (await it.client.get(path)).json()["settings"]
        assert again["structure"] == found["structure"]

        strict = await it.client.patch(path, json={"values": {"validation": "strict"}}, headers=ANY)
        assert strict.status_code == 200, strict.text
        while (await it.client.post(door(hook), json={"other": 1})).status_code != 400:
            pass
        refused = await it.client.post(door(hook), json={"type": "x", "other": 1})
        assert refused.status_code == 400
        assert "other" in refused.text
        assert (await it.client.post(door(hook), json=body)).status_code == 200
        unread = await it.client.post(
            door(hook), content=b"{", headers={"content-type": "application/json"}
        )
        assert unread.status_code == 400


@asynchronous
async def test_a_vendors_hook_learns_nothing(api: Any) -> None:
    async with api() as it:
        hook = await hook_of(it, "highlevel:watchEvents")
        refused = await it.client.post(f"/api/v1/hooks/{hook['id']}/learn")
        assert refused.status_code == 400
        assert "structure of its own" in refused.text


@asynchronous
async def test_a_scenario_that_is_not_deleted_keeps_its_hooks(api: Any) -> None:
    async with api() as it:
        hook = await hook_of(it, "gateway:CustomWebHook")
        path = f"/api/v1/scenarios/{hook['scenario']}"
        off = await it.client.post(f"{path}/deactivate", headers=ANY)
        read = off.headers["etag"]
        changed = await it.client.patch(
            path, json={"name": "Meanwhile"}, headers={"if-match": read}
        )
        assert changed.status_code == 200, changed.text
        refused = await it.client.delete(path, headers={"if-match": read})
        assert refused.status_code == 412, refused.text
        assert (await it.client.get(f"/api/v1/hooks/{hook['id']}")).status_code == 200
        gone = await it.client.delete(path, headers={"if-match": changed.headers["etag"]})
        assert gone.status_code == 204, gone.text
        assert (await it.client.get(f"/api/v1/hooks/{hook['id']}")).status_code == 404
