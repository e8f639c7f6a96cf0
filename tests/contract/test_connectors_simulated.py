"""Our connectors against the vendors' doubles, over the real transport."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from junctor.adapters.transport import AiohttpTransport
from junctor.connectors.highlevel import highlevel
from junctor.connectors.toky import toky
from junctor.errors import VendorRefused
from junctor.language.connector import Ask, Bundle, Connector, Request
from junctor.language.forms import bind, build
from junctor.runtime.effects import perform
from junctor.simulators import make
from junctor.simulators.kit import Simulator, running

Do = Callable[..., Awaitable[list[Bundle]]]


def play(name: str, connector: Connector, story: Callable[[Do, Simulator], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with running(make(name, seed=7)) as simulator:
            base = simulator.origin + simulator.prefix
            [connection] = connector.connections.values()
            account: Any = build(connection.form, simulator.credentials)
            async with AiohttpTransport([urlsplit(base).netloc]) as transport:

                async def send(request: Request | Ask, _step: int) -> Any:
                    assert isinstance(request, Request)
                    target = replace(request, url=base + request.url)
                    response = await transport.send(connection.sign(target, account))
                    if request.raises and response.status >= 400:
                        assert connector.error_text is not None
                        raise VendorRefused(
                            status=response.status, reason=connector.error_text(response)
                        )
                    return response

                async def do(module: str, **mapper: Any) -> list[Bundle]:
                    definition = connector.modules[module]
                    return await perform(definition, bind(definition, mapper, {}), send)

                test = connection.test
                assert test is not None
                request = test if isinstance(test, Request) else test(account)
                assert request is not None
                assert (await send(request, 0)).status == 200
                return await story(do, simulator)

    return asyncio.run(run())


def test_toky_contacts_and_messages() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        agents = await do("listAgents", limit=2)
        assert len(agents) == 2
        contacts = await do("listContacts", limit=15)
        assert len(contacts) == 15
        known = await do("getContact", phone=contacts[0]["phone"])
        assert known[0]["contact_name"] == contacts[0]["contact_name"]
        assert await do("getContact", phone="+15005550006") == [{}]

        agent = agents[0]["email"]
        await do("createContact", createdBy=agent, phone="+15005550006", firstName="Ada")
        await do("updateContact", phone="+15005550006", firstName="Ada", lastName="L")
        [found] = await do("getContact", phone="+1 500 555 0006")
        assert found["contact_name"] == "Ada L"

        number = agents[0]["phone_number"]
        [sent] = await do(
            "createTextMessage", **{"from": number}, to="+15005550006", text="hi", email=agent
        )
        assert sent["success"] is True
        with pytest.raises(VendorRefused, match="to is missing or not valid"):
            await do("createTextMessage", **{"from": number}, to="x", text="hi", email=agent)
        assert (await do("listTextMessages", limit=1))[0]["text"] == "hi"
        for voicemail in await do("listVoicemails", limit=1):
            assert await do("getVoicemail", voicemailId=voicemail["id"]) == [voicemail]
        [answer] = await do("makeApiCall", url="/v1/contacts", qs=[{"key": "limit", "value": 3}])
        assert answer["body"]["count"] == 3

    play("toky", toky, story)


def test_highlevel_contacts_tags_and_notes() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        [first] = await do("upsertContact", firstName="Ada", phone="(202) 555-0142", tags=["a"])
        assert first["new"] is True
        [again] = await do("upsertContact", lastName="L", phone="+12025550142")
        assert (again["new"], again["contact"]["id"]) == (False, first["contact"]["id"])
        contact = first["contact"]["id"]
        [tagged] = await do("addTags", contactId=contact, tags=["missed-call"])
        assert "missed-call" in tagged["tags"]
        [note] = await do("createNote", contactId=contact, body="Called")
        assert note["body"] == "Called"
        [found] = await do("getContact", contactId=contact)
        assert found["phone"] == "+12025550142"
        with pytest.raises(VendorRefused):
            await do("getContact", contactId="nobody")

    play("highlevel", highlevel, story)
