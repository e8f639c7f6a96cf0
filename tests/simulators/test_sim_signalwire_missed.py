"""What SignalWire's double tells is found again in its lists, with the keys of its deliveries."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from signalwire_rig import Client, Cxml, form_of, with_cxml, with_sim
from sim_client import call

from junctor.connectors.signalwire import signalwire
from junctor.connectors.signalwire.account import Project, sign
from junctor.language.connector import Delivery, HookDef, Missed, Request, Response, Secret
from junctor.language.forms import bind
from junctor.language.recovery import ADDRESS
from junctor.runtime.accounts import absolute
from junctor.simulators.wire import Request as Told

RECORDS = '<Response><Record action="{action}"/></Response>'


def hook_of(name: str) -> HookDef:
    hook = signalwire.modules[name].hook
    assert hook is not None
    return hook


async def played(it: Client, flow: Any) -> Any:
    """What a flow gives, when its requests go to the double."""
    keys = it.sim.keys
    account = Project(
        space="example", project_id=keys["project_id"], api_token=Secret(keys["api_token"])
    )
    try:
        request: Request = next(flow)
        while True:
            signed = sign(absolute(request, it.sim.origin), account)
            query = urlencode(dict(signed.query))
            url = signed.url + (f"?{query}" if query else "")
            got = await call(signed.method, url, None, dict(signed.headers))
            assert got.status == 200, got
            request = flow.send(Response(got.status, {}, got.body, signed.url))
    except StopIteration as stop:
        return stop.value


async def filled(it: Client, name: str, **settings: Any) -> list[Missed]:
    backfill = hook_of(name).backfill
    assert backfill is not None
    since = it.sim.clock.date() - timedelta(minutes=10)
    found: list[Missed] = await played(it, backfill(since, {ADDRESS: f"/hook/{name}", **settings}))
    assert all(each.at >= since.replace(microsecond=0) for each in found)
    return found


def key_of(name: str, form: dict[str, str], query: tuple[tuple[str, str], ...] = ()) -> str | None:
    return hook_of(name).dedup(
        Delivery(
            id="",
            method="POST",
            query=query,
            headers={"content-type": "application/json"},
            body=msgspec.json.encode(form),
            received_at=datetime.now(UTC),
        )
    )


def told(server: Cxml, name: str) -> dict[str | None, dict[str, str]]:
    asked: list[Told] = [each for each in server.asked if each.path == f"/hook/{name}"]
    return {key_of(name, form_of(each)): form_of(each) for each in asked}


def alike(name: str, found: list[Missed], heard: dict[str | None, dict[str, str]]) -> None:
    """The same events, each of them once, and what is said of them agrees."""
    keys = [each.key or key_of(name, dict(each.body)) for each in found]
    assert Counter(keys) == Counter(dict.fromkeys(heard, 1).keys())
    assert None not in keys
    for key, each in zip(keys, found, strict=True):
        said = heard[key]
        assert each.form
        later = {"CallStatus", "FaxStatus", "Timestamp", "MediaUrl0"}
        for parameter in (set(said) & set(each.body)) - later:
            assert each.body[parameter] == said[parameter], parameter


async def point(it: Client, server: Cxml, **keys: str) -> dict[str, Any]:
    """Enters addresses at the first number, as its owner would."""
    number = next(iter(it.sim.state.numbers.values()))
    number.update({key: f"{server.url}/hook/{name}" for key, name in keys.items()})
    return number


def test_calls_and_what_callers_left() -> None:
    async def test(it: Client, server: Cxml) -> None:
        await point(it, server, call_request_url="watchCalls")
        action = f"{server.url}/hook/watchCalls?recorded=1"
        server.answers["/hook/watchCalls"] = (200, RECORDS.format(action=action))
        other = it.numbers[1]
        await it.admin("/inbound-calls?wait=true", {"count": 1, "leaves_message": False})
        await it.admin("/inbound-calls?wait=true", {"to": other})
        server.answers["/hook/watchCalls"] = (200, "<Response/>")
        await it.admin("/inbound-calls?wait=true", {"count": 2})
        heard = told(server, "watchCalls")
        assert len(heard) == 3
        alike("watchCalls", await filled(it, "watchCalls"), heard)
        assert await filled(it, "watchCalls", **{ADDRESS: "/hook/another"}) == []

    with_cxml(test)


def test_a_message_that_a_caller_left_is_the_same_event() -> None:
    async def test(it: Client, server: Cxml) -> None:
        await point(it, server, call_request_url="watchCalls")
        text = RECORDS.format(action=f"{server.url}/hook/watchCalls?recorded=1")
        server.answers["/hook/watchCalls"] = (200, text)
        real = server.take

        def take(request: Told, exchange: Any) -> None:
            real(request, exchange)
            if request.path == "/hook/watchCalls":  # what follows the recording hangs up
                server.answers["/hook/watchCalls"] = (200, "<Response><Hangup/></Response>")

        server.take = take  # type: ignore[method-assign]  # as if it knew one answer from another
        await it.admin("/inbound-calls?wait=true", {})
        heard = told(server, "watchCalls")
        assert len(heard) == 2
        alike("watchCalls", await filled(it, "watchCalls", answer="record"), heard)

    with_cxml(test)


def test_faxes() -> None:
    async def test(it: Client, server: Cxml) -> None:
        number = await point(it, server, call_request_url="watchCalls")
        number["call_receive_mode"] = "fax"
        server.answers["/hook/watchCalls"] = (200, "<Response><Receive/></Response>")
        await it.admin("/inbound-calls?wait=true", {"count": 2})
        heard = told(server, "watchCalls")
        assert len(heard) == 2
        alike("watchCalls", await filled(it, "watchCalls", receive="fax"), heard)

    with_cxml(test)


def test_messages_and_their_files() -> None:
    async def test(it: Client, server: Cxml) -> None:
        number = await point(it, server, message_request_url="watchMessages")
        for body in ("One", "Two"):
            await it.admin("/inbound-messages?wait=true", {"body": body, "times": 2})
        await it.admin(
            "/inbound-messages?wait=true", {"body": "", "media": ["https://example.com/a.jpg"]}
        )
        await it.admin("/inbound-messages?wait=true", {"body": "Else", "to": it.numbers[1]})
        heard = told(server, "watchMessages")
        assert len(heard) == 3
        found = await filled(it, "watchMessages")
        alike("watchMessages", found, heard)
        [picture] = [each.body for each in found if each.body["NumMedia"] == "1"]
        assert picture["MediaUrl0"].startswith(f"{it.sim.origin}/api/laml/")
        own = await filled(it, "watchMessages", **{ADDRESS: "", "number": number["id"]})
        assert len(own) == 3

    with_cxml(test)


def test_an_application_may_have_the_address() -> None:
    async def test(it: Client) -> None:
        application = next(iter(it.sim.state.applications.values()))
        application["sms_url"] = "https://us.test/hook/watchMessages"
        number = list(it.sim.state.numbers.values())[1]
        number["message_laml_application_id"] = application["sid"]
        await it.admin("/inbound-messages", {"body": "Hi", "to": number["number"], "times": 0})
        await it.admin("/inbound-messages", {"body": "Hi", "times": 0})
        [found] = await filled(it, "watchMessages")
        assert found.body["To"] == number["number"]

    with_sim(test)


def test_states_of_calls_messages_and_recordings() -> None:
    async def test(it: Client, server: Cxml) -> None:
        await point(it, server, call_status_callback_url="watchCallStatus")
        hook = f"{server.url}/hook"
        await it.admin("/inbound-calls?wait=true", {"count": 2})
        numbered = told(server, "watchCallStatus")
        alike("watchCallStatus", await filled(it, "watchCallStatus"), numbered)
        await it(
            "POST",
            "/Calls",
            ("From", it.numbers[0]),
            ("To", "+12025550142"),
            ("Url", f"{server.url}/say"),
            ("Record", "true"),
            ("RecordingStatusCallback", f"{hook}/watchRecordings"),
            ("StatusCallback", f"{hook}/watchCallStatus"),
        )
        await it.admin("/outcomes", {"to": "+12025550143", "message": "undelivered"})
        for to in ("+12025550142", "+12025550143"):
            await it(
                "POST",
                "/Messages",
                ("From", it.numbers[0]),
                ("To", to),
                ("Body", "Hi"),
                ("StatusCallback", f"{hook}/watchMessageStatus"),
            )
        await it.sim.deliveries.settled()
        heard = told(server, "watchCallStatus")
        assert len(heard) == len(numbered) + 1
        alike("watchCallStatus", await filled(it, "watchCallStatus", everything=True), heard)
        ended = {
            key: form
            for key, form in told(server, "watchMessageStatus").items()
            if form["MessageStatus"] != "sent"
        }
        assert len(ended) == 2
        found = await filled(it, "watchMessageStatus", everything=True)
        alike("watchMessageStatus", found, ended)
        found = await filled(it, "watchRecordings", everything=True)
        heard = told(server, "watchRecordings")
        assert len(heard) == 1
        alike("watchRecordings", [e for e in found if key_of_body(e) in heard], heard)
        for name in ("watchMessageStatus", "watchRecordings"):
            assert await filled(it, name) == [], "nothing says what named this address"

    with_cxml(test, say=(200, "<Response><Say>Hi</Say></Response>"))


def key_of_body(each: Missed) -> str | None:
    return key_of("watchRecordings", dict(each.body))


# Whether something was done


@pytest.mark.parametrize("twice", [False, True])
def test_what_was_done_is_found(twice: bool) -> None:
    async def test(it: Client) -> None:
        group = next(iter(it.sim.state.number_groups))
        application = next(iter(it.sim.state.applications))
        ends = {"from": it.numbers[0], "to": "+12025550142"}
        orders: list[tuple[str, dict[str, Any]]] = [
            ("createCall", {**ends, "applicationSid": application}),
            ("createCall", {**ends, "to": "2025550143", "callUrl": "https://example.com/"}),
            ("createMessage", {**ends, "body": "Hello "}),
            ("createMessage", {"to": ends["to"], "body": "Group", "messageServiceSid": group}),
            ("createMessage", {**ends, "mediaUrl": ["https://example.com/a.jpg"]}),
            ("lamlCreateApplication", {"FriendlyName": "Night desk"}),
            ("lamlSendFax", {"From": ends["from"], "To": ends["to"], "MediaUrl": "https://a.b/"}),
        ]
        for name, given in orders:
            module = signalwire.modules[name]
            arguments = bind(module, given, {})
            assert module.probe is not None
            at = it.sim.clock.date()
            assert await played(it, module.probe.ask(arguments, at)) is False
            request = module.function(**arguments)
            place = request.url.partition("{project}")[2]
            for _ in range(1 + twice):
                rows = dict(request.form)
                for key in ("From", "To"):
                    if key in rows:
                        rows[key] = "+1" + rows[key][-10:]
                made = await it("POST", place, *rows.items())
                assert made.status in {200, 201}, made
            found = await played(it, module.probe.ask(arguments, at))
            if twice:
                assert found is None
            else:
                assert found["sid"] == made.data["sid"]
                assert "$origin" not in found
                await it.sim.deliveries.settled()
                late = at + timedelta(minutes=30)
                assert await played(it, module.probe.ask(arguments, late)) is False

    with_sim(test)
