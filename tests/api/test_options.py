"""Pick-lists, asked of the account."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from junctor.app.picking import Choice, choices
from junctor.errors import Reconnect
from junctor.language import ids
from junctor.language.connector import Request, Response
from junctor.testing.transport import FakeTransport
from tests.durability import kit
from tests.integration.runtime.door import SET, WEBHOOK, flow
from tests.support import asynchronous

AGENTS = {
    "results": [
        {"fullname": "Ada", "email": "ada@example.com"},
        {"fullname": "", "email": "bob@example.com"},
    ]
}


def answering(it: Any, body: Any, status: int = 200) -> FakeTransport:
    """Puts a vendor that always says this in the place of the network."""

    def handler(_request: Request) -> Response:
        return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())

    transport = FakeTransport(handler)
    it.core.accounts._transport = transport
    return transport


async def connected(it: Any, name: str) -> str:
    made = await it.client.post(
        "/api/v1/connections",
        json={"connector": "toky", "name": name, "values": {"api_key": "k" * 12}},
    )
    assert made.status_code == 201, made.text
    found: str = made.json()["id"]
    return found


async def chosen(it: Any, connection: str) -> list[Choice]:
    return await choices(
        it.core,
        it.organization_id,
        "toky:createTextMessage",
        "email",
        connection_id=ids.read("con", connection),
    )


@asynchronous
async def test_a_pick_list_comes_from_the_account(api: Any) -> None:
    async with api() as it:
        connection = await connected(it, "picks")
        transport = answering(it, AGENTS)
        assert await chosen(it, connection) == [
            Choice("ada@example.com", "Ada"),
            Choice("bob@example.com", "bob@example.com"),
        ]
        assert transport.sent[0].url.endswith("/agents")
        answering(it, {"message": "no such key"}, 401)
        with pytest.raises(Reconnect, match="no such key"):
            await chosen(it, connection)


@asynchronous
async def test_what_has_no_pick_list_says_so(api: Any) -> None:
    async with api() as it:
        path = f"/api/v1/connections/{await connected(it, 'none')}/options"
        for module, field, status, said in (
            ("toky:nothing", "email", 404, "toky:nothing"),
            ("toky:createTextMessage", "colour", 404, "It has:"),
            ("toky:createTextMessage", "text", 400, "type a value"),
        ):
            refused = await it.client.post(path, json={"module": module, "field": field})
            assert refused.status_code == status, refused.text
            assert said in refused.json()["error"]["message"]


@asynchronous
async def test_hooks_to_wait_for_are_listed_by_name_without_any_account(
    api: Any, database_url: str
) -> None:
    async with api() as it:
        made = (("Replies", "Support", True), ("Off", "Nobody", False), ("Calls", "Office", True))
        with psycopg.connect(database_url, autocommit=True) as db:
            for name, scenario, active in made:
                planted = kit.plant(database_url, flow(WEBHOOK, SET), it.organization_id)
                db.execute("update scenarios set name = %s, active = %s where id = %s",
                           (scenario, active, planted))  # fmt: skip
                db.execute(
                    "insert into hooks (organization_id, id, team_id, scenario_id, module, name,"
                    " connector, kind, token, created_by, updated_by) select organization_id, %s,"
                    " team_id, id, 1, %s, 'gateway', 'CustomWebHook', %s, 't', 't'"
                    " from scenarios where id = %s",
                    (kit.new_id(), name, kit.new_id().hex, planted),
                )
        path = "/api/v1/connectors/wait/options"
        asked = {"module": "wait:Delivery", "field": "hook"}
        said = await it.client.post(path, json=asked)
        assert said.status_code == 200, said.text
        listed = said.json()["options"]
        assert [each["label"] for each in listed] == ["Calls (Office)", "Replies (Support)"]
        assert all(each["value"].startswith("hok_") for each in listed)
        for body, status, words in (
            ({"module": "toky:createTextMessage", "field": "email"}, 404, "no module of 'wait'"),
            ({"module": "wait:Delivery", "field": "limit"}, 400, "type a value"),
        ):
            refused = await it.client.post(path, json=body)
            assert refused.status_code == status, refused.text
            assert words in refused.json()["error"]["message"]
        needs = await it.client.post(
            "/api/v1/connectors/toky/options",
            json={"module": "toky:createTextMessage", "field": "email"},
        )
        assert "needs a connection of 'toky'" in needs.json()["error"]["message"]
        reader = await it.token_with("hooks:read")
        assert (await it.client.post(path, json=asked, headers=reader)).status_code == 403
