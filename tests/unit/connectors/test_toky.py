"""Toky: requests, answers, hooks and corrections of what is assumed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from junctor.connectors.toky import hooks, modules, toky
from junctor.connectors.toky.account import BASE, ApiKey, said, sign
from junctor.connectors.toky.assumptions import RATE
from junctor.errors import BundleInvalid, DataError, Misconfigured, Reconnect, VendorRefused
from junctor.language.connector import Delivery, Flow, Registration, Request, Response, Secret
from junctor.language.forms import bind


def answered(flow: Flow, *responses: Response) -> Any:
    request = next(flow)
    assert isinstance(request, Request)
    try:
        for response in responses:
            flow.send(response)
    except StopIteration as stop:
        return stop.value
    pytest.fail("the flow wants another answer")


def signed(request: Request, corrections: str = "") -> Request:
    account = ApiKey(api_key=Secret("k"), corrections=corrections)
    return sign(replace(request, url=BASE + request.url), account)


def test_a_contact_is_asked_for_by_number() -> None:
    flow = modules.get_contact(phone="+1 (555) 010-0199")
    request = next(flow)
    assert request == Request("GET", "/contacts/%2B15550100199", raises=False)


def test_an_unknown_caller_is_an_empty_bundle() -> None:
    assert answered(modules.get_contact(phone="+1"), Response(404, {}, b"{}")) == {}


@pytest.mark.parametrize(
    "body",
    [b'{"phone":"+1","contact_name":"A"}', b'{"results":[{"phone":"+1","contact_name":"A"}]}'],
)
def test_a_known_caller_comes_in_either_shape(body: bytes) -> None:
    found = answered(modules.get_contact(phone="+1"), Response(200, {}, body))
    assert found == {"phone": "+1", "contact_name": "A"}


def test_other_refusals_stay_errors() -> None:
    with pytest.raises(Reconnect, match="no such key"):
        answered(
            modules.get_contact(phone="+1"), Response(401, {}, b'{"error_message":"no such key"}')
        )


def test_a_text_message_refused_with_200_is_an_error() -> None:
    flow = modules.create_text_message(from_="+1", to="+2", text="hi", email="a@b.c")
    with pytest.raises(VendorRefused, match="not SMS enabled"):
        answered(flow, Response(200, {}, b'{"success":false,"error_message":"not SMS enabled"}'))


def test_a_text_message_is_sent_as_documented() -> None:
    arguments = {"from": "+1 555", "to": "+2", "text": "hi", "email": "a@b.c"}
    given = bind(toky.modules["createTextMessage"], arguments, {})
    flow = modules.create_text_message(**given)
    assert next(flow).json == {"from": "+1555", "to": "+2", "text": "hi", "email": "a@b.c"}
    flow = modules.create_text_message(**given)
    assert answered(flow, Response(200, {}, b'{"success":true,"id":7}')) == {
        "success": True,
        "id": 7,
    }


def test_only_filled_fields_are_written() -> None:
    assert modules.update_contact(phone="+1", first_name="A") == Request(
        "PUT", "/contacts/%2B1", json={"first_name": "A"}
    )


def test_the_key_is_a_header() -> None:
    assert signed(Request("GET", "/agents")).headers == {"X-Toky-Key": "k"}


def test_corrections_change_addresses_and_names() -> None:
    corrections = """
        get_contact = GET /contacts/by-phone/{}
        update_contact = POST /contacts/{}/edit
        list_messages = GET /sms/history
        key.first_name = firstname
    """
    assert (
        signed(next(modules.get_contact(phone="+15550100199")), corrections).url
        == BASE + "/contacts/by-phone/%2B15550100199"
    )
    update = signed(modules.update_contact(phone="+15550100199", first_name="A"), corrections)
    assert (update.method, update.url) == ("POST", BASE + "/contacts/%2B15550100199/edit")
    assert update.json == {"firstname": "A"}
    assert signed(modules.list_text_messages(), corrections).url == BASE + "/sms/history"
    assert signed(modules.list_voicemails(), corrections).url == BASE + "/voicemails"


def test_a_correction_that_cannot_be_read_is_named() -> None:
    with pytest.raises(Misconfigured, match="'get_contact GET' of the Toky connection"):
        signed(Request("GET", "/agents"), "get_contact GET")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"success":false,"error_message":"no"}', "no"),
        (b'{"message":"no"}', "no"),
        (b"<html>", ""),
        (b"[]", ""),
        (b'{"error":{"a":1}}', ""),
    ],
)
def test_what_toky_says(body: bytes, text: str) -> None:
    assert said(Response(400, {}, body)) == text


# Hooks


def delivery(body: bytes, kind: str = "application/json") -> Delivery:
    return Delivery(
        id="d",
        method="POST",
        query=(),
        headers={"content-type": kind},
        body=body,
        received_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


JSON_CALL = delivery(b'{"callid":"c1","state":"missed"}')
FORM_CALL = delivery(b"callid=c1&state=missed&empty=", "application/x-www-form-urlencoded; x=y")


def test_deliveries_come_as_json_or_as_a_form() -> None:
    assert list(hooks.watch_new_calls(JSON_CALL)) == [{"callid": "c1", "state": "missed"}]
    assert list(hooks.watch_new_calls(FORM_CALL)) == [
        {"callid": "c1", "state": "missed", "empty": ""}
    ]
    with pytest.raises(DataError):
        hooks.watch_new_calls(delivery(b"[1]"))


def test_an_event_counts_once_however_it_is_written() -> None:
    hook = toky.modules["watchNewCalls"].hook
    other = toky.modules["watchNewVoicemails"].hook
    assert hook is not None
    assert other is not None
    assert hook.dedup(JSON_CALL) == hook.dedup(FORM_CALL) == "new_call:c1"
    assert other.dedup(JSON_CALL) == "new_voicemail:c1"
    assert hook.dedup(delivery(b"{}")) is None


def test_hooks_register_themselves() -> None:
    hook = toky.modules["watchNewTextMessages"].hook
    assert hook is not None
    registration = hook.register
    assert isinstance(registration, Registration)
    assert registration.create("https://j.test/hook/t") == Request(
        "POST", "/webhooks", json={"event": "new_sms", "hook_url": "https://j.test/hook/t"}
    )
    assert registration.created(Response(201, {}, b'{"id":1612}')) == "1612"
    with pytest.raises(DataError):
        registration.created(Response(201, {}, b"{}"))
    assert registration.delete("1612") == Request("DELETE", "/webhooks/1612")


@pytest.mark.parametrize("shape", ["[%s]", '{"results":[%s]}', '{"webhooks":[%s]}'])
def test_registrations_are_listed_in_any_shape(shape: str) -> None:
    hook = toky.modules["watchNewCalls"].hook
    assert hook is not None
    assert isinstance(hook.register, Registration)
    body = shape % '{"id":1,"hook_url":"u","event":"new_call"}, {"x":1}'
    listed = list(hook.register.listed(Response(200, {}, body.encode())))
    assert listed == [("1", "u", "new_call")]


# Make an API call


def call(**mapper: Any) -> Request:
    module = toky.modules["makeApiCall"]
    request: Request = next(module.function(**bind(module, mapper, {})))
    return request


def test_an_api_call_is_relative_to_the_base() -> None:
    rows = [{"key": "limit", "value": 5}]
    request = call(url="/v1/contacts?a=1", method="get", qs=rows, headers=[])
    assert (request.method, request.url) == ("GET", "/contacts?a=1")
    assert request.query == (("limit", "5"),)
    whole = "https://api.toky.co/v1/agents"  # whether it is the connection's, egress sees
    assert call(url=whole).url == whole
    assert call(url="agents").url == "/agents"
    assert call(url="/v10/x").url == "/v10/x"


def test_an_api_call_sends_json_text() -> None:
    request = call(url="/contacts", method="POST", body='{"a":1}')
    assert request.body == b'{"a":1}'
    assert request.headers == {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "url",
    ["//evil.test/", "/a/../../x", "/%2e%2e/x", "ftp://api.toky.co/v1", "https://a/../x"],
)
def test_an_api_call_cannot_leave_the_vendor(url: str) -> None:
    with pytest.raises(BundleInvalid):
        call(url=url)


def test_an_api_call_cannot_forge_a_header() -> None:
    with pytest.raises(BundleInvalid, match="line break"):
        call(url="/x", headers=[{"key": "X", "value": "1\r\nY: 2"}])


def test_the_effect_of_an_api_call_is_its_methods() -> None:
    effect_of = toky.modules["makeApiCall"].effect_of
    assert effect_of is not None
    effects = [effect_of({"method": name}) for name in ("get", "PUT", "POST", None)]
    assert effects == ["read", "idempotent", "once", "read"]


def test_the_rate_is_assumed_unless_the_connection_says_otherwise() -> None:
    [budget] = toky.connections["toky"].budgets

    def of(corrections: str) -> tuple[str, int, float]:
        found = budget.of(ApiKey(api_key=Secret("k"), corrections=corrections))
        return found.name, found.amount, found.window

    assert of("") == of("rate = 100 in 10") == ("rate", *RATE)
    assert of("rate = 5 in 1") == ("rate (5 in 1 s)", 5, 1.0)
    for wrong in ("rate = fast", "rate = 0 in 1", "rate = 5 in 0"):
        with pytest.raises(Misconfigured, match="rate = 20 in 10"):
            of(wrong)
