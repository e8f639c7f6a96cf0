"""An app's address: shown with whom it feeds, changed, and told that the app was removed."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from junctor.app.oneshot import own_worker
from tests.api.test_hooks import ANY, finished, triggered
from tests.support import asynchronous

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()


async def tell(it: Any, url: str, **event: Any) -> int:
    """Sends a signed event to the address; what was answered."""
    body = msgspec.json.encode(event)
    answer = await it.client.post(
        "/hook/" + url.rpartition("/")[2],
        content=body,
        headers={"x-ghl-signature": base64.b64encode(KEY.sign(body)).decode(), "authorization": ""},
    )
    return int(answer.status_code)


async def active(it: Any, trigger: str, connection: str) -> dict[str, Any]:
    """A new active scenario with its trigger bound to a connection; the answer to activating it."""
    made = await it.client.post(
        "/api/v1/scenarios",
        json={"blueprint": triggered(trigger), "map": {"1": connection}},
    )
    assert made.status_code == 201, made.text
    path = f"/api/v1/scenarios/{made.json()['id']}"
    done = await it.client.post(f"{path}/activate", headers=ANY)
    assert done.status_code == 200, done.text
    return {**done.json(), "id": made.json()["id"]}


@asynchronous
async def test_an_app_feeds_the_scenarios_of_its_accounts(scene: Any) -> None:
    async with scene() as it:
        scenario = await active(it, "highlevel:watchContacts", it.id)
        mine = {"connection": it.id}
        shown = (await it.client.post("/api/v1/app-hooks", json=mine)).json()
        app = it.sim.client_id.partition("-")[0]
        assert (shown["app"], shown["enabled"]) == (app, True)
        assert shown["url"].startswith("https://junctor.test/hook/app-")
        assert "marketplace" in shown["help"]
        (feed,) = shown["feeds"]
        assert (feed["scenario"], feed["fed"]) == (scenario["id"], False)
        assert feed["why_not"] == "the connection is not authorised"

        assert (await it.authorize()).status_code == 200
        path = f"/api/v1/app-hooks/{shown['id']}"
        assert (await it.client.patch(path, json={"enabled": True})).status_code == 428
        bad = {"values": {"public_key": "no key"}}
        assert (await it.client.patch(path, json=bad, headers=ANY)).status_code == 422
        good = {"values": {"public_key": PUBLIC}}
        changed = await it.client.patch(path, json=good, headers=ANY)
        assert changed.json()["settings"]["public_key"] == PUBLIC
        (feed,) = changed.json()["feeds"]
        assert (feed["fed"], feed["account"]) == (True, f"location:{it.sim.location_id}")
        again = (await it.client.post("/api/v1/app-hooks", json=mine)).json()
        assert (again["id"], again["url"]) == (shown["id"], shown["url"])
        listed = (await it.client.get("/api/v1/app-hooks")).json()["items"]
        assert shown["id"] in {each["id"] for each in listed}

        event = {"appId": app, "locationId": it.sim.location_id, "webhookId": "w1"}
        assert await tell(it, shown["url"], type="ContactCreate", **event) == 200
        assert await tell(it, shown["url"], type="ContactCreate", **event) == 200
        event["webhookId"] = "w2"
        assert await tell(it, shown["url"], type="TaskCreate", **event) == 200
        assert await tell(it, shown["url"], type="TaskCreate", locationId="x", appId="y") == 401
        async with own_worker(it.core):
            runs = await finished(it, {"scenario": scenario["id"]}, 1)
        assert len(runs) == 1
        seen = (await it.client.get(path)).json()
        assert (seen["delivered"], seen["unwanted"], seen["refused"]) == (2, 1, 1)
        assert "is for the app 'y'" in seen["refused_reason"]

        assert await tell(it, shown["url"], type="UNINSTALL", **{**event, "webhookId": "w3"}) == 200
        state = await it.shown()
        assert "HighLevel says that the app was removed" in state["reconnect"]

        off = await it.client.patch(path, json={"enabled": False}, headers=ANY)
        assert off.json()["feeds"][0]["why_not"] == "the app's address is switched off"
        assert await tell(it, shown["url"], type="TaskCreate", **event) == 404
        assert (await it.client.delete(path, headers=ANY)).status_code == 204
        assert (await it.client.get(path)).status_code == 404


@asynchronous
async def test_only_a_connection_by_an_app_has_such_an_address(api: Any) -> None:
    async with api() as it:
        made = await it.client.post(
            "/api/v1/connections",
            json={
                "connector": "highlevel",
                "kind": "private_integration",
                "name": "PIT for app hooks",
                "values": {"token": "pit-1", "location_id": "L"},
            },
        )
        answer = await it.client.post("/api/v1/app-hooks", json={"connection": made.json()["id"]})
        assert 400 <= answer.status_code < 500
        assert "stands for no app of yours" in answer.json()["error"]["message"]
        none = await it.client.post(
            "/api/v1/connections",
            json={"connector": "toky", "name": "T", "values": {"api_key": "12345678"}},
        )
        answer = await it.client.post("/api/v1/app-hooks", json={"connection": none.json()["id"]})
        assert "has no address per app" in answer.json()["error"]["message"]


@asynchronous
async def test_examples_are_read_before_the_first_event(api: Any) -> None:
    async with api() as it:
        path = "/api/v1/connectors/highlevel/modules/watchTasks/examples"
        found = (await it.client.get(path)).json()["items"]
        assert [each["name"] for each in found] == ["TaskCreate", "TaskComplete", "TaskDelete"]
        assert set(found[0]["bundle"]) == set(found[0]["schema"]["properties"])
        none = await it.client.get("/api/v1/connectors/highlevel/modules/nothing/examples")
        assert none.status_code == 404
        bare = await it.client.get("/api/v1/connectors/http/modules/ActionGetFile/examples")
        assert bare.json()["items"] == []
