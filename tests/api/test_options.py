"""Pick-lists, asked of the account."""

from __future__ import annotations

import json
from typing import Any

import pytest

from junctor.app.picking import Choice, choices
from junctor.errors import Reconnect
from junctor.language import ids
from junctor.language.connector import Request, Response
from junctor.testing.transport import FakeTransport
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
