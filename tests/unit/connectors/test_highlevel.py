"""HighLevel: requests, phone numbers, messages and signed events."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from junctor.connectors.highlevel import events, generated, highlevel
from junctor.connectors.highlevel.account import BASE, PrivateIntegration, said, sign
from junctor.connectors.highlevel.assumptions import RSA_KEY
from junctor.connectors.highlevel.event_types import EVENTS, FAMILIES, events_of
from junctor.connectors.highlevel.table import MADE
from junctor.errors import BundleInvalid, Misconfigured, Unauthorized
from junctor.language.connector import Delivery, Request, Response, Secret
from junctor.language.forms import bind
from junctor.language.values import ERASE
from tests.support import shared_dir

ACCOUNT = PrivateIntegration(token=Secret("pit-1"), location_id="loc", country="us")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def made(name: str, **mapper: Any) -> Request:
    module = highlevel.modules[name]
    request: Request = module.function(**bind(module, mapper, {}))
    return request


def signed(request: Request) -> Request:
    return sign(replace(request, url=BASE + request.url), ACCOUNT)


def test_upsert_sends_what_is_filled_in() -> None:
    request = made(
        "upsertContact",
        firstName="Ada",
        email="",
        phone="(555) 010-0199",
        tags="vip",
        lastName=ERASE,
        customFields=[{"id": "f1", "field_value": 3}],
    )
    assert request.url == "/contacts/upsert"
    assert signed(request).json == {
        "firstName": "Ada",
        "lastName": None,
        "phone": "+15550100199",
        "tags": ["vip"],
        "customFields": [{"id": "f1", "field_value": 3}],
        "locationId": "loc",
    }


def test_upsert_must_say_who_it_is() -> None:
    with pytest.raises(BundleInvalid, match="nothing is given in email and phone"):
        made("upsertContact", firstName="Ada")


def test_every_request_carries_token_and_version() -> None:
    headers = signed(made("getContact", contactId="c1")).headers
    assert headers == {"Version": "v3", "Authorization": "Bearer pit-1"}
    older = sign(Request("GET", BASE, headers={"Version": "2021-07-28"}), ACCOUNT)
    assert older.headers["Version"] == "2021-07-28"


def test_tags_are_added() -> None:
    request = made("addTags", contactId="a/b", tags=["x", ""])
    assert (request.url, request.json) == ("/contacts/a%2Fb/tags", {"tags": ["x"]})
    with pytest.raises(BundleInvalid, match="nothing is given in tags"):
        made("addTags", contactId="c", tags=[""])


def test_a_note_is_written() -> None:
    request = made("createNote", contactId="c", body="Hi", pinned="true")
    assert request.json == {"body": "Hi", "pinned": True}
    assert highlevel.modules["createNote"].effect == "once"


def test_a_body_of_your_own_is_left_alone() -> None:
    body = {"locationId": "other", "phone": "+15550100199"}
    assert sign(Request("POST", BASE, json=body), ACCOUNT).json == body


@pytest.mark.parametrize(
    ("phone", "country", "expected"),
    [
        ("(555) 010-0199", "us", "+15550100199"),
        ("030 123456", "DE", "+4930123456"),
        ("+44 20 7946 0958", "US", "+442079460958"),
        ("", "US", ""),
    ],
)
def test_phone_numbers(phone: str, country: str, expected: str) -> None:
    account = replace(ACCOUNT, country=country)
    for key in ("phone", "toNumber"):
        assert sign(Request("POST", BASE, json={key: phone}), account).json == {key: expected}
    where = f"{BASE}/contacts/search/duplicate"
    asked = sign(Request("GET", where, query={"number": phone}), account)
    assert asked.query == {"number": expected}


@pytest.mark.parametrize("phone", ["anonymous", "12", "030 123456"])
def test_what_is_no_phone_number_is_named(phone: str) -> None:
    account = replace(ACCOUNT, country="")
    with pytest.raises(BundleInvalid, match="is no phone number") as caught:
        sign(Request("POST", BASE, json={"phone": phone}), account)
    assert caught.value.params["field"] == "phone"


def test_the_number_of_an_invoice_is_no_phone_number() -> None:
    body = {"number": "2026-0012"}
    assert sign(Request("PUT", BASE + "/invoices/1", json=body), ACCOUNT).json == body


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"statusCode":422,"message":["a","b"],"traceId":"t"}', "a; b"),
        ('{"message":"no"}', "no"),
        ('{"error":{"code":"x","message":"no","resolution":"do y"}}', "no; do y"),
        ('{"error":"invalid_grant"}', "invalid_grant"),
        ("{}", ""),
        ("", ""),
        ("<html>", ""),
    ],
)
def test_what_highlevel_says(body: str, text: str) -> None:
    assert said(Response(400, {}, body.encode())) == text


# Events


def delivery(body: bytes, *, key: Ed25519PrivateKey = KEY, **settings: Any) -> Delivery:
    signature = base64.b64encode(key.sign(body)).decode()
    return Delivery(
        id="d",
        method="POST",
        query=(),
        headers={"content-type": "application/json", "x-ghl-signature": signature},
        body=body,
        received_at=datetime(2026, 1, 2, tzinfo=UTC),
        settings=settings,
    )


def verify(received: Delivery, **settings: Any) -> None:
    hook = highlevel.modules["watchEvents"].hook
    assert hook is not None
    hook.verify(received, settings)


def test_a_signed_event_passes_with_the_hooks_own_key() -> None:
    verify(delivery(b'{"type":"ContactCreate"}'), public_key=PEM)


def test_other_keys_and_changed_bodies_are_refused() -> None:
    good = delivery(b'{"a":1}')
    with pytest.raises(Unauthorized):
        verify(good)  # the vendor's key
    with pytest.raises(Unauthorized):
        verify(replace(good, body=b'{"a": 1}'), public_key=PEM)
    with pytest.raises(Unauthorized):
        verify(replace(good, headers={}), public_key=PEM)


def test_the_built_in_key_is_the_vendors() -> None:
    published = shared_dir("specs", "highlevel", "webhook_ed25519_public.pem").read_text()
    assert events.PUBLIC_KEY in published


def test_every_published_example_is_taken() -> None:
    examples = json.loads(shared_dir("specs", "highlevel", "webhook_events.json").read_text())
    bodies = [
        json.dumps(example).encode() for event in examples.values() for example in event["examples"]
    ]
    assert len(bodies) > 50
    for body in bodies:
        said = json.loads(body).get("timestamp")
        at = datetime.fromisoformat(said) if said else datetime(2026, 1, 2, tzinfo=UTC)
        received = replace(delivery(body), received_at=at)
        verify(received, public_key=PEM)
        assert list(events.watch_events(received)) == [json.loads(body)]


def test_events_are_filtered_by_type() -> None:
    body = b'{"type":"ContactCreate"}'
    assert list(events.watch_events(delivery(body, types=["ContactCreate"])))
    assert not list(events.watch_events(delivery(body, types=["NoteCreate"])))


def test_an_event_counts_once() -> None:
    hook = highlevel.modules["watchEvents"].hook
    assert hook is not None
    assert hook.dedup(delivery(b'{"webhookId":"w1"}')) == "w1"
    assert hook.dedup(delivery(b"{}")) is None


RSA_PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RSA_PEM = (
    RSA_PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
)


def older(body: bytes) -> Delivery:
    signature = base64.b64encode(RSA_PRIVATE.sign(body, PKCS1v15(), SHA256())).decode()
    return replace(delivery(body), headers={"x-wh-signature": signature})


def test_the_older_signature_counts_only_behind_its_switch() -> None:
    received = older(b'{"type":"ContactCreate"}')
    verify(received, accept_rsa=True, rsa_key=RSA_PEM)
    with pytest.raises(Unauthorized):
        verify(received, rsa_key=RSA_PEM)
    with pytest.raises(Unauthorized):
        verify(received, accept_rsa=True)  # the vendor's key
    with pytest.raises(Unauthorized):
        verify(replace(received, body=b"{}"), accept_rsa=True, rsa_key=RSA_PEM)
    with pytest.raises(Unauthorized):
        verify(replace(received, headers={}), accept_rsa=True, rsa_key=RSA_PEM)
    both = {**received.headers, "x-ghl-signature": "AAAA"}
    with pytest.raises(Unauthorized):
        verify(replace(received, headers=both), accept_rsa=True, rsa_key=RSA_PEM)


def test_the_built_in_rsa_key_is_the_vendors() -> None:
    published = shared_dir("specs", "highlevel", "webhook_rsa_public.pem").read_text()
    assert "".join(published.splitlines()[1:-1]) == RSA_KEY


def test_an_event_that_is_too_old_is_refused() -> None:
    for at, fits in (
        ("2026-01-01T00:00:00Z", True),
        (1_767_312_000_000, True),
        ("2025-12-01T00:00:00Z", False),
        ("soon", False),
    ):
        received = delivery(json.dumps({"type": "x", "timestamp": at}).encode())
        if fits:
            verify(received, public_key=PEM)
        else:
            with pytest.raises(Unauthorized):
                verify(received, public_key=PEM)


def test_all_published_events_are_in_one_family() -> None:
    names = json.loads(shared_dir("specs", "highlevel", "webhook_event_names.json").read_text())
    published = [*names["in_repo"], *names["marketplace_docs_only_2026_09"]]
    assert sorted(EVENTS) == sorted(published)
    assert len(EVENTS) == 77


def seen(module: str, body: dict[str, Any], **settings: Any) -> bool:
    function = highlevel.modules[module].function
    return bool(list(function(delivery(json.dumps(body).encode(), **settings))))


def test_every_published_example_reaches_the_module_of_its_family() -> None:
    examples = json.loads(shared_dir("specs", "highlevel", "webhook_events.json").read_text())
    for name, event in examples.items():
        [family] = [family for family in FAMILIES if name in family.events]
        for example in event["examples"]:
            # One example is a schema, three are no JSON.
            if "_unparsed" not in example and example.get("type") != "string":
                assert seen(family.name, example), name
                others = [each.name for each in FAMILIES if each is not family]
                # An example whose type the vendor's page has wrong is of another family's event.
                right = set(events_of(example)) <= set(family.events)
                assert not right or not any(seen(other, example) for other in others), name


def test_events_are_kept_apart_by_location_and_app() -> None:
    event = {"type": "ContactCreate", "locationId": "loc", "appId": "app1"}
    assert seen("watchContacts", event, client_id="app1-abc", location_id="loc")
    assert not seen("watchContacts", event, client_id="app2-abc")
    assert not seen("watchContacts", {**event, "appId": ""}, client_id="app1-abc")
    assert not seen("watchContacts", event, location_id="other")
    assert not seen("watchContacts", event, types=["ContactDelete"])
    assert not seen("watchTasks", event)
    inner = {"type": "AppointmentCreate", "appointment": {"locationId": "loc"}}
    assert seen("watchAppointments", inner, location_id="loc")
    assert seen("watchLocations", {"type": "LocationUpdate", "id": "loc"}, location_id="loc")
    assert seen("watchMessages", {"type": "SMS", "messageId": "m", "contactId": "c"})


# Requests


def test_the_location_is_put_in_where_a_request_asks_for_it() -> None:
    assert signed(made("listTags")).url == f"{BASE}/locations/loc/tags"
    assert signed(made("listTags", locationId="l 2")).url == f"{BASE}/locations/l%202/tags"
    assert signed(made("listUsers")).query == {"locationId": "loc"}
    opened = signed(made("createConversation", contactId="c")).json
    assert opened == {"contactId": "c", "locationId": "loc"}
    assert signed(made("listInvoices")).query == {"altId": "loc", "altType": "location"}


def test_an_agency_must_name_the_location() -> None:
    agency = replace(ACCOUNT, location_id="")
    for name in ("listTags", "listUsers"):
        with pytest.raises(Misconfigured, match="name the sub-account in its Location ID"):
            sign(made(name), agency)
        assert sign(made(name, locationId="l"), agency)


def test_times_go_out_as_each_operation_wants_them() -> None:
    at = "2026-12-01T10:00:00+01:00"
    task = made("createTask", contactId="c", title="T", dueDate=at)
    assert task.json == {"title": "T", "dueDate": "2026-12-01T09:00:00.000Z", "completed": False}
    free = made("getFreeTimes", calendarId="c", startDate=at, endDate=at)
    assert dict(free.query) == {"startDate": 1796115600000, "endDate": 1796115600000}
    later = made("sendMessage", type="SMS", contactId="c", message="x", scheduledTimestamp=at)
    assert later.json["scheduledTimestamp"] == 1796115600


def test_what_is_empty_is_left_out_and_what_is_erased_is_null() -> None:
    request = made("updateContact", contactId="c", city=ERASE, state="", dnd=False, tags=[])
    assert request.json == {"city": None, "dnd": False}
    assert made("setBusinessInBulk", ids=["c"], businessId=ERASE).json["businessId"] is None


def test_an_upsert_that_always_creates_is_done_once() -> None:
    effect = highlevel.modules["upsertContact"].effect_of
    assert effect is not None
    assert effect({}) == "idempotent"
    assert effect({"createNewIfDuplicateAllowed": True}) == "once"


def test_a_deprecated_operation_keeps_its_older_version() -> None:
    request = next(highlevel.modules["listContacts"].function())
    assert request.headers == {"Version": "2021-07-28"}
    assert made("listTags").headers == {"Version": "v3"}


# The catalogue


def test_every_operation_of_the_specification_has_one_module() -> None:
    listed = list(generated.operations())
    assert len({(row["method"], row["path"]) for row in listed}) == len(listed)
    by_hand = {(row["method"], row["path"]) for row in listed} & (MADE | generated.BY_FUNCTIONS)
    assert by_hand == MADE | generated.BY_FUNCTIONS
    made_of_it = [module for module in highlevel.modules.values() if module.generated]
    assert len(made_of_it) == len(listed) - len(by_hand)


def test_a_generated_module_carries_version_form_and_paging() -> None:
    module = highlevel.modules["getAllCustomSubtypes"]
    assert module.function(**bind(module, {}, {})).headers == {"Version": "2021-04-15"}
    assert highlevel.modules["listInvoices"].paging is not None
    upload = highlevel.modules["uploadMediaContent"]
    request = upload.function(**bind(upload, {"file": b"abc", "name": "a.txt"}, {}))
    assert {part.name: part.data for part in request.body.parts} == {
        "file": b"abc",
        "name": b"a.txt",
    }


def test_start_up_reads_no_forms_of_the_catalogue() -> None:
    code = (
        "from junctor.connectors.highlevel import generated, highlevel;"
        "assert len(highlevel.modules) > 600;"
        "assert generated._fields.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
