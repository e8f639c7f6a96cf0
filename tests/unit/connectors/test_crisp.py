"""Crisp: requests, the connection, refusals, and hooks of both kinds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import GeneratorType
from typing import Any

import pytest

from junctor.connectors.crisp import crisp, events
from junctor.connectors.crisp.account import BASE, Token, said, sign
from junctor.connectors.crisp.assumptions import ASSUMED
from junctor.errors import BundleInvalid, Misconfigured, RateLimited, Unauthorized
from junctor.language.connector import Delivery, Request, Response, Secret
from junctor.language.forms import bind, build
from junctor.language.values import ERASE

ACCOUNT = Token(identifier="id", key=Secret("key-1"), website_id="w/1", tier="plugin")


def made(module_name: str, /, **mapper: Any) -> Request:
    module = crisp.modules[module_name]
    request = module.function(**bind(module, mapper, {}))
    if isinstance(request, GeneratorType):
        request = next(request)
    assert isinstance(request, Request)
    return request


def signed(request: Request, account: Token = ACCOUNT) -> Request:
    return sign(replace(request, url=BASE + request.url), account)


# The connection.


def test_every_request_carries_token_tier_and_website() -> None:
    request = signed(made("getConversation", session_id="session_1"))
    assert request.url == f"{BASE}/website/w%2F1/conversation/session_1"
    pair = base64.b64encode(b"id:key-1").decode()
    assert request.headers == {"Authorization": f"Basic {pair}", "X-Crisp-Tier": "plugin"}


def test_another_website_may_be_named_and_none_can_be_smuggled_in() -> None:
    named = signed(made("getWebsite", website_id="other"))
    assert named.url == f"{BASE}/website/other"
    mapped = signed(made("getConversation", session_id="{website}"))
    assert mapped.url.endswith("/conversation/%7Bwebsite%7D")


def test_the_vendors_placeholder_works_in_a_call_of_your_own() -> None:
    request = signed(
        made("makeApiCall", url="/v1/website/{website_id}/conversations/1?per_page=20")
    )
    assert request.url == f"{BASE}/website/w%2F1/conversations/1?per_page=20"


@pytest.mark.parametrize(
    ("tier", "path"),
    [
        ("plugin", "/plugin/connect/websites/all/1"),
        ("user", "/user/account/websites"),
        ("website", "/website/w%2F1"),
    ],
)
def test_websites_are_listed_by_tier(tier: Any, path: str) -> None:
    assert signed(made("listWebsites"), replace(ACCOUNT, tier=tier)).url == BASE + path


def test_corrections_take_the_place_of_assumptions() -> None:
    lines = "websites.plugin = /plugins/{page}/mine\n\n tier_header = X-Tier\ndelete_website=text"
    account = replace(ACCOUNT, corrections=lines)
    assert signed(made("listWebsites"), account).url == f"{BASE}/plugins/1/mine"
    assert signed(made("getWebsite"), account).headers["X-Tier"] == "plugin"
    removed = made("deleteWebsite", password="long-password")
    assert signed(removed, account).json == {"verify": "long-password"}
    verify = {"method": "password", "secret": "long-password"}
    assert signed(removed).json == {"verify": verify}


@pytest.mark.parametrize("line", ["nonsense", "websites.user = x", "delete_website = maybe", "a=b"])
def test_a_correction_that_cannot_be_read_is_named(line: str) -> None:
    with pytest.raises(Misconfigured, match="can't be read"):
        signed(made("getWebsite"), replace(ACCOUNT, corrections=line))
    assert set(ASSUMED) >= {"websites.user", "delete_website", "tier_header"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": True, "reason": "invalid_session"}, "invalid_session: identifier or key is"),
        ({"error": True, "reason": "strange", "data": {"message": "m"}}, "strange: m"),
        ({"error": True, "reason": "strange"}, "strange"),
        ({"data": {"message": "only this"}}, "only this"),
        ([1], ""),
        ({"reason": 7}, ""),
    ],
)
def test_what_crisp_said(body: Any, expected: str) -> None:
    assert said(Response(400, {}, json.dumps(body).encode())).startswith(expected)
    assert said(Response(400, {}, b"<html>")) == ""


def test_420_is_too_many_requests() -> None:
    assert crisp.errors is not None
    error = crisp.errors(Response(420, {}, b'{"error":true,"reason":"rate_limited"}'))
    assert isinstance(error, RateLimited)
    assert "rate_limited" in error.message
    assert crisp.errors(Response(404, {}, b"{}")) is None


# Conversations and messages.


def test_a_search_sends_what_is_set() -> None:
    request = made(
        "searchConversations",
        search_query="ada",
        search_type="text",
        include_empty="true",
        filter_unread=False,
        filter_assigned="u1",
        filter_date_start="2026-01-02T03:04:05+01:00",
        order_date_updated=True,
        limit=50,
    )
    assert request.url == "/website/{website}/conversations/{page}"
    assert request.query == {
        "per_page": 50,
        "search_query": "ada",
        "search_type": "text",
        "include_empty": 1,
        "filter_assigned": "u1",
        "filter_date_start": "2026-01-02T02:04:05.000Z",
        "order_date_updated": 1,
    }
    assert made("searchConversations").query == {"per_page": 20}


def test_conditions_are_one_text() -> None:
    row = {"model": "people", "criterion": "email", "operator": "eq", "query": ["é"]}
    query: Any = made("searchConversations", search_filters=[row], search_operator="or").query
    assert query["search_type"] == "filter"
    assert json.loads(query["search_query"]) == [row]
    with pytest.raises(BundleInvalid, match="no operator"):
        made("searchConversations", search_filters=[{**row, "operator": ""}])


def test_a_message_holds_what_is_given_and_nothing_else() -> None:
    assert made("sendMessage", session_id="s", content="Hi").json == {
        "type": "text",
        "from": "operator",
        "origin": "chat",
        "content": "Hi",
    }
    body = made(
        "sendMessage",
        session_id="s",
        type="audio",
        url="https://e.test/a.mp3",
        file_type="audio/mp3",
        duration="2.5",
        fingerprint="12",
        user_type="participant",
        original_id="o1",
        translated=False,
        timestamp="2026-01-01T00:00:00Z",
        **{"from": "user"},
    ).json
    assert body == {
        "type": "audio",
        "from": "user",
        "origin": "chat",
        "content": {"url": "https://e.test/a.mp3", "type": "audio/mp3", "duration": 2.5},
        "fingerprint": 12,
        "user": {"type": "participant"},
        "original": {"original_id": "o1"},
        "translated": False,
        "timestamp": 1767225600000,
    }
    assert crisp.modules["sendMessage"].effect == "once"


@pytest.mark.parametrize(
    ("mapper", "field"),
    [
        ({"content": " "}, "content"),
        ({"type": "note"}, "content"),
        ({"type": "file", "url": "https://e.test/a", "name": "a"}, "file_type"),
        ({"type": "picker", "id": "p"}, "choices"),
        ({"type": "carousel"}, "targets"),
        ({"type": "event", "content": "x"}, "namespace"),
        ({"content": "x", "origin": "sms"}, "origin"),
        ({"type": "letter", "content": "x"}, "type"),
    ],
)
def test_what_a_message_lacks_is_named(mapper: dict[str, Any], field: str) -> None:
    with pytest.raises(BundleInvalid) as caught:
        made("sendMessage", session_id="s", **mapper)
    assert caught.value.params["field"] == field


def test_an_edit_sends_the_content_alone() -> None:
    request = made("editMessage", session_id="s", fingerprint=7, type="field", id="n", explain="e")
    assert (request.method, request.url) == (
        "PATCH",
        "/website/{website}/conversation/s/message/7",
    )
    assert request.json == {"content": {"id": "n", "explain": "e"}}
    whole = made("editMessage", session_id="s", fingerprint=7, content_data={"a": 1})
    assert whole.json == {"content": {"a": 1}}


def test_an_assignment_may_be_taken_back() -> None:
    assert made("assignConversation", session_id="s").json == {"assigned": {}}
    given = made("assignConversation", session_id="s", user_id="u", silent=True)
    assert given.json == {"assigned": {"user_id": "u"}, "silent": True}


def test_nothing_to_change_is_said() -> None:
    for name, mapper in (
        ("updateConversationDetails", {"session_id": "s"}),
        ("updatePeopleProfile", {"people_id": "p"}),
    ):
        with pytest.raises(BundleInvalid, match="nothing to change"):
            made(name, **mapper)


# People.


def test_a_profile_is_nested_and_what_is_erased_is_null() -> None:
    request = made(
        "updatePeopleProfile",
        people_id="ada@example.com",
        full_name="Ada",
        phone=ERASE,
        timezone="60",
        tags=ERASE,
        seniority="",
        company_latitude=1.5,
        market_cap=0,
        active="1970-01-01T00:00:01Z",
    )
    assert request.method == "PATCH"
    assert request.url == "/website/{website}/people/profile/ada%40example.com"
    assert request.json == {
        "person": {"nickname": "Ada", "phone": None, "timezone": 60},
        "company": {
            "geolocation": {"coordinates": {"latitude": 1.5}},
            "metrics": {"market_cap": 0},
            "tags": [],
        },
        "active": 1000,
    }


def test_a_new_profile_needs_an_address() -> None:
    with pytest.raises(BundleInvalid, match="email"):
        made("addPeopleProfile", full_name="Ada")
    with pytest.raises(BundleInvalid, match="too large"):
        made("addPeopleProfile", email="a@b.c", person_latitude=91)


def test_people_are_listed_by_conditions() -> None:
    row = {"model": "people", "criterion": "email", "operator": "eq", "query": ["a"]}
    query: Any = made(
        "listPeopleProfiles", search_filters=[row], filter_date_end="2026-01-01"
    ).query
    assert json.loads(query["search_filter"]) == [row]
    assert query["filter_date_end"] == "2026-01-01T00:00:00.000Z"


# Hooks.

SECRET = "hook-secret-1"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BODY = json.dumps(
    {
        "website_id": "w1",
        "event": "message:send",
        "data": {"session_id": "s1", "fingerprint": 5, "type": "text", "content": "é"},
        "timestamp": 1,
    }
).encode()


def delivery(body: bytes = BODY, *, at: datetime = NOW, **changes: Any) -> Delivery:
    stamp = str(round(at.timestamp() * 1000))
    text = b"[" + stamp.encode() + b";" + body + b"]"
    signature = hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
    given: dict[str, Any] = {
        "id": "d",
        "method": "POST",
        "query": (),
        "headers": {"x-crisp-request-timestamp": stamp, "x-crisp-signature": signature},
        "body": body,
        "received_at": NOW,
    }
    return Delivery(**{**given, **changes})


def test_a_plugins_hook_is_signed_over_time_and_raw_body() -> None:
    good = {"source": "plugin", "secret": SECRET}
    events.VERIFY(delivery(), good)
    events.VERIFY(delivery(), {"secret": SECRET})  # a plugin's unless said otherwise
    again = json.dumps(json.loads(BODY)).encode() + b" "
    for bad in (
        replace(delivery(), body=again),
        replace(delivery(), headers={"x-crisp-signature": delivery().headers["x-crisp-signature"]}),
        replace(delivery(), headers={**delivery().headers, "x-crisp-request-timestamp": "1"}),
        replace(delivery(), headers={**delivery().headers, "x-crisp-signature": ""}),
        replace(delivery(), headers={**delivery().headers, "x-crisp-signature": "ab"}),
        delivery(at=NOW - timedelta(minutes=6)),
        delivery(at=NOW + timedelta(minutes=6)),
    ):
        with pytest.raises(Unauthorized):
            events.VERIFY(bad, good)
    events.VERIFY(delivery(at=NOW - timedelta(minutes=6)), {**good, "max_age": 3600})
    for missing in ({}, {"source": "plugin"}, {"secret": ""}, {"secret": "wrong-secret"}):
        with pytest.raises(Unauthorized):
            events.VERIFY(delivery(), missing)


def test_a_websites_hook_carries_a_key() -> None:
    settings = {"source": "website", "key": "key-of-mine"}
    plain = delivery(headers={})
    events.VERIFY(replace(plain, query=(("key", "key-of-mine"),)), settings)
    events.VERIFY(plain, {"source": "website"})  # its address alone is the key
    for query in ((), (("key", "other"),), (("key", "key-of-mine"), ("key", "x"))):
        with pytest.raises(Unauthorized):
            events.VERIFY(replace(plain, query=query), settings)
    with pytest.raises(Unauthorized, match="which there is not"):
        events.VERIFY(plain, {"source": "elsewhere"})


@pytest.mark.parametrize(("field", "value"), [("secret", "short"), ("key", "1")])
def test_a_secret_that_protects_nothing_is_refused(field: str, value: str) -> None:
    with pytest.raises(BundleInvalid, match="at least"):
        build(events.EventSettings, {field: value})
    assert build(events.MessageSettings, {}).events == ["message:send"]


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (events.MessageSettings, "message:sent"),
        (events.ConversationSettings, "message:send"),
        (events.PeopleSettings, "people:"),
    ],
)
def test_an_event_of_another_kind_is_refused(form: type, name: str) -> None:
    with pytest.raises(BundleInvalid, match="events"):
        build(form, {"events": [name]})


def watched(module: str, event: str, settings: dict[str, Any], **data: Any) -> bool:
    body = json.dumps({"website_id": "w1", "event": event, "data": data}).encode()
    return bool(list(crisp.modules[module].function(delivery(body, settings=settings))))


@pytest.mark.parametrize(
    ("module", "event", "settings", "expected"),
    [
        ("watchMessages", "message:send", {}, True),
        ("watchMessages", "message:received", {}, False),
        ("watchMessages", "message:received", {"events": ["message:received"]}, True),
        ("watchMessages", "message:send", {"types": ["file"]}, False),
        ("watchMessages", "message:send", {"types": ["text"]}, True),
        ("watchMessages", "message:send", {"website_id": "w2"}, False),
        ("watchConversations", "session:sync:rating", {}, True),
        ("watchConversations", "session:set_state", {"events": ["session:set_routing"]}, False),
        ("watchConversations", "message:send", {}, False),
        ("watchPeople", "people:profile:created", {}, True),
        ("watchPeople", "session:set_state", {}, False),
        ("watchEvents", "campaign:dispatched", {}, True),
        ("watchEvents", "campaign:dispatched", {"events": ["email:subscribe"]}, False),
    ],
)
def test_what_is_watched(module: str, event: str, settings: dict[str, Any], expected: bool) -> None:
    assert watched(module, event, settings, type="text") is expected


def test_events_are_told_apart_and_kept_in_order() -> None:
    assert events.dedup(delivery()) == "message:send:s1:5"
    assert events.order_key(delivery()) == "s1"
    event = {"event": "session:set_state", "data": {"session_id": "s", "state": "a"}}

    def key(**changes: Any) -> str | None:
        return events.dedup(delivery(json.dumps({**event, "timestamp": 1, **changes}).encode()))

    assert key() == key()
    other = {"session_id": "s", "state": "b"}
    assert len({key(), key(timestamp=2), key(data=other), key(event="session:removed")}) == 4
    assert key(timestamp=None) is None
    # The same message edited twice is two events.
    edited = {"session_id": "s", "fingerprint": 1, "content": "x"}
    assert key(event="message:updated", data=edited) != key(
        event="message:updated", data=edited, timestamp=9
    )
    people = {"event": "people:profile:removed", "data": {"people_id": "p"}}
    assert events.order_key(delivery(json.dumps(people).encode())) == "p"
