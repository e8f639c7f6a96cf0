"""SignalWire: accounts, requests, refusals, phone numbers, cXML and deliveries."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from junctor.connectors.signalwire import calls, cxml, hooks, messages, signalwire
from junctor.connectors.signalwire.account import Project, base_of, errors, said, sign
from junctor.connectors.signalwire.deliveries import (
    SIGNED,
    call_of,
    call_status,
    incoming_call,
    incoming_message,
    message_status,
    read,
    recording_status,
)
from junctor.connectors.signalwire.fields import created
from junctor.errors import BundleInvalid, RateLimited, Reconnect, Unauthorized
from junctor.language.connector import Delivery, Request, Response, Secret
from junctor.language.forms import bind
from junctor.language.phones import in_country
from junctor.language.polling import fresh, listed_since

KEY = "PSK_0123456789"


def account(**change: Any) -> Project:
    return Project(**{"space": "acme", "project_id": "p1", "api_token": Secret("PT1"), **change})


@pytest.mark.parametrize(
    "space", ["acme", " ACME ", "acme.signalwire.com", "https://acme.signalwire.com/"]
)
def test_a_space_is_its_name_or_its_address(space: str) -> None:
    assert base_of(account(space=space)) == "https://acme.signalwire.com"


@pytest.mark.parametrize("space", ["", "a/b", "acme.evil.test", "a_b", "acme.signalwire.com.evil"])
def test_another_host_is_no_space(space: str) -> None:
    with pytest.raises(BundleInvalid, match="is no space of SignalWire"):
        account(space=space)


def test_requests_carry_project_and_token_and_numbers_in_e164() -> None:
    request = messages.create_message(
        to="(202) 555-0142", from_="+1 202 555 0143", body="Hi", media_url=[]
    )
    signed = sign(request, account(country="us"))
    kind, _, pair = signed.headers["Authorization"].partition(" ")
    assert (kind, b64decode(pair)) == ("Basic", b"p1:PT1")
    assert signed.url == "/api/laml/2010-04-01/Accounts/p1/Messages"
    assert signed.form == (("To", "+12025550142"), ("From", "+12025550143"), ("Body", "Hi"))
    search = sign(calls.search_calls(from_="030 1234567"), account(country="DE"))
    assert dict(search.query) == {"From": "+49301234567"}


def test_a_mapped_value_cannot_name_the_project() -> None:
    assert "{project}" not in calls.get_call("{project}").url.removeprefix(calls.CALLS)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+12025550142", "+12025550142"),
        ("0044 20 7946 0018", "+442079460018"),
        ("202.555.0142", "+12025550142"),
        ("sip:a@example.com", "sip:a@example.com"),
        ("12345", "12345"),
        ("ACME", "ACME"),
        ("", ""),
        (None, None),
    ],
)
def test_phone_numbers(text: Any, number: Any) -> None:
    assert in_country(text, "US", field="To") == number


@pytest.mark.parametrize("text", ["+1", "+0", "1234567890123456789", "(((", "+1202555014"])
def test_what_cannot_be_dialled_is_named(text: str) -> None:
    with pytest.raises(BundleInvalid, match="is no phone number") as caught:
        in_country(text, "US", field="To")
    assert caught.value.params["field"] == "To"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"code":20404,"message":"gone","more_info":"x","status":404}', "gone (20404)"),
        (b'{"code":"21210","message":"not yours","status":400}', "not yours (21210)"),
        (b'{"errors":[{"code":"30010","message":"a"},{"message":"b"}]}', "a (30010); b"),
        (b'{"errors":["text"]}', "text"),
        (b'{"errors":[{"detail":"d","status":"422","code":"c"}]}', "d (c)"),
        (b'{"errors":[{"code":"c","message":"m","attribute":"to"}]}', "to: m (c)"),
        (b'{"error":"Unauthorized"}', "Unauthorized"),
        (b"<html>", ""),
        (b"[]", ""),
        (b'{"errors":[1]}', ""),
    ],
)
def test_the_vendors_words_come_from_every_shape(body: bytes, text: str) -> None:
    assert said(Response(400, {}, body)) == text


def test_refusals_say_what_must_happen() -> None:
    for status in (401, 403):
        found = errors(Response(status, {}, b'{"code":20003,"message":"no"}'))
        assert isinstance(found, Reconnect)
        assert "no (20003)" in found.message
    full = errors(Response(422, {}, b'{"code":21611,"message":"full"}'))
    assert isinstance(full, RateLimited)
    assert errors(Response(422, {}, b'{"code":21210,"message":"x"}')) is None


def test_calls_are_filtered_by_moment_and_messages_by_day() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    request = calls.search_calls(start_time_type="after", start_time=moment, end_time=moment)
    assert dict(request.query) == {
        "StartTime>": "Fri, 02 Jan 2026 03:04:05 GMT",
        "EndTime": "Fri, 02 Jan 2026 03:04:05 GMT",
    }
    request = messages.search_messages(date_sent_type="before", date_sent=moment)
    assert dict(request.query) == {"DateSent<": "2026-01-02"}


def form(module: str, **mapper: Any) -> list[tuple[str, str]]:
    definition = signalwire.modules[module]
    request: Request = definition.function(**bind(definition, mapper, {}))
    assert isinstance(request.form, tuple)
    return list(request.form)


def test_a_call_has_every_field_and_repeats_its_events() -> None:
    given = {
        "from": "+12025550143", "to": "+12025550142", "callIdentifier": "url",
        "callUrl": "https://a.test/", "callerId": "+12025550144", "fallbackMethod": "GET",
        "fallbackUrl": "https://b.test/", "machineDetection": "Enable",
        "machineDetectionTimeout": 9, "method": "GET", "record": True,
        "recordingChannels": "dual", "recordingStatusCallback": "https://c.test/",
        "recordingStatusCallbackEvent": ["completed", "absent"],
        "recordingStatusCallbackMethod": "POST", "sipAuthUsername": "u", "sipAuthPassword": "p",
        "sendDigits": "1w#", "statusCallback": "https://d.test/",
        "statusCallbackEvent": ["ringing", "completed"], "statusCallbackMethod": "POST",
        "timeout": 30, "trim": "do-not-trim", "maxPricePerMinute": 0.05,
    }  # fmt: skip
    sent = form("createCall", **given)
    assert len(sent) == len(given)  # the identifier is ours, one event is repeated
    assert [value for name, value in sent if name == "StatusCallbackEvent"] == [
        "ringing",
        "completed",
    ]
    assert ("RecordingStatusCallbackEvent", "completed absent") in sent
    assert ("Record", "true") in sent
    assert ("Url", "https://a.test/") in sent


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "callUrl"),
        ({"callIdentifier": "url"}, "callUrl"),
        ({"callIdentifier": "applicationSid", "callUrl": "x"}, "applicationSid"),
        ({"callUrl": "x", "applicationSid": "y"}, "callIdentifier"),
        ({"callUrl": "x", "sendDigits": "abc"}, "sendDigits"),
        ({"callUrl": "x", "sendDigits": "1" * 33}, "sendDigits"),
        ({"callUrl": "x", "timeout": 601}, "timeout"),
    ],
)
def test_a_call_that_cannot_be_made_names_the_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(BundleInvalid) as caught:
        form("createCall", **{"from": "+12025550143", "to": "+12025550142", **given})
    assert caught.value.params["field"] == field


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"from": ""}, "from"),
        ({"body": ""}, "body"),
        ({"body": "x" * 1601}, "body"),
        ({"contentType": "mediaUrl"}, "mediaUrl"),
        ({"contentType": "both"}, "mediaUrl"),
        ({"mediaUrl": ["https://a.test/"] * 9}, "mediaUrl"),
        ({"maxPrice": "cheap"}, "maxPrice"),
        ({"validityPeriod": 0}, "validityPeriod"),
    ],
)
def test_a_message_that_cannot_be_sent_names_the_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(BundleInvalid) as caught:
        form("createMessage", **{"to": "+1", "from": "+12025550143", "body": "x", **given})
    assert caught.value.params["field"] == field


def test_a_content_type_leaves_the_other_out() -> None:
    given = {"to": "1", "from": "2", "body": "x", "mediaUrl": ["u", "v"]}
    assert ("Body", "x") in form("createMessage", **given, contentType="both")
    only = form("createMessage", **given, contentType="mediaUrl")
    assert [value for name, value in only if name == "MediaUrl"] == ["u", "v"]
    assert not [name for name, _ in only if name == "Body"]
    assert not [n for n, _ in form("createMessage", **given, contentType="body") if n == "MediaUrl"]


def test_an_update_needs_something_and_a_body_is_cleared() -> None:
    with pytest.raises(BundleInvalid, match="nothing is given"):
        calls.update_call(call_sid="c")
    assert form("updateCall", callSid="c", status="completed") == [("Status", "completed")]
    assert form("clearMessageBody", messageSid="m") == [("Body", "")]


def test_polling_gives_what_is_new_oldest_first() -> None:
    poll = signalwire.modules["watchNewCalls"].poll
    assert poll is not None

    def row(sid: str, hour: int) -> dict[str, Any]:
        return {"sid": sid, "date_created": f"Tue, 14 Aug 2018 {hour}:00:00 +0000"}

    old, state = fresh([row("b", 11), row("a", 10)], None, poll)
    assert old == []
    new, state = fresh([row("d", 13), row("c", 12), row("b", 11)], state, poll, limit=1)
    assert [each["sid"] for each in new] == ["c"]
    new, _ = fresh([row("d", 13), row("c", 12), row("b", 11)], state, poll, limit=1)
    assert [each["sid"] for each in new] == ["d"]
    assert created({"date_created": "2019-01-04T16:28:33Z"}) == datetime(
        2019, 1, 4, 16, 28, 33, tzinfo=UTC
    )
    assert created({}) is None
    assert created({"date_created": "soon"}) is None


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("watchNewCalls", {}),
        ("watchNewMessages", {}),
        ("watchNewRecordings", {"DateCreated>": "2018-08-12"}),
        ("watchNewFaxes", {"DateCreatedAfter": "2018-08-14T07:59:59Z"}),
    ],
)
def test_a_poll_asks_for_what_can_be_new(name: str, query: dict[str, str]) -> None:
    module = signalwire.modules[name]
    poll = module.poll
    assert poll is not None
    since = listed_since({"date": "2018-08-14T12:00:00+00:00"}, poll)
    assert since is not None
    request = module.function(**bind(module, {}, {}))
    asked = poll.since(request, since) if poll.since else request
    assert dict(asked.query) == query


def test_own_cxml_must_be_a_response() -> None:
    cxml.check_own("own", "<Response><Say>Hi</Say></Response>")
    cxml.check_own("own", cxml.EMPTY)
    for text in ("", "Hi", "<Answer/>", "<Response>", "<Response/>" + " " * 70_000):
        with pytest.raises(BundleInvalid):
            cxml.check_own("own", text)
    bomb = '<!DOCTYPE r [<!ENTITY a "b">]><Response>&a;</Response>'
    with pytest.raises(BundleInvalid, match="document type"):
        cxml.check_own("own", bomb)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"signing_key": Secret("short")}, "signing_key"),
        ({"text": " "}, "text"),
        ({"answer": "forward"}, "forwardTo"),
        ({"answer": "forward", "forward_to": "2025550142"}, "forwardTo"),
        ({"answer": "own", "own": "Hi"}, "own"),
        ({"away": "forward"}, "forwardTo"),
        ({"away": "say", "away_text": ""}, "awayText"),
    ],
)
def test_a_choice_without_what_it_needs_is_refused(given: dict[str, Any], field: str) -> None:
    with pytest.raises(BundleInvalid) as caught:
        hooks.VoiceSettings(**{"signing_key": Secret(KEY), **given})
    assert caught.value.params["field"] == field


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"answer": "say", "text": "a<b", "voice": '"x'}, '<Say voice="&quot;x">a&lt;b</Say>'),
        ({"answer": "forward", "forward_to": "+1 202 555 0142"}, ">+12025550142</Dial>"),
        ({"answer": "forward", "forward_to": "sip:a@b.c"}, "<Sip>sip:a@b.c</Sip></Dial>"),
        ({"answer": "nothing"}, "<Response></Response>"),
        ({"answer": "reject"}, '<Reject reason="busy"/>'),
        ({"answer": "say", "receive": "fax"}, "<Response><Receive/></Response>"),
        ({"answer": "own", "own": "<Response><Echo/></Response>"}, "<Echo/>"),
        ({}, hooks.WELCOME),
    ],
)
def test_callers_hear_what_was_chosen(settings: dict[str, Any], text: str) -> None:
    answer = hooks.voice_answer(settings)
    assert answer.status == 200
    assert text in answer.body.decode()
    cxml.check_own("answer", answer.body.decode())


def test_senders_get_a_reply_if_that_was_chosen() -> None:
    assert hooks.message_answer({}).body.decode() == cxml.EMPTY
    reply = hooks.message_answer({"answer": "reply", "text": "Thanks"})
    assert b"<Message>Thanks</Message>" in reply.body


# Deliveries


def delivery(body: bytes, kind: str = "application/x-www-form-urlencoded", **more: Any) -> Delivery:
    given: dict[str, Any] = {
        "id": "", "method": "POST", "query": (), "headers": {"content-type": kind}, "body": body,
        "received_at": datetime(2026, 1, 2, tzinfo=UTC), "url": "https://us.test/hook/a",
    }  # fmt: skip
    headers = {**given["headers"], **more.pop("headers", {})}
    return Delivery(**{**given, **more, "headers": headers})


def test_deliveries_come_as_forms_queries_and_json() -> None:
    wanted = {"MessageSid": "m", "Body": "Hi there", "From": "+1"}
    assert read(delivery(b"MessageSid=m&Body=Hi+there&From=%2B1")) == wanted
    assert read(delivery(b"", query=(*wanted.items(), ("fallback", "1")))) == wanted
    assert read(delivery(b'{"MessageSid":"m"}', "application/json")) == {"MessageSid": "m"}
    media = read(delivery(b"NumMedia=1&MediaUrl0=u&MediaContentType0=image/png"))
    assert media["Media"] == [{"url": "u", "contentType": "image/png"}]


SWML = delivery(b'{"call":{"call_id":"s","call_state":"created"}}', "application/json")


@pytest.mark.parametrize(
    ("key", "given", "wanted"),
    [
        (incoming_call, delivery(b"CallSid=c&CallStatus=ringing"), "c:ringing:"),
        (incoming_call, delivery(b"CallSid=c"), "c:ringing:"),
        (incoming_call, SWML, "s:ringing:"),
        (incoming_call, delivery(b"CallSid=c&CallStatus=in-progress"), "c:in-progress:"),
        (incoming_call, delivery(b"CallSid=c&CallStatus=x&RecordingSid=r"), "c:recorded:r"),
        (incoming_call, delivery(b"FaxSid=f&FaxStatus=receiving"), "fax:f:"),
        (incoming_call, delivery(b"FaxSid=f&FaxStatus=received"), "fax:f:received"),
        (incoming_call, delivery(b""), None),
        (incoming_message, delivery(b"MessageSid=m&MessageStatus=received"), "m"),
        (incoming_message, delivery(b'{"message":{"message_id":"m"}}', "application/json"), "m"),
        (incoming_message, delivery(b"{", "application/json"), None),
        (call_status, delivery(b"CallSid=c&CallStatus=ringing&SequenceNumber=1"), "c:ringing:1"),
        (call_status, delivery(b"CallSid=c&CallStatus=busy&SequenceNumber=1"), "c:busy:"),
        (call_status, delivery(b""), None),
        (message_status, delivery(b"MessageSid=m&MessageStatus=sent"), "m:sent"),
        (recording_status, delivery(b"RecordingSid=r&RecordingStatus=completed"), "r:completed:"),
        (recording_status, delivery(b"RecordingSid=r&TranscriptionSid=t"), "r::t"),
        (recording_status, delivery(b""), None),
    ],
)
def test_one_event_has_one_key(
    key: Callable[[Delivery], str | None], given: Delivery, wanted: str | None
) -> None:
    assert key(given) == wanted


def test_the_order_is_by_call() -> None:
    assert call_of(delivery(b"CallSid=c&CallStatus=ringing")) == "c"
    assert call_of(SWML) == "s"
    assert call_of(delivery(b"")) is None


def test_status_triggers_give_the_states_that_are_wanted() -> None:
    module = signalwire.modules["watchCallStatus"]
    body = b"CallSid=c&CallStatus=completed"
    assert module.function(delivery(body, settings={"statuses": ["busy"]})) == []
    assert len(module.function(delivery(body, settings={"statuses": ["completed"]}))) == 1
    assert len(module.function(delivery(body))) == 1


def signature(text: str, name: str = "sha1") -> bytes:
    return hmac.digest(KEY.encode(), text.encode(), name)


FORM = b"To=%2B2&From=%2B1&Body=a&Body=b"
SIGNED_TEXT = "BodyaBodybFrom+1To+2"
URL = "https://us.test/hook/a"


@pytest.mark.parametrize(
    ("given", "headers"),
    [
        (delivery(FORM), {"x-signalwire-signature": b64encode(signature(URL + SIGNED_TEXT))}),
        (delivery(FORM), {"x-twilio-signature": b64encode(signature(URL + SIGNED_TEXT))}),
        (
            delivery(FORM),
            {
                "x-signalwire-signature": b64encode(
                    signature("https://us.test:443/hook/a" + SIGNED_TEXT)
                )
            },
        ),
        (
            delivery(b"{}", "application/json"),
            {"x-signalwire-signature": signature(URL + "{}").hex().encode()},
        ),
        (
            delivery(b"{}", "application/json"),
            {"x-signalwire-sha256-signature": signature(URL + "{}", "sha256").hex().encode()},
        ),
        (
            delivery(b"", method="GET", url=URL + "?CallSid=c"),
            {"x-signalwire-signature": b64encode(signature(URL + "?CallSid=c"))},
        ),
        (
            delivery(
                b"{}",
                "application/json",
                url=f"{URL}?bodySHA256={hashlib.sha256(b'{}').hexdigest()}",
                query=(("bodySHA256", hashlib.sha256(b"{}").hexdigest()),),
            ),
            {
                "x-signalwire-signature": b64encode(
                    signature(f"{URL}?bodySHA256={hashlib.sha256(b'{}').hexdigest()}")
                )
            },
        ),
    ],
)
def test_genuine_deliveries_pass(given: Delivery, headers: dict[str, bytes]) -> None:
    named = {**given.headers, **{name: value.decode() for name, value in headers.items()}}
    good = Delivery(**{**as_dict(given), "headers": named})
    SIGNED(good, {"signing_key": KEY})
    for changed in (
        {"body": given.body + b"&x=1"},
        {"url": given.url + "x"},
        {"headers": {**named, **dict.fromkeys(headers, "AAAA")}},
        {"headers": {**named, **dict.fromkeys(headers, "é")}},
        {"headers": dict(given.headers)},
    ):
        with pytest.raises(Unauthorized):
            SIGNED(Delivery(**{**as_dict(good), **changed}), {"signing_key": KEY})
    for settings in ({}, {"signing_key": ""}, {"signing_key": "PSK_another"}):
        with pytest.raises(Unauthorized):
            SIGNED(good, settings)


def test_a_signature_of_the_address_alone_lets_no_body_in() -> None:
    headers = {"x-signalwire-signature": b64encode(signature(URL)).decode()}
    with pytest.raises(Unauthorized):
        SIGNED(delivery(b'{"a":1}', "application/json", headers=headers), {"signing_key": KEY})


def as_dict(given: Delivery) -> dict[str, Any]:
    return {name: getattr(given, name) for name in Delivery.__dataclass_fields__}
