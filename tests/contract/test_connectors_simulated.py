"""Our connectors against the vendors' doubles, over the real transport."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from junctor.adapters.transport import AiohttpTransport
from junctor.connectors.crisp import crisp
from junctor.connectors.highlevel import highlevel
from junctor.connectors.signalwire import signalwire
from junctor.connectors.toky import toky
from junctor.errors import VendorRefused
from junctor.language.connector import (
    Ask,
    Bundle,
    Connector,
    Delivery,
    HookDef,
    Request,
)
from junctor.language.forms import bind, build, slots_of
from junctor.runtime.accounts import absolute
from junctor.runtime.effects import perform
from junctor.simulators import make, toky_calls
from junctor.simulators.kit import Simulator, running
from junctor.simulators.signalwire import SignalWireSimulator
from junctor.simulators.toky import EVENTS, TokySimulator

Do = Callable[..., Awaitable[list[Bundle]]]


def play(name: str, connector: Connector, story: Callable[[Do, Simulator], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with running(make(name, seed=7)) as simulator:
            base = simulator.origin + simulator.prefix
            connection, *_ = connector.connections.values()
            known = {slot.key for slot in slots_of(connection.form)}
            given = {key: text for key, text in simulator.credentials.items() if key in known}
            account: Any = build(connection.form, given)
            async with AiohttpTransport([urlsplit(base).netloc]) as transport:

                async def send(request: Request | Ask, _step: int) -> Any:
                    assert isinstance(request, Request)
                    target = absolute(request, base)
                    response = await transport.send(connection.sign(target, account))
                    if request.raises and response.status >= 400:
                        assert connector.error_text is not None
                        raise VendorRefused(
                            status=response.status, reason=connector.error_text(response)
                        )
                    return response

                async def do(module: str, /, **mapper: Any) -> list[Bundle]:
                    definition = connector.modules[module]
                    since = mapper.pop("since", None)
                    return await perform(
                        definition, bind(definition, mapper, {}), send, since=since
                    )

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
            [heard] = await do("getVoicemail", voicemailId=voicemail["id"])
            assert heard == {**voicemail, "recording_url": voicemail["record_url"]}
        for call in await do("listCalls", limit=1, dateFrom="2026-01-01"):
            [recording] = await do("getRecording", callId=call["callid"])
            assert recording["recording_url"]
        [answer] = await do("makeApiCall", url="/v1/contacts", qs=[{"key": "limit", "value": 3}])
        assert answer["body"]["count"] == 3

    play("toky", toky, story)


def test_what_toky_missed_has_the_keys_of_what_it_sends() -> None:
    """Every event that the double sends is found again by its trigger's backfill, alike."""

    async def story(_do: Do, simulator: Simulator) -> None:
        assert isinstance(simulator, TokySimulator)
        sent: dict[str, list[dict[str, Any]]] = {}

        def emit(event: str, _key: str, payload: dict[str, Any]) -> int:
            sent.setdefault(event, []).append(payload)
            return 0

        simulator.emit = emit  # type: ignore[assignment,method-assign]  # heard here, not over the network
        since = simulator.clock.date()
        toky_calls.simulate(simulator, toky_calls.CallsBody(count=12))
        toky_calls.simulate(simulator, toky_calls.CallsBody(count=6, direction="outbound"))
        for text in ("a", "b"):
            toky_calls.receive_sms(simulator, toky_calls.SmsBody(from_="+12025550143", text=text))
        hooks = [each.hook for each in toky.modules.values() if each.hook is not None]
        assert {each.register.event for each in hooks if each.register} == set(EVENTS)
        for hook in hooks:
            assert hook.register is not None
            assert hook.backfill is not None
            found = await answered(toky, simulator, hook.backfill(since, {}))
            told = sent[hook.register.event]
            assert len(told) > 1
            assert Counter(_key(hook, each.body) for each in found) == Counter(
                _key(hook, payload) for payload in told
            )
            by_key = {_key(hook, payload): payload for payload in told}
            for each in found:
                told_so = by_key[_key(hook, each.body)]
                assert set(each.body) >= set(told_so)
                same = {"callid", "direction", "state", "from_number", "to_number", "duration"}
                for name in same & set(told_so):
                    assert each.body[name] == told_so[name], name

    play("toky", toky, story)


def _key(hook: HookDef, payload: Any) -> str | None:
    body = msgspec.json.encode(payload)
    return hook.dedup(
        Delivery(
            id="",
            method="POST",
            query=(),
            headers={"content-type": "application/json"},
            body=body,
            received_at=datetime.now(UTC),
        )
    )


async def answered(connector: Connector, simulator: Simulator, flow: Any) -> Any:
    """What a probe or a backfill finds at the double."""
    base = simulator.origin + simulator.prefix
    connection, *_ = connector.connections.values()
    known = {slot.key for slot in slots_of(connection.form)}
    given = {key: text for key, text in simulator.credentials.items() if key in known}
    account: Any = build(connection.form, given)
    async with AiohttpTransport([urlsplit(base).netloc]) as transport:
        try:
            request = next(flow)
            while True:
                target = absolute(request, base)
                response = await transport.send(connection.sign(target, account))
                if request.raises and response.status >= 400:
                    assert connector.error_text is not None
                    raise VendorRefused(
                        status=response.status, reason=connector.error_text(response)
                    )
                request = flow.send(response)
        except StopIteration as stop:
            return stop.value


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


def test_crisp_conversations_and_messages() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        [started] = await do(
            "startConversation", text="Hello", nickname="Ada", email="ada@example.com"
        )
        session = started["session_id"]
        [found] = await do("searchConversations", search_query="ada@example.com")
        assert (found["session_id"], found["meta"]["nickname"]) == (session, "Ada")
        for number in range(45):
            await do("sendMessage", session_id=session, content=f"{number}", fingerprint=number + 1)
        rows = await do("listMessages", session_id=session, limit=30)
        assert [row["content"] for row in rows] == [str(number) for number in range(15, 45)]
        assert len(await do("listMessages", session_id=session, limit=1000)) == 46
        older = await do("listMessages", session_id=session, before=rows[0]["timestamp"], limit=2)
        assert [row["content"] for row in older] == ["13", "14"]

        [one] = await do("getMessage", session_id=session, fingerprint=45)
        assert one["from"] == "operator"
        await do("editMessage", session_id=session, fingerprint=45, content="Edited")
        [one] = await do("getMessage", session_id=session, fingerprint=45)
        assert (one["content"], one["edited"]) == ("Edited", True)
        await do("removeMessage", session_id=session, fingerprint=45)
        with pytest.raises(VendorRefused, match="message_not_found"):
            await do("getMessage", session_id=session, fingerprint=45)
        await do("markMessagesRead", session_id=session)

        [operator, *_] = await do("listOperators", limit=2)
        who = operator["details"]["user_id"]
        await do("assignConversation", session_id=session, user_id=who, silent=True)
        await do("changeConversationState", session_id=session, state="resolved")
        assigned = await do("searchConversations", filter_assigned=who, filter_resolved=True)
        assert [row["session_id"] for row in assigned] == [session]
        await do("assignConversation", session_id=session)
        await do("updateConversationDetails", session_id=session, subject="Bread", segments=["vip"])
        await do("blockConversation", session_id=session)
        await do("scheduleReminder", session_id=session, date="2026-12-01T10:00:00Z", note="Call")
        [row] = await do("getConversation", session_id=session)
        assert (row["state"], row["assigned"], row["is_blocked"]) == ("resolved", {}, True)
        assert (row["meta"]["subject"], row["meta"]["segments"]) == ("Bread", ["vip"])
        [found] = await do(
            "searchConversations",
            search_filters=[
                {
                    "model": "session",
                    "criterion": "meta.subject",
                    "operator": "eq",
                    "query": ["Bread"],
                }
            ],
        )
        assert found["session_id"] == session
        await do("removeConversation", session_id=session)
        with pytest.raises(VendorRefused, match="invalid_session"):
            await do("getConversation", session_id=session)

        [empty] = await do("createConversation")
        assert empty["session_id"].startswith("session_")
        shown = await do("searchConversations", limit=100)
        assert empty["session_id"] not in {row["session_id"] for row in shown}
        shown = await do("searchConversations", limit=100, include_empty=True)
        assert empty["session_id"] in {row["session_id"] for row in shown}
        url = "/v1/website/{website_id}/conversations"
        [answer] = await do("makeApiCall", url=url)
        assert len(answer["body"]["data"]) == len(shown) - 1

    play("crisp", crisp, story)


MESSAGES: list[dict[str, Any]] = [
    {"type": "note", "content": "Only for us", "mentions": ["u1"]},
    {"type": "file", "url": "https://example.com/a.png", "name": "a", "file_type": "image/png"},
    {"type": "animation", "url": "https://example.com/a.gif", "file_type": "image/gif"},
    {"type": "audio", "url": "https://example.com/a.mp3", "file_type": "audio/mp3", "duration": 3},
    {
        "type": "picker",
        "id": "size",
        "content": "Which?",
        "choices": [{"value": "s", "label": "Small", "selected": False}],
        "required": True,
    },
    {"type": "field", "id": "name", "content": "Who?", "explain": "Your name", "value": "Ada"},
    {"type": "carousel", "content": "See", "targets": [{"title": "Rye", "description": "Dark"}]},
    {"type": "event", "namespace": "state:resolved", "content": "Done"},
    {"type": "text", "content": "From a plugin", "origin": "urn:example:sms", "from": "user"},
    {
        "type": "text",
        "content": "Hi",
        "user_type": "website",
        "nickname": "Bot",
        "avatar": "https://example.com/b.png",
        "translated": True,
        "original_type": "text/plain",
        "original_content": "Salut",
        "automated": True,
        "properties": {"a": 1},
        "timestamp": "2026-01-01T00:00:00Z",
        "references": [{"type": "link", "name": "Help", "target": "https://example.com"}],
    },
]


def test_crisp_takes_every_type_of_message() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        [made] = await do("createConversation")
        session = made["session_id"]
        for message in MESSAGES:
            [sent] = await do("sendMessage", session_id=session, **message)
            [read] = await do("getMessage", session_id=session, fingerprint=sent["fingerprint"])
            assert read["type"] == message["type"]
            shape = {key: message[key] for key in message if key in CONTENT_KEYS}
            await do("editMessage", session_id=session, fingerprint=sent["fingerprint"], **shape)
        with pytest.raises(VendorRefused, match=r"invalid_data.*content"):
            await do("sendMessage", session_id=session, type="file", content_data={"url": "x"})

    play("crisp", crisp, story)


CONTENT_KEYS = {
    *("type", "content", "url", "name", "file_type", "duration", "id", "choices", "targets"),
    *("explain", "value", "required", "namespace"),
}


def test_crisp_people_visitors_and_websites() -> None:
    async def story(do: Do, simulator: Simulator) -> None:
        profiles = await do("listPeopleProfiles", limit=1000)
        assert len({row["people_id"] for row in profiles}) == 24
        assert len(await do("listPeopleProfiles", limit=21)) == 21
        ordered = await do("listPeopleProfiles", sort_order="ascending", limit=2)
        assert ordered[0]["created_at"] < ordered[1]["created_at"]
        until = ordered[1]["created_at"]
        assert len(await do("listPeopleProfiles", filter_date_end=until)) == 2

        [made] = await do(
            "addPeopleProfile",
            email="ada@example.com",
            full_name="Ada L",
            timezone=60,
            profiles=[{"type": "twitter", "handle": "ada"}],
            employment_name="Engines",
            person_city="London",
            person_latitude="51.5",
            employees=3,
            arr=1.5,
            tags=["vip"],
            segments="lead",
            notepad="Likes rye",
        )
        person = made["people_id"]
        with pytest.raises(VendorRefused, match="people_exists"):
            await do("addPeopleProfile", email="ada@example.com")
        await do("updatePeopleProfile", people_id=person, title="Countess", company_city="Paris")
        [row] = await do("getPeopleProfile", people_id="ada@example.com")
        assert row["person"]["nickname"] == "Ada L"
        assert row["person"]["employment"] == {"name": "Engines", "title": "Countess"}
        assert row["person"]["geolocation"] == {"city": "London", "coordinates": {"latitude": 51.5}}
        assert row["company"] == {
            "metrics": {"employees": 3, "arr": 1.5},
            "tags": ["vip"],
            "geolocation": {"city": "Paris"},
        }
        assert {"segment": "lead"}.items() <= (await do("listPeopleSegments"))[-2].items()
        await do("updatePeopleData", people_id=person, data={"plan": "gold"})
        await do("addPeopleEvent", people_id=person, text="Order placed", color="blue")
        await do("removePeopleProfile", people_id=person)
        with pytest.raises(VendorRefused, match="people_not_found"):
            await do("getPeopleProfile", people_id=person)

        [counted] = await do("countVisitors")
        assert counted == {"count": 3, "active": 3, "limited": False}
        assert len(await do("listVisitors")) == 3
        assert len(await do("listVisitors", limit=2)) == 2
        assert len(await do("listInboxes")) == 2

        [website] = await do("getWebsite")
        assert website["website_id"] == simulator.credentials["website_id"]
        assert [row["name"] for row in await do("listWebsites")] == [
            "Harbour Bakery",
            "Harbour Café",
        ]
        [created] = await do("createWebsite", name="New", domain="new.example")
        assert await do("checkWebsiteExists", domain="new.example") == [
            {"exists": True, "domain": "new.example"}
        ]
        [nobody] = await do("checkWebsiteExists", domain="nobody.example")
        assert nobody["exists"] is False
        new = created["website_id"]
        with pytest.raises(VendorRefused, match="invalid_password"):
            await do("deleteWebsite", password="wrong-password", website_id=new)
        [deleted] = await do("deleteWebsite", password="crisp-demo-password", website_id=new)
        assert (deleted["scheduled"], deleted["reason"]) == (True, "scheduled")

    play("crisp", crisp, story)


def test_signalwire_calls_messages_and_lists() -> None:
    async def story(do: Do, simulator: Simulator) -> None:
        assert isinstance(simulator, SignalWireSimulator)
        own, other = await do("listNumbers")
        assert await do("listNumbers", phoneNumber=other["number"], name="camp") == [other]
        [application] = await do("listApplications")
        [group] = await do("listNumberGroups")

        calls = await do("searchCalls", limit=4)
        assert len(calls) == 4
        moment = parsedate_to_datetime(calls[2]["start_time"])
        started = {"startTimeType": "after", "startTime": moment}
        assert await do("searchCalls", **started) == calls[:2]
        at = {"startTime": moment, "status": "completed"}
        assert await do("searchCalls", **at) == [calls[2]]
        assert len(await do("searchCalls", to=own["number"], limit=100)) == 6
        assert await do("getCall", callSid=calls[0]["sid"]) == [calls[0]]
        assert (await do("deleteCall", callSid=calls[0]["sid"]))[0]["deleted"] is True
        with pytest.raises(VendorRefused, match=r"not found \(20404\)"):
            await do("getCall", callSid=calls[0]["sid"])
        [made] = await do(
            "createCall",
            **{"from": own["number"]},
            to="(202) 555-0142",
            applicationSid=application["sid"],
            statusCallbackEvent=["answered", "completed"],
            sendDigits="ww1#",
            record=True,
        )
        assert (made["status"], made["to"]) == ("queued", "+12025550142")
        simulator.state.calls[made["sid"]]["status"] = "in-progress"
        [ended] = await do("updateCall", callSid=made["sid"], status="completed")
        assert ended["status"] == "completed"
        with pytest.raises(VendorRefused, match="21210"):
            await do(
                "createCall", **{"from": "+12025550199"}, to="+12025550142", callUrl="https://a.b/"
            )

        [sent] = await do(
            "createMessage",
            to="+12025550142",
            messageServiceSid=group["id"],
            body="Hello",
            mediaUrl=["https://example.com/a.jpg"],
            maxPrice="0.02",
            validityPeriod=60,
        )
        assert (sent["messaging_service_sid"], sent["num_media"]) == (group["id"], 1)
        assert len(await do("listMessageMedia", messageSid=sent["sid"])) == 1
        assert (await do("searchMessages", limit=1))[0]["sid"] == sent["sid"]
        assert await do("searchMessages", dateSentType="before", dateSent="2020-01-01") == []
        received = await do("watchNewMessages", status="received")
        old = received[-1]["sid"]
        assert (await do("getMessage", messageSid=old))[0]["body"]
        assert (await do("clearMessageBody", messageSid=old))[0]["body"] == ""
        assert (await do("deleteMessage", messageSid=old))[0]["sid"] == old

        [recording] = await do("listRecordings")
        assert await do("getRecording", recordingSid=recording["sid"]) == [recording]
        assert await do("watchNewRecordings") == [recording]
        assert (await do("deleteRecording", recordingSid=recording["sid"]))[0]["deleted"] is True
        assert len(await do("listFaxes")) == len(await do("watchNewFaxes")) == 1
        assert len(await do("watchNewCalls", depth=2)) == 2
        [answer] = await do("makeApiCall", url="/api/relay/rest/phone_numbers")
        assert [row["number"] for row in answer["body"]["data"]] == [own["number"], other["number"]]

    play("signalwire", signalwire, story)


def test_signalwire_follows_the_next_address() -> None:
    async def story(do: Do, simulator: Simulator) -> None:
        assert isinstance(simulator, SignalWireSimulator)
        first = next(iter(simulator.state.messages.values()))
        for number in range(2500):
            sid = f"00000000-0000-0000-0000-{number:012d}"
            simulator.state.messages[sid] = {**first, "sid": sid}
        found = await do("searchMessages", limit=2400)
        assert len({row["sid"] for row in found}) == 2400
        assert simulator.journal.processed("list_messages") == 3

    play("signalwire", signalwire, story)
